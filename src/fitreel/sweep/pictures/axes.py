"""The axes: the scale of a setting, and that of the metric."""

import numpy as np
from numpy.typing import NDArray

from fitreel.settings.metrics import SQUARES, higher_is_better
from fitreel.settings.space import Dimension
from fitreel.sweep.pictures.scales import Kind, Scale

MOST_CHOICES = 8  # whole numbers that are shown one by one, as choices are
DECADE = 10.0  # squared errors, and parts of a variance, that spread wider get a log scale
ROOTS = set(SQUARES.values())
FAR = 1.5  # times the range of nine in ten trials is as far as a scale goes


def dimension_scale(dimension: Dimension) -> Scale:
    """Return the axis of a setting: all its possible values, tried or not."""
    values = dimension.values
    is_number, is_whole = dimension.kind in (int, float), dimension.kind is int
    if values and not (is_number and len(values) > MOST_CHOICES):
        return Scale("choices", values=tuple(sorted(values)) if is_number else values)
    low, high, is_log = dimension.low, dimension.high, dimension.is_log
    if values:  # so many that they are a range; on which scale they were spread is not known
        low, high = min(values), max(values)
        middle = sorted(values)[len(values) // 2]
        is_log = low > 0 and middle < (low + high) / 4
    elif is_whole and not is_log and high - low < MOST_CHOICES:
        return Scale("choices", values=tuple(range(int(low), int(high) + 1)))
    return Scale("log" if is_log else "linear", low, high, is_whole=is_whole)


def score_scale(scores: NDArray[np.float64], metric: str, floor: float | None = None) -> Scale:
    """Return the axis of the metric, for finite scores and the noise floor if it is known.

    It is logarithmic if the scores spread over more than a decade. It ends before those that are
    far worse than nine of ten.
    """
    if not len(scores):
        return Scale("linear", 0, 1)
    kind = _kind(scores, metric)
    scores = scores[~_is_far(scores, kind, higher_is_better(metric))]
    low, high = float(scores.min()), float(scores.max())
    # A floor that is far below all scores would only waste the axis.
    if floor is not None and (floor > 0 or kind == "linear") and low < _wide(metric) * floor:
        low, high = min(low, floor), max(high, floor)
    return Scale(kind, low, high)


def _wide(metric: str) -> float:
    """Return how often its least value a metric spreads over if that is much."""
    return DECADE**0.5 if metric in ROOTS else DECADE


def _kind(scores: NDArray[np.float64], metric: str) -> Kind:
    higher = higher_is_better(metric)
    costs = 1 - scores if higher else scores
    if costs.min() > 0 and costs.max() / _wide(metric) > costs.min():
        return "unexplained" if higher else "log"
    return "linear"


def _is_far(scores: NDArray[np.float64], kind: Kind, higher: bool) -> NDArray[np.bool_]:
    bent = Scale(kind).bend(scores) * (-1 if higher else 1)
    # One trial that nearly diverged would press all others together at the other end.
    best, usual = bent.min(), np.quantile(bent, 0.9)
    if usual <= best:
        return np.zeros(len(bent), np.bool_)
    return np.asarray(bent > best + FAR * (usual - best))
