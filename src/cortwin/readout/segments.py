"""What a readout tells of segments that follow each other: which is on, which came before, and the exclusive or."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cortwin.errors import CortwinError
from cortwin.readout.classes import fit_classes
from cortwin.readout.ridge import RidgeReadout

# Rows of this many neighbours are held out together when a penalty is chosen: neighbouring segments share a history.
BLOCKS = 5


def asked_of(order: ArrayLike, lags: int) -> dict[str, NDArray[np.int64]]:
    """Return what is asked of every segment of a stream of two patterns, from the one numbered ``lags`` on.

    Parameters
    ----------
    order : (segment,) array_like of 0 and 1
    lags : how many segments back is asked

    Returns
    -------
    dict of (segment - lags,) ndarrays
        ``lag_0`` (which is on), ``lag_1`` (which came before) ..., and ``xor`` of these two.
    """
    shown = np.asarray(order, dtype=np.int64)
    if lags < 1 or len(shown) <= lags or not np.isin(shown, (0, 1)).all():
        raise CortwinError(f"{len(shown)} segments of 0 and 1 cannot be asked {lags} segments back")
    found = {f"lag_{lag}": shown[lags - lag : len(shown) - lag] for lag in range(lags + 1)}
    return found | {"xor": found["lag_0"] ^ found["lag_1"]}


def accuracies(
    features: NDArray, asked: Mapping[str, NDArray[np.int64]], n_training: int, penalties: tuple[float, ...]
) -> list[dict[str, Any]]:
    """Fit a logistic and a ridge readout to the first segments and return how often they are right on the others.

    Parameters
    ----------
    features : (segment, unit) ndarray
    asked : answers by name, from `asked_of`
    n_training : segments to fit; penalties of the ridge are chosen in blocks of them
    penalties : of the ridge readout

    Returns
    -------
    list of dict
        ``asked``, ``readout``, ``accuracy``
    """
    training, test = features[:n_training], features[n_training:]
    mean, sd = training.mean(axis=0), training.std(axis=0)
    # A unit that never moved says nothing, now or later.
    scaled = [(part - mean) / np.where(sd > 0, sd, np.inf) for part in (training, test)]
    block = np.arange(n_training) * BLOCKS // n_training
    rows = []
    for name, answers in asked.items():
        known, wanted = answers[:n_training], answers[n_training:]
        ridge = RidgeReadout("nested", penalties=penalties).fit(scaled[0], 2.0 * known - 1, groups=block)
        said = {
            "logistic": fit_classes(scaled[0], known).predict(scaled[1]),
            "ridge": (ridge.predict(scaled[1]) > 0).astype(np.int64),
        }
        rows += [
            {"asked": name, "readout": readout, "accuracy": float(np.mean(answer == wanted))}
            for readout, answer in said.items()
        ]
    return rows
