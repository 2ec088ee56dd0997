"""Effects side by side, against changes that were planted."""

from __future__ import annotations

import numpy as np
import pytest

from cortwin.activity import activity
from cortwin.analysis import compare_effects, effect_over_time, nrmse, others


def labelled(values, last="unit"):
    return activity(values, dt=0.01, last=last, name="x")


@pytest.fixture(scope="module")
def planted():
    generator = np.random.default_rng(0)
    start, change, noise = generator.standard_normal((3, 4, 30, 5))
    before = dict.fromkeys(("textbook", "twin", "still"), labelled(start))
    other = 2 * change + noise
    after = {"textbook": labelled(start + change), "twin": labelled(start + other), "still": labelled(start)}
    return before, after, change, other


def test_numbers_are_those_of_the_changes(planted):
    before, after, known, change = planted
    found = compare_effects(before, after)
    twin = found["twin"]
    assert twin["size"] == pytest.approx(np.sqrt(np.mean(change**2)) / before["twin"].to_numpy().std(), rel=1e-12)
    slope = np.linalg.lstsq(known.reshape(-1, 1), change.ravel(), rcond=None)[0][0]
    assert twin["gain"] == pytest.approx(slope, rel=1e-9)
    a, b = known.ravel() - known.mean(), change.ravel() - change.mean()
    assert twin["correlation"] == pytest.approx((a @ b) / np.sqrt((a @ a) * (b @ b)), rel=1e-9)
    assert twin["distance"] == pytest.approx(np.linalg.norm(change - known) / np.linalg.norm(known), rel=1e-9)
    # 1 / sqrt(1 + 1 / 4), of a gain of 2 and noise of the size of the effect.
    assert twin["correlation"] == pytest.approx(2 / np.sqrt(5), abs=0.05)
    assert {name: found["textbook"][name] for name in ("correlation", "gain", "distance")} == pytest.approx(
        {"correlation": 1, "gain": 1, "distance": 0}
    )


def test_no_effect_has_no_correlation_and_says_whose(planted):
    before, after, *_ = planted
    found = compare_effects(before, after)["still"]
    assert (found["size"], found["gain"]) == (0, 0)
    assert "still: nothing changed" in repr(found["correlation"])
    nothing = compare_effects(before, after, reference="still")["twin"]
    assert all("still: nothing changed" in repr(nothing[name]) for name in ("correlation", "gain", "distance"))


def test_the_size_over_time_has_the_size_as_its_mean_square(planted):
    before, after, *_ = planted
    over_time = effect_over_time(before["twin"], after["twin"])
    assert float(np.sqrt((over_time**2).mean())) == pytest.approx(nrmse(before["twin"], after["twin"]), rel=1e-12)
    late = after["twin"].copy(data=np.where(np.arange(30)[:, None] < 10, before["twin"], after["twin"]))
    assert not effect_over_time(before["twin"], late)[:10].any()
    constant = labelled(np.ones((2, 3, 4)))
    assert effect_over_time(constant, constant).attrs["reason"] == "x: is constant"


def test_touched_units_are_left_out_unless_all_were_touched():
    values = labelled(np.arange(24.0).reshape(2, 3, 4))
    np.testing.assert_array_equal(others(values, (1, 2)), values[:, :, [0, 3]])
    np.testing.assert_array_equal(others(values, range(4)), values)
    logits = labelled(np.zeros((2, 3, 4)), last="output")
    assert others(logits, (1,)).sizes["output"] == 4


def test_what_does_not_fit_is_refused(planted):
    before, after, *_ = planted
    with pytest.raises(ValueError, match="writings before are textbook, twin, still, after textbook"):
        compare_effects(before, {"textbook": after["textbook"]})
    with pytest.raises(ValueError, match=r"has the shape \(4, 30, 5\) before and \(4, 30, 4\) after"):
        effect_over_time(before["twin"], after["twin"][:, :, :4])
