"""`cortwin new page` and `cortwin check`: the template passes, and what is broken on purpose is named in one line."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cortwin.battery import Found, Subject, check_page, load_page, new_page, variants
from cortwin.battery.page import NEEDED, OF_VARIANT
from cortwin.errors import CortwinError
from cortwin.models import elman

CONFIGURATION = Path(__file__).parents[1] / "pyproject.toml"


@pytest.fixture(autouse=True)
def own_path(monkeypatch):
    """A page's folder is put on the path; the next test shall not find it there."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def write(tmp_path):
    """Write the template with some of its text replaced: (old, new), ... -> file."""

    def write(*changes):
        file = new_page("my_page", tmp_path)
        text = file.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.mark.cpp
def test_the_template_passes_as_it_is(cortwin, tmp_path):
    status, said, _ = cortwin("new", "page", "thalamus")
    assert status == 0
    assert "cortwin check ./thalamus.py" in said
    status, said, complaints = cortwin("check", "./thalamus.py", "--quick", "--out", "checked")
    assert status == 0, said + complaints
    assert "FAILED" not in said
    assert re.search(r"ok +rate text, C\+\+ +\S+e-1\d <= 1e-10 ", said)
    assert re.search(r"ok +gradient +\S+e-\d+ <= 1e-6 ", said)
    assert re.search(r"ok +spikes +0\.\d+ <= 1 ", said)
    assert "thalamus.py passes 13 checks" in said
    with (tmp_path / "checked" / "checks.csv").open(newline="") as stream:
        rows = {row["check"]: row for row in csv.DictReader(stream)}
    assert set(OF_VARIANT) - {"spikes, C++ and XLA"} <= set(rows)
    assert 0 < float(rows["gradient"]["measured"]) <= float(rows["gradient"]["bar"]) == 1e-6
    page = (tmp_path / "checked" / "report.html").read_text(encoding="utf-8")
    assert "rate text, C++" in page
    assert len(list((tmp_path / "checked" / "figures").glob("page_0.*"))) == 2


def test_the_template_is_formatted_and_short(tmp_path):
    file = new_page("my_page", tmp_path)
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--config", str(CONFIGURATION), str(file)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if "No module named ruff" in done.stderr:
            pytest.skip("ruff is not installed")
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(file.read_text(encoding="utf-8").splitlines()) < 150


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my-page", "use letters, digits and _"),
        ("2nd", "use letters, digits and _"),
        ("über", "use letters, digits and _"),
        ("../page", "use letters, digits and _"),
        ("", "use letters, digits and _"),
        ("lambda", "no word of Python"),
        ("match", "no word of Python"),
        ("elman", "there is a page 'elman'"),
        ("numpy", "would hide the module"),
        ("json", "would hide the module"),
        ("cortwin", "would hide the module"),
    ],
)
def test_a_bad_name_is_refused(cortwin, tmp_path, name, words):
    status, _, said = cortwin("new", "page", name)
    assert status == 2
    assert words in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_left_alone(cortwin, tmp_path):
    (tmp_path / "mine.py").write_text("mine")
    status, _, said = cortwin("new", "page", "mine")
    assert (status, said) == (2, "error: mine.py exists: it is left as it is; give the page another name\n")
    assert (tmp_path / "mine.py").read_text() == "mine"


