"""The runs of a comparison: how they differ, which is best, the mean over their seeds."""

import hashlib
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from fitreel.checks.text import shortened
from fitreel.data.dataset import Dataset
from fitreel.settings import (
    KINDS,
    MOST_RUNS,
    CheckpointSettings,
    EvaluationSettings,
    FilmSettings,
    ImageSettings,
    LiveSettings,
    PlayerSettings,
)
from fitreel.settings.metrics import (
    BEST_EPOCH,
    METRICS,
    SYSTEM,
    TEST_RMSE,
    baseline_metrics,
    higher_is_better,
    measured,
    retired,
)
from fitreel.training.history import History

CONFIDENCE = 0.95
PARAMS = list(KINDS)
# What is shown and kept of a training does not change it: runs of one group may differ in it.
PRESENTATION = {"frame_every"} | {
    each.name
    for settings in (CheckpointSettings, FilmSettings, ImageSettings, LiveSettings, PlayerSettings)
    for each in fields(settings)
}
LATER = PRESENTATION | {each.name for each in fields(EvaluationSettings)}
Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """A run as it is compared; its name and params are text from outside."""

    run_id: str
    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    dataset: Dataset
    history: History


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
    losses: NDArray[np.float64]  # (epochs,), the mean
    low: NDArray[np.float64]  # (epochs,), never below the smallest loss
    high: NDArray[np.float64]  # (epochs,)
    metrics: Mapping[str, Interval]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several runs and their differences; all places count from 0 in ``runs``."""

    runs: tuple[ComparedRun, ...]
    metric: str
    differing: tuple[str, ...]  # names of params
    equal: dict[str, str]  # the params that all runs share
    metrics: tuple[str, ...]  # names, the one asked for first
    best: dict[str, frozenset[int]]  # metric to places
    groups: tuple[Group, ...]
    labels: tuple[str, ...]  # names, all different; never blank


def compare(runs: Sequence[ComparedRun], metric: str = TEST_RMSE) -> Comparison:
    """Compare 2 to ``MOST_RUNS`` runs, the best by ``metric``; ValueError for fewer or more."""
    if not 2 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"from 2 to {MOST_RUNS} runs can be compared; got {len(runs)}")
    names = _in_order({name for run in runs for name in run.params}, PARAMS)
    values = {name: {run.params.get(name) for run in runs} for name in names}
    # A param that some runs lack and the others agree on distinguishes them least.
    varied = tuple(name for name in names if len(values[name] - {None}) > 1)
    lacked = [name for name in names if name not in varied and None in values[name]]
    # But a run that diverged lacks those of the stages that would have followed.
    differing = varied + tuple(name for name in lacked if name not in LATER)
    runs = [_with_metric(run, metric) for run in runs]
    found = {name for run in runs for name in _shown(run.metrics) | {metric} & run.metrics.keys()}
    metrics = tuple(_in_order(found, [metric, *METRICS]))
    return Comparison(
        tuple(runs),
        metric,
        differing,
        {name: runs[0].params[name] for name in names if name not in (*varied, *lacked)},
        metrics,
        {name: _best(name, runs) for name in metrics},
        _groups(runs, varied, metrics),
        _labels(runs),
    )


def _with_metric(run: ComparedRun, metric: str) -> ComparedRun:
    """Return a run that has a metric by its old name, too, if it has the present one."""
    value = measured(run.metrics, metric)
    if metric in run.metrics or math.isnan(value):
        return run
    return replace(run, metrics={**run.metrics, metric: value})


def _shown(metrics: Mapping[str, float]) -> set[str]:
    """Return the metrics that are compared without being asked for.

    No seconds, no old names, nothing of the baselines, which all runs on the same rows share.
    """
    left_out = retired(metrics) | baseline_metrics(metrics) | {BEST_EPOCH}
    return {name for name in metrics.keys() - left_out if not name.startswith(SYSTEM)}


def is_finite(value: float) -> bool:
    """Return whether a metric is finite; MLflow's databases store infinity as the largest float."""
    return abs(value) < sys.float_info.max


def first_with_points(runs: Iterable[ComparedRun]) -> list[int]:
    """Return for every run the place of the first run that has the same points."""
    first: dict[bytes, int] = {}
    return [first.setdefault(_digest(run.dataset), place) for place, run in enumerate(runs)]


def _digest(dataset: Dataset) -> bytes:
    digest = hashlib.sha256(dataset.x.numpy().tobytes())
    digest.update(dataset.y.numpy().tobytes())
    return digest.digest()


def _in_order(names: set[str], first: Sequence[str]) -> list[str]:
    known = [name for name in dict.fromkeys(first) if name in names]
    return known + sorted(names.difference(known))


def _best(metric: str, runs: Sequence[ComparedRun]) -> frozenset[int]:
    values = {
        place: run.metrics[metric]
        for place, run in enumerate(runs)
        if not math.isnan(run.metrics.get(metric, math.nan))
    }
    if len(set(values.values())) < 2:  # if all are equal, none is best
        return frozenset()
    best = (max if higher_is_better(metric) else min)(values.values())
    return frozenset(place for place, value in values.items() if value == best)


def _labels(runs: Sequence[ComparedRun]) -> tuple[str, ...]:
    names = [run.name if _is_visible(run.name) else run.run_id[:8] for run in runs]
    return tuple(
        f"{name} {run.run_id[:8]}" if names.count(name) > 1 else name
        for name, run in zip(names, runs, strict=True)
    )


def _is_visible(name: str) -> bool:
    return any(letter.isprintable() and not letter.isspace() for letter in name)


def _groups(
    runs: Sequence[ComparedRun], differing: Sequence[str], metrics: Sequence[str]
) -> tuple[Group, ...]:
    # The same seed again says nothing new: it would only make the interval too narrow.
    seeds: dict[tuple[Key, int, int], dict[str | None, int]] = {}
    points = first_with_points(runs)
    for place, run in enumerate(runs):
        others = tuple(
            sorted(item for item in run.params.items() if item[0] not in {"seed", *PRESENTATION})
        )
        # Points may have been edited, histories cut short, whatever the params say.
        key = (others, points[place], len(run.history.losses))
        seeds.setdefault(key, {}).setdefault(run.params.get("seed"), place)
    return tuple(
        _group(runs, tuple(places.values()), differing, metrics)
        for places in seeds.values()
        if len(places) > 1
    )


def _group(
    runs: Sequence[ComparedRun],
    places: tuple[int, ...],
    differing: Sequence[str],
    metrics: Sequence[str],
) -> Group:
    members = [runs[place] for place in places]
    losses = [run.history.losses for run in members]
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
        f"{shortened(name, 30)} {shortened(members[0].params.get(name, 'none'), 30)}"
        for name in differing
        if name not in {"seed", *PRESENTATION}
    ]
    label = ", ".join(params) or f"{len(places)} seeds"
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
