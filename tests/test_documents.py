"""The documents' experiment, small: exact where it should be, nearer with more neurons, and what it says it did."""

import json
import re
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from cortwin.experiments import _printed as printed
from cortwin.experiments import documents
from cortwin.model import Lacking

SMALL = "--quick --set units=6 --set updates=15 --set sample_updates=20".split()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documents") / "run"
    words = ["run", "documents", *SMALL, "--set", "pages=jordan,lstm", "--out", str(folder)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "cortwin", *words],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.cpp
def test_pages_are_exact_and_their_spikes_come_nearer(found):
    metrics = json.loads((found / "metrics.json").read_text())
    metrics = metrics.get("metrics", metrics)
    for page in ("jordan", "lstm"):
        assert 0 <= metrics[f"pages.{page}.exact_error"] <= 1e-10
        assert 0 < metrics[f"pages.{page}.gradient_error"] <= 1e-6
        assert 0 < metrics[f"pages.{page}.gradient_between_writings"] <= 1e-8
    for page in ("jordan", "lstm"):
        assert 0 < metrics[f"pages.{page}.nrmse.16"] < metrics[f"pages.{page}.nrmse.4"]
    assert 0 < metrics["pages.lstm.limit.decoding"] < 2
    assert -1 <= metrics["pages.lstm.limit.memory"] <= 1


@pytest.mark.cpp
def test_the_report_quotes_faults(found):
    text = (found / "report.html").read_text()
    assert text.count("<tr>") > len(printed.FAULTS)
    assert "self.W_hh.T" in text
    assert len(list((found / "figures").glob("page_*.png"))) == 2


def test_every_page_and_every_document_is_there():
    assert {"jordan", "feedforward", "elman", "relay", "lstm", "gru", "sublstm", "attention"} <= set(documents.PAGES)
    assert set(printed.EQUATIONS) == set(printed.SAMPLES) == {one.document for one in printed.FAULTS}
    assert all(page in documents.PAGES for _, page in printed.EQUATIONS.values())
    lacking = {name for name, model in documents.PAGES.items() if isinstance(model.spiking, Lacking)}
    assert lacking == {"attention_softmax"}


def test_the_best_constant_answers_are_those_of_the_targets():
    """The error of each target's mean, from the trials themselves; 3 standard errors of what was drawn."""
    for document, make in printed.SAMPLES.items():
        sample = make(np.random.default_rng(4), 10)
        options, baseline = sample.options, sample.data.baseline
        counted = sample.data.target.to_numpy()[sample.data.mask > 0]
        mean = counted.mean(axis=0)
        if options.loss == "mean_squared_error":
            each = ((counted - mean) ** 2).mean(axis=1)
        elif options.loss == "binary_cross_entropy":
            each = -(counted * np.log(mean) + (1 - counted) * np.log(1 - mean)).mean(axis=1)
        else:
            each = -(counted * np.log(mean)).sum(axis=1)
        assert each.mean() == pytest.approx(baseline, abs=3 * each.std() / np.sqrt(len(each)) + 5e-3 * baseline), (
            document
        )


def test_symbols_follow_as_in_the_documents_sequence():
    sequence = [0, 1, 0, 3, 1, 2, 0, 1, 0, 3, 0, 1, 2, 0, 1, 0, 3, 1, 2, 0]
    counts = np.zeros((4, 4))
    for one, other in pairwise(sequence):
        counts[one, other] += 1
    data = printed.sample_001(np.random.default_rng(1), 10).data
    drawn = np.einsum("bki,bko->io", data.inputs.to_numpy(), data.target.to_numpy())
    assert ((drawn > 0) == (counts > 0)).all()
    np.testing.assert_allclose(
        drawn / drawn.sum(axis=1, keepdims=True), counts / counts.sum(axis=1, keepdims=True), atol=0.1
    )


def test_quoted_lines_are_short():
    assert all(len(one.line) < 60 and not re.search(r"[^\x20-\x7e]", one.line) for one in printed.FAULTS)
