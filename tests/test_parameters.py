"""Parameters: read from text without eval, checked, and written down so that they read back the same."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Annotated

import pytest
from brian2 import Hz, Quantity, ms, mV, nA, pF, second
from hypothesis import given
from hypothesis import strategies as st

from cortwin.errors import CortwinError
from cortwin.parameters import UNITS, Parameter, declare, resolve


def compute(
    run,
    *,
    units: Annotated[int, Parameter("number of units", quick=30, minimum=1, maximum=500)] = 100,
    tau: Annotated[Quantity, Parameter("time constant", above=0 * ms, quick=50 * ms)] = 100 * ms,
    dt: Annotated[Quantity, Parameter("time step", above=0 * ms)] = 0.1 * ms,
    rate: Annotated[Quantity, Parameter("highest rate", minimum=0 * Hz)] = 200 * Hz,
    gain: Annotated[float, Parameter("gain", minimum=-2.0)] = 1.5,
    activation: Annotated[str, Parameter("function", choices=("tanh", "logistic", "relu"))] = "tanh",
    noisy: Annotated[bool, Parameter("noise")] = False,
    neurons: Annotated[tuple[int, ...], Parameter("neurons", minimum=1, quick=(1, 4))] = (1, 4, 16),
    lags: Annotated[tuple[Quantity, ...], Parameter("lags")] = (0 * ms, 5 * ms),
    recording: Annotated[Path | None, Parameter("a file")] = None,
):
    """Do nothing."""


DECLARED = declare(compute)


def read(name, text):
    return resolve(DECLARED, {name: text}, quick=False)[name]


def test_defaults_and_quick_values():
    full, quick = resolve(DECLARED, {}, quick=False), resolve(DECLARED, {}, quick=True)
    assert full["units"] == 100
    assert quick["units"] == 30
    assert quick["tau"] == 50 * ms
    assert quick["dt"] == full["dt"] == 0.1 * ms  # none given: the default
    assert quick["neurons"] == (1, 4)
    assert resolve(DECLARED, {"units": "7"}, quick=True)["units"] == 7


def test_values_are_frozen():
    with pytest.raises(TypeError):
        resolve(DECLARED, {}, quick=False)["units"] = 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("units", "200", 200),
        ("tau", "50ms", 50 * ms),
        ("tau", " 0.1 s ", 0.1 * second),
        ("tau", "1e3 us", 1 * ms),
        ("tau", "3µs", 3e-3 * ms),
        ("dt", "0.1 ms", 0.1 * ms),
        ("rate", "0 Hz", 0 * Hz),
        ("rate", "0.2kHz", 200 * Hz),
        ("gain", "-1.5e-3", -1.5e-3),
        ("activation", "relu", "relu"),
        ("noisy", "true", True),
        ("noisy", "No", False),
        ("neurons", "1, 4,256", (1, 4, 256)),
        ("lags", "1ms,0.002s", (1 * ms, 2 * ms)),
        ("recording", "none", None),
    ],
)
def test_text_becomes_a_value(name, text, value):
    found = read(name, text)
    assert type(found) is type(value)
    if name == "lags":
        assert [float(a) for a in found] == pytest.approx([float(b) for b in value], rel=1e-15)
    elif isinstance(value, Quantity):
        assert found.dim == value.dim
        assert float(found) == pytest.approx(float(value), rel=1e-15)  # one rounding, in the product with the unit
    else:
        assert found == value


def test_the_same_text_as_in_code_is_the_same_number():
    assert float(read("tau", "50ms")) == float(50 * ms)
    assert float(read("dt", "0.1ms")) == float(0.1 * ms)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("units", "0", "units must be at least 1, got 0"),
        ("units", "501", "units must be at most 500, got 501"),
        ("units", "2.5", "units=2.5 is not a whole number"),
        ("units", "1e2", "units=1e2 is not a whole number"),
        ("units", "9" * 5000, "is not a whole number"),
        ("units", "٣", "is not a whole number"),
        ("units", "", "is not a whole number"),
        ("tau", "0ms", "tau must be above 0, got 0 ms"),
        ("tau", "-5ms", "tau must be above 0, got -5 ms"),
        ("tau", "5", "tau needs a unit (ms, s, us): for instance tau=5ms"),
        ("tau", "5mV", "tau is a time (ms, s, us), got mV, a potential"),
        ("tau", "5 msec", "there is no unit 'msec': did you mean 'ms'"),
        ("tau", "ms", "tau=ms is not a number with a unit such as 100 ms"),
        ("tau", "5*ms", "is not a number with a unit"),
        ("tau", "1 ms**9**9**9", "is not a number with a unit"),
        ("tau", "__import__('os')", "is not a number with a unit"),
        ("tau", "1e999 ms", "tau must be finite"),
        ("tau", "nan ms", "is not a number"),
        ("gain", "inf", "is not a number"),
        ("gain", "1e999", "gain must be finite"),
        ("gain", "1 ms", "gain is a plain number without a unit"),
        ("gain", "-3", "gain must be at least -2, got -3"),
        ("activation", "tan", "activation must be one of tanh, logistic, relu, got 'tan'"),
        ("noisy", "maybe", "noisy=maybe is not true or false"),
        ("neurons", "1,x", "neurons=x is not a whole number, or several separated by commas"),
        ("neurons", ",", "neurons is empty"),
        ("neurons", "4,0", "neurons must be at least 1, got 0"),
        ("recording", "missing.npz", "there is no file 'missing.npz'"),
        ("recording", "a\0b", "is not the path of a file"),
        ("unit", "3", "there is no parameter 'unit': did you mean 'units'?"),
        ("zzz", "3", "there is no parameter 'zzz': there are activation, dt,"),
    ],
)
def test_bad_text_is_refused_in_words(name, text, message):
    with pytest.raises(CortwinError) as refused:
        read(name, text)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("units", True), ("units", 2.0), ("gain", True), ("gain", 1 * ms), ("tau", 5), ("tau", float("nan") * ms)],
        *[("tau", 3 * mV), ("noisy", 1), ("neurons", 3), ("activation", None), ("recording", 3)],
    ],
)
def test_values_of_another_type_are_refused(name, value):
    with pytest.raises(CortwinError, match=name):
        read(name, value)


def test_a_path_is_absolute(tmp_path, monkeypatch):
    (tmp_path / "Daten für M1.npz").touch()
    monkeypatch.chdir(tmp_path)
    assert read("recording", "Daten für M1.npz") == tmp_path / "Daten für M1.npz"


@given(st.floats(min_value=1e-9, max_value=1e6), st.sampled_from(["ms", "s", "us"]))
def test_displayed_text_reads_back(number, unit):
    value = read("tau", f"{number!r} {unit}")
    again = read("tau", DECLARED["tau"].display(value))
    assert float(again) == pytest.approx(float(value), rel=1e-11)  # twelve digits are displayed


@given(st.floats(min_value=1e-9, max_value=1e6), st.sampled_from(["ms", "s", "us"]))
def test_what_was_written_down_is_the_same_number_to_the_bit(number, unit):
    tau = DECLARED["tau"]
    value = read("tau", f"{number!r} {unit}")
    again = tau.from_json(json.loads(json.dumps(tau.to_json(value))), tau.display(value))
    assert again == value
    assert again.dim == value.dim


def test_every_kind_is_made_again_from_what_was_written_down(tmp_path):
    given = {"lags": "1ms,0.002s", "gain": "0.1", "neurons": "1,4", "noisy": "yes", "recording": str(tmp_path)}
    values = resolve(DECLARED, given, quick=True)
    for name, one in DECLARED.items():
        again = one.from_json(json.loads(json.dumps(one.to_json(values[name]))), one.display(values[name]))
        assert again == values[name], name
        assert type(again) is type(values[name]), name
    assert DECLARED["recording"].from_json(None, "none") is None
    with pytest.raises(CortwinError, match="units must be at most 500"):
        DECLARED["units"].from_json(501, "501")


@pytest.mark.parametrize(
    ("value", "text"),
    [(100 * ms, "100 ms"), (0.1 * ms, "0.1 ms"), (5 * second, "5 s"), (0 * ms, "0 ms"), (1 * second, "1 s")],
)
def test_units_are_displayed_as_people_write_them(value, text):
    assert DECLARED["tau"].display(value) == text


def test_every_unit_of_the_table_is_brian2s():
    import brian2

    for symbol, (name, _) in UNITS.items():
        assert str(getattr(brian2, name)).replace("etre", "") == symbol
    assert DECLARED["tau"].unit == "ms"
    for value, symbol in ((3 * nA, "nA"), (20 * pF, "pF"), (-70 * mV, "mV")):
        assert DECLARED["tau"].display(value).endswith(symbol)


def _signature(text):
    names = {"Annotated": Annotated, "Parameter": Parameter, "Quantity": Quantity, "ms": ms, "mV": mV}
    exec(f"def compute({text}): ...", names)
    return names["compute"]


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("*, a: Annotated[int, Parameter('a')] = 1", "must take the run"),
        ("run, a: Annotated[int, Parameter('a')] = 1", "write a after the \\*"),
        ("run, *, a: int = 1", "write a after the \\*"),
        ("run, *, a: Annotated[int, Parameter('a')]", "a needs a default"),
        ("run, *, seed: Annotated[int, Parameter('a')] = 1", "seed is an option of the command"),
        ("run, *, a: Annotated[list, Parameter('a')] = 1", "a is a <class 'list'>; a parameter is an int"),
        ("run, *, a: Annotated[int, Parameter('a', minimum=2)] = 1", "default or quick value of a: a must be at least"),
        ("run, *, a: Annotated[int, Parameter('a', quick=0, minimum=1)] = 1", "a must be at least 1"),
        ("run, *, a: Annotated[Quantity, Parameter('a', quick=1 * mV)] = 1 * ms", "a is a time"),
    ],
)
def test_wrong_declarations_are_refused(signature, message):
    with pytest.raises(CortwinError, match=message):
        declare(_signature(signature))


def test_declared_in_the_order_of_the_signature():
    assert list(DECLARED) == list(inspect.signature(compute).parameters)[1:]
