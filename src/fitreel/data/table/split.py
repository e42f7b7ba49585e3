"""The split: which rows are held out, by a seed that gives the same rows for ever."""

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


def ranks(seed: int, rows: int, what: int = 0) -> Places:
    """Return the places of rows in an order that only seed and number of rows decide.

    Rows are ordered by raw numbers of Philox: numpy promises them for ever, but not the results of
    its shuffles; scikit-learn's splitters shuffle with it. ``what`` gives another order.
    """
    raw = np.random.Philox(key=[seed, what]).random_raw(rows)
    return np.argsort(raw, kind="stable")


def held_out(share: float, units: Places, order: Places) -> NDArray[np.bool_]:
    """Return which rows are held out: whole units, as many as come closest to the share.

    ``units`` (rows,) says to which unit a row belongs; ``order`` has the units, the first to be
    held out first. One unit at least is held out, and one is kept.
    """
    sizes = np.bincount(units, minlength=len(order))[order]
    total = np.cumsum(sizes)[:-1]
    if not len(total):
        return np.zeros(len(units), bool)
    count = 1 + int(np.argmin(np.abs(total - share * len(units))))
    chosen = np.zeros(len(order), bool)
    chosen[order[:count]] = True
    return chosen[units]


def stratified(share: float, strata: Places, order: Places) -> NDArray[np.bool_]:
    """Return which rows are held out: of each stratum the same share, but never its last row.

    ``strata`` (rows,) are the classes; ``order`` (rows,) has the rows, the first to be held out
    first.
    """
    counts = np.bincount(strata)
    exact = counts * share
    wanted = np.minimum(np.floor(exact).astype(int), np.maximum(counts - 1, 0))
    # What rounding left over: to the strata that lost most by it.
    room = wanted < counts - 1
    missing = max(1, round(share * len(strata))) - int(wanted.sum())
    first = np.argsort(np.where(room, wanted - exact, np.inf), kind="stable")
    wanted[first[: max(0, min(missing, int(room.sum())))]] += 1
    held = np.zeros(len(strata), bool)
    for stratum, count in enumerate(wanted):
        rows = order[strata[order] == stratum]
        held[rows[:count]] = True
    return held
