"""The groups of a comparison: runs that differ in their seed alone, and their mean."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from fitreel.checks.text import shortened
from fitreel.comparison.compared import ComparedRun, first_with_points
from fitreel.settings import (
    CheckpointSettings,
    FilmSettings,
    ImageSettings,
    LiveSettings,
    PlayerSettings,
)
from fitreel.settings.metrics import is_finite

CONFIDENCE = 0.95
# What is shown and kept of a training does not change it: runs of one group may differ in it.
PRESENTATION = {"frame_every"} | {
    each.name
    for settings in (CheckpointSettings, FilmSettings, ImageSettings, LiveSettings, PlayerSettings)
    for each in fields(settings)
}
SEED = "seed"


@dataclass(frozen=True)
class Interval:
    """The mean of ``count`` numbers, and half the width of its 95 % interval."""

    mean: float
    half_width: float
    count: int


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that differ only in their seed, and their mean.

    ``runs`` are places in the comparison, one a seed. The interval of the mean is Student's.
    """

    runs: tuple[int, ...]
    label: str
    losses: NDArray[np.float64]  # (steps,), the mean; all runs have these steps
    low: NDArray[np.float64]  # (steps,), never below the smallest loss
    high: NDArray[np.float64]  # (steps,)
    metrics: Mapping[str, Interval]


def groups_of(
    runs: Sequence[ComparedRun], differing: Sequence[str], metrics: Sequence[str]
) -> tuple[Group, ...]:
    """Return the groups of runs with different seeds that are equal in all else.

    ``differing`` are the params that label them, ``metrics`` those whose means they have.
    """
    # The same seed again says nothing new: it would only make the interval too narrow.
    seeds: dict[Hashable, dict[str | None, int]] = {}
    points = first_with_points(runs)
    for place, run in enumerate(runs):
        key = (_described(run), points[place], run.steps.tobytes())
        seeds.setdefault(key, {}).setdefault(run.params.get(SEED), place)
    return tuple(
        _group(runs, tuple(places.values()), differing, metrics)
        for places in seeds.values()
        if len(places) > 1
    )


def _described(run: ComparedRun) -> Hashable:
    """Return what describes a run but for its seed; its points and steps do so as well.

    Points may have been edited, trainings cut short, whatever the params say.
    """
    others = frozenset(
        (name, text) for name, text in run.params.items() if name not in {SEED, *PRESENTATION}
    )
    # Nobody has to say in params which model a film is of: its name may, and a seed is needed.
    return others, run.is_film and (run.name, SEED in run.params)


def _group(
    runs: Sequence[ComparedRun],
    places: tuple[int, ...],
    differing: Sequence[str],
    metrics: Sequence[str],
) -> Group:
    members = [runs[place] for place in places]
    first = members[0]
    losses = [run.losses for run in members]
    mean, half_width = _interval(losses)
    # The mean less the half width may be negative, which a logarithmic axis cannot show.
    low = np.maximum(mean - half_width, np.minimum.reduce(losses))
    intervals = {}
    for metric in metrics:
        values = [run.metrics[metric] for run in members if metric in run.metrics]
        finite = [np.float64(value) for value in values if is_finite(value)]
        if len(finite) > 1:
            centre, half = _interval(finite)
            if math.isfinite(centre) and math.isfinite(half):
                intervals[metric] = Interval(float(centre), float(half), len(finite))
    params = [
        f"{shortened(name, 30)} {shortened(first.params.get(name, 'none'), 30)}"
        for name in differing
        if name not in {SEED, *PRESENTATION} and (not first.is_film or name in first.params)
    ]
    has_own_name = first.is_film and any(run.name != first.name for run in runs)
    names = [shortened(first.name, 30)] if has_own_name else []
    label = ", ".join(names + params) or f"{len(places)} seeds"
    return Group(places, label, mean, low, mean + half_width, intervals)


def _interval(values: Sequence[NDArray[np.float64] | np.float64]) -> tuple[NDArray, NDArray]:  # type: ignore[type-arg]
    """Return the mean and half the width of its interval; two passes keep long curves unstacked."""
    count = len(values)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sum(values) / count
        variance = sum((value - mean) ** 2 for value in values) / (count - 1)
        # Student's quantile. Not scipy.stats.t, because scipy.stats takes long to import.
        quantile = stdtrit(count - 1, (1 + CONFIDENCE) / 2)
        return np.asarray(mean), np.asarray(quantile * np.sqrt(variance / count))
