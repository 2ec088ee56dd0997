"""Hand velocity from recorded rates, every direction decoded by a readout that never saw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import xarray as xr

from cortwin.readout.labelled import leave_one_condition_out, r2_per_output
from cortwin.readout.lags import lagged
from cortwin.readout.normalise import SoftNormaliser
from cortwin.readout.ridge import RidgeReadout

if TYPE_CHECKING:
    from cortwin.tasks.recording import Recording


@dataclass(frozen=True, eq=False)
class Decoding:
    """Decoded hand velocity.

    Attributes
    ----------
    prediction : (trial, time, output) DataArray
    r2 : R2 of ``vx`` and ``vy``, pooled over directions and times
    """

    prediction: xr.DataArray
    r2: dict[str, float]


def decode_hand_velocity(
    recording: Recording, *, penalty: float | Literal["nested"] = 10.0, lead: float = 0.1, constant: float = 5.0
) -> Decoding:
    """Decode the hand velocity of each direction by a ridge readout fitted to all other directions.

    Rates are divided by their range over the whole recording plus a constant; the held-out direction's rates enter that
    range, its movement enters nothing. They lead the hand; before the first recorded rate, the first one is held.

    Parameters
    ----------
    recording : at least three directions
    penalty : given, or ``"nested"``: chosen for each held-out direction on the directions that are left
    lead : s by which the rates lead the hand, a multiple of dt
    constant : Hz, added to the range
    """
    rate = recording.rate
    rows = rate.to_numpy().reshape(-1, rate.sizes["unit"])
    scaled = SoftNormaliser(constant).fit_transform(rows).reshape(rate.shape)
    features = lagged(rate.copy(data=scaled).assign_attrs(units="1"), [lead], edge="hold")
    prediction = leave_one_condition_out(lambda: RidgeReadout(penalty), features, recording.hand_velocity)
    return Decoding(prediction, r2_per_output(recording.hand_velocity, prediction))