# What is broken, the check that finds it, what it says.
BROKEN = {
    "no model": ([("def model() ->", "def modell() ->")], "model", "it has no function model()"),
    "another thing": ([("    return Model(\n", "    return dict(\n")], "model", "returned a dict"),
    "another name": ([('name="my_page"', 'name="elman"')], "model", "called 'elman', the file my_page.py"),
    "an unknown symbol": ([("(-x + recurrent", "(-x + recurent")], "model", "the symbol 'recurent' is not defined"),
    "units": ([("+ b)/tau : Hz", "+ b) : Hz")], "model", "cortex, slope: '(-x + recurrent + drive + b)' has the unit"),
    "injection": (
        [("+ drive + b)/tau", "+ drive + __import__('os').getpid())/tau")],
        "model",
        "is not a plain call of a function",
    ),
    "an argument": ([("def model() ->", "def model(depth) ->")], "model", "lists no DEPTHS = (...)"),
    "an exception": ([("    start, activity =", "    1 / 0\n    start, activity =")], "model", "ZeroDivisionError"),
    "no docstring": ([('r"""A leaky', 'TEXT = r"""A leaky')], "docstring", "the file has no docstring"),
    "no equation": ([("\nrate       tau", "\nthe same   tau")], "docstring", "no equation of the rate writing"),
    "no row": ([("\ntau_m      ()", "\n")], "docstring", "the symbol table"),
    "half a row": ([("\ntau_m      ()   ", "\ntau_m        ")], "docstring", "a row that is not 'names (shape) unit"),
    "a wrong row": (
        [("W_in       (units, inputs)   1", "W_in       (units, units)    1")],
        "docstring",
        "gives W_in the shape (units, units), the model (units, inputs)",
    ),
    "no source": ([("doi:10.", "page ")], "docstring", "no section References"),
    "shape": ([("standard_normal((units, inputs))", "standard_normal((inputs, units))")], "shapes", "(2, 6), expected"),
    "NaN": ([("b=np.zeros(units)", "b=np.full(units, np.nan)")], "shapes", "b[0] is nan: weights must be finite"),
    "float32": ([("b=np.zeros(units)", "b=np.zeros(units, np.float32)")], "shapes", "b is float32, expected float64"),
    "another seed": (
        [("W_rec=generator.", "W_rec=np.random.default_rng().")],
        "initial values",
        "W_rec differs between two calls with the same seed",
    ),
    "global state": ([("W_rec=generator.standard_normal((units, units))", "W_rec=np.random.randn(units, units)")],
                     "initial values", "global state"),
    "nothing is drawn": (
        [("generator.standard_normal((units, units))", "np.eye(units)"),
         ("generator.standard_normal((units, inputs))", "np.eye(units, inputs)"),
         ("generator.standard_normal((outputs, units))", "np.eye(outputs, units)")],
        "initial values", "nothing is drawn",
    ),
    "leaky form": ([("+ alpha * (p.W_rec @ f(x)", "+ 0.9 * alpha * (p.W_rec @ f(x)")], "printed form", "leaky against"),
    "sign": ([("+ drive + b)/tau : Hz", "+ drive - b)/tau : Hz")], "rate text, XLA", "largest difference"),
    "NumPy": ([("return jnp.tanh(x)", "return np.tanh(x)")], "rate text, XLA", "use jax.numpy in it"),
    "no derivative": (
        [("return jnp.tanh(x)", "return jnp.floor(1e9 * jnp.tanh(x)) / 1e9")],
        "gradient", "against centred differences",
    ),
    "a flat step": (
        [("return jnp.tanh(x)", "return jnp.round(4 * jnp.tanh(x)) / 4")],
        "gradient", "the gradient of W_rec, W_in is 0 everywhere",
    ),
    "a cut gradient": (
        [("return jnp.tanh(x)", "return jnp.tanh(lax.stop_gradient(x))"),
         ("import jax.numpy as jnp", "from jax import lax\nimport jax.numpy as jnp")],
        "gradient", "against centred differences",
    ),
    "blow-up": (
        [("+ alpha * (p.W_rec @ f(x)", "+ alpha * (1e3 * x + p.W_rec @ f(x)")],
        "range", "x is not finite, first in trial",
    ),
    "decoders": ([('Ensemble("neurons", f,', 'Ensemble("neurons", lambda x: -f(x),')], "spikes", "worst of"),
}  # fmt: skip


def test_a_row_of_symbols_goes_on_in_an_indented_line(write):
    page = load_page(write(("\ntau_m      ()", "\n                                 which is drawn\ntau_m      ()")))
    findings = {found.check: found for found in check_page(page, quick=True, only=["docstring"])}
    assert findings["docstring"].passed, findings["docstring"].text


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_named_in_one_line(write, name):
    changes, check, words = BROKEN[name]
    findings = list(check_page(load_page(write(*changes)), quick=True, only=[check]))
    failed = [finding for finding in findings if finding.passed is False]
    assert [finding.check for finding in failed] == [check]
    (finding,) = failed
    assert words in finding.text
    assert "\n" not in finding.text
    assert len(finding.text) < 400
    # What needs a check that failed is not tried.
    assert check not in NEEDED or findings[-1] is finding


def test_a_page_that_cannot_be_imported_is_bad_input(cortwin, write):
    file = write(("import numpy as np", "import numpy as np as"))
    status, _, said = cortwin("check", file)
    assert status == 2
    assert re.fullmatch(r"error: my_page\.py, line \d+, cannot be imported: SyntaxError: [^\n]*\n", said)
    file.write_text("import nowhere_to_be_found\n")
    status, _, said = cortwin("check", file)
    assert (status, said.count("\n")) == (2, 1)
    assert "line 1, cannot be imported: ModuleNotFoundError: No module named 'nowhere_to_be_found'" in said
    assert cortwin("check", "no_such_page.py")[0] == 2


