"""The split: which rows are held out, by a seed that gives the same rows for ever."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import shown

Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Rule:
    """What decides which rows are held out first."""

    seed: int
    strata: Codes | None = None  # (rows,): the share is that of each of them
    groups: Codes | None = None  # (rows,): rows with an equal one stay together
    times: Codes | None = None  # (rows,): the latest first, all of the same time together
    column: str = ""  # that has the groups or times


def hold_out(share: float, rule: Rule, rows: Mask) -> Mask:
    """Return which of some rows are held out: a share of them, and one at least.

    Raises ValueError if the rows cannot be divided.
    """
    order = shuffled(rule.seed, len(rows))
    order = order[rows[order]]  # a row that does not take part changes nothing for the others
    units = rule.times if rule.times is not None else rule.groups
    if units is not None:
        held = rows & _whole_units(share, units, rows, rule)
        if not held.any():
            raise ValueError(
                f"no rows can be held out: '{shown(rule.column)}' is the same in all of them"
            )
    else:
        strata = np.zeros(len(rows), np.int64) if rule.strata is None else rule.strata
        held = _stratified(share, strata, order)
        if not held.any():
            raise ValueError(f"no rows can be held out of {len(order):,}")
    return held


def shuffled(seed: int, rows: int) -> Codes:
    """Return the places of rows in an order that only seed and number of rows decide.

    They are ordered by the raw numbers of Philox, which numpy keeps the same for ever; shuffles by
    numpy, and so the splitters of scikit-learn, may change with a version. A network's initial
    weights have keys of their own, so that equal seeds share no numbers.
    """
    raw = np.random.Philox(key=np.array([seed, 1], np.uint64)).random_raw(rows)
    return np.argsort(raw, kind="stable")


def _stratified(share: float, strata: Codes, order: Codes) -> Mask:
    """Return which rows are held out: the first of each stratum in this order, never all of it."""
    counts = np.bincount(strata[order])
    exact = counts * share
    most = np.maximum(counts - 1, 0)
    wanted = np.minimum(np.floor(exact).astype(np.int64), most)
    # What rounding down left over goes to the strata that lost most by it.
    lost = np.where(wanted < most, exact - wanted, -1.0)
    missing = max(1, round(share * len(order))) - int(wanted.sum())
    chosen = np.argsort(-lost, kind="stable")[: max(0, missing)]
    wanted[chosen[lost[chosen] >= 0]] += 1
    held = np.zeros(len(strata), bool)
    for stratum, count in enumerate(wanted):
        held[order[strata[order] == stratum][:count]] = True
    return held


def _whole_units(share: float, units: Codes, rows: Mask, rule: Rule) -> Mask:
    """Return which rows are held out: whole units, as many as come closest to the share.

    The latest first, or else groups in an order that the seed decides; never all of them.
    """
    found, sizes = np.unique(units[rows], return_counts=True)
    ranked = np.argsort(-found) if rule.times is not None else shuffled(rule.seed, len(found))
    totals = np.cumsum(sizes[ranked])[:-1]
    if not len(totals):
        return np.zeros(len(units), bool)
    count = 1 + int(np.argmin(np.abs(totals - share * rows.sum())))
    return np.isin(units, found[ranked[:count]])