def test_a_failing_page_ends_with_status_1(cortwin, write):
    file = write(("b=np.zeros(units)", "b=np.full(units, np.inf)"))
    status, said, complaint = cortwin("check", file, "--quick")
    assert status == 1
    assert re.search(r"^  FAILED  shapes +b\[0\] is inf: weights must be finite$", said, re.MULTILINE)
    assert re.fullmatch(r"error: my_page\.py: 1 of \d checks failed: shapes\n", complaint)


def test_a_check_that_does_not_exist_is_named(cortwin, write):
    status, _, said = cortwin("check", write(), "--only", "gradients")
    assert status == 2
    assert "there is no check 'gradients'; there are docstring," in said


def test_a_folder_that_is_taken_is_told_before_anything_begins(cortwin, write, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    status, said, complaint = cortwin("check", write(), "--out", "out")
    assert (status, said) == (2, "")
    assert "is not empty" in complaint


def test_a_writing_that_is_lacking_is_a_dash_with_its_reason(write):
    file = write(
        ("        tuning=tuning,\n        spiking=spiking,\n", "        tuning=WHY,\n        spiking=WHY,\n"),
        ("        ensembles=(NEURONS,),\n", ""),
        ("def model() ->", 'WHY = Lacking("its spikes are still to be written")\n\n\ndef model() ->'),
        ("import Ensemble, Model", "import Ensemble, Lacking, Model"),
        ("\nspiking    tau", "\n           tau"),
    )
    findings = {one.check: one for one in check_page(load_page(file), only=["docstring", "lacking writings", "spikes"])}
    assert {name: one.mark for name, one in findings.items()} == {
        "docstring": "ok", "model": "ok", "lacking writings": "–", "shapes": "ok", "spikes": "–"
    }  # fmt: skip
    assert findings["spikes"].text == "its spikes are still to be written"
    assert findings["lacking writings"].text.count("still to be written") == 2
    text = file.read_text().replace("its spikes are still to be written", "not yet")
    file.write_text(text)
    failed = [one for one in check_page(load_page(file), only=["lacking writings"]) if one.passed is False]
    assert "say why in a few words" in failed[0].text


def test_every_variant_is_examined(write):
    file = write(
        ("def model() -> Model:", 'GAINS = ("one", "two")\n\n\ndef model(gain: str = "one") -> Model:'),
        ("    start, activity =", "    if gain not in GAINS:\n"
         '        raise ValueError(f"gain is \'{gain}\', expected one of one, two")\n' "    start, activity ="),
    )  # fmt: skip
    page = load_page(file)
    assert variants(page) == [{"gain": "one"}, {"gain": "two"}]
    findings = list(check_page(page, only=["unknown variant", "model"]))
    assert [(one.check, one.variant) for one in findings] == [
        ("unknown variant", ""),
        *[(check, f"gain={gain}") for gain in ("one", "two") for check in ("model", "shapes")],
    ]  # fmt: skip
    assert all(one.passed for one in findings)
    file.write_text(file.read_text().replace("raise ValueError(", "return str("))
    failed = [one for one in check_page(load_page(file), only=["unknown variant"]) if one.passed is False]
    assert "is not refused" in failed[0].text


def test_a_page_is_read_anew_although_its_length_and_second_are_the_same(write):
    """A compiled copy beside the page would be taken for it."""
    file = write()
    assert load_page(file).f(0.5) > 0
    file.write_text(file.read_text().replace("return jnp.tanh(x)", "return jnp.sinh(x)"))
    assert float(load_page(file).f(0.5)) == pytest.approx(0.5210953)
    assert not (file.parent / "__pycache__").exists()


def test_a_number_that_is_not_a_number_does_not_pass():
    assert Found("", 1e-11, 1e-10).passed
    assert not Found("", 2e-10, 1e-10).passed
    assert not Found("", float("nan"), 1e-10).passed
    assert not Found("", 0.0, 1e-6, least=0.0).passed


def test_the_subject_moves_what_starts_at_zero():
    drawn = Subject(elman, {"activation": "tanh"}).parameters
    assert all(array.any() for array in drawn)


def test_an_argument_without_a_list_and_default_is_refused():
    class Page:
        @staticmethod
        def model(depth):
            """Return nothing."""

    with pytest.raises(CortwinError, match="lists no DEPTHS"):
        variants(Page)  # type: ignore[arg-type]
