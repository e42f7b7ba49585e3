"""The runs of a comparison: how they differ, and which is best."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from fitreel.comparison.compared import ComparedRun
from fitreel.comparison.groups import PRESENTATION, Group, groups_of
from fitreel.settings import KINDS, MOST_RUNS, Align, ComparisonSettings, EvaluationSettings
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

PARAMS = list(KINDS)
LATER = PRESENTATION | {each.name for each in fields(EvaluationSettings)}


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
    align: Align = ComparisonSettings.align  # what puts the films in step

    @property
    def step_name(self) -> str:
        """What the steps of all runs are called together: epochs, which those of films count as."""
        return self.runs[0].step_name if all(run.is_film for run in self.runs) else "epoch"


def compare(
    runs: Sequence[ComparedRun],
    metric: str = TEST_RMSE,
    align: Align = ComparisonSettings.align,
) -> Comparison:
    """Compare 2 to ``MOST_RUNS`` runs, the best by ``metric``; ValueError for fewer or more.

    Films play in step by epoch, or with ``align="share"`` by the share of each run's training.
    """
    if not 2 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"from 2 to {MOST_RUNS} runs can be compared; got {len(runs)}")
    names = _in_order({name for run in runs for name in run.params}, PARAMS)
    values = {name: {run.params.get(name) for run in runs} for name in names}
    # A param that some runs lack and the others agree on distinguishes them least.
    varied = tuple(name for name in names if len(values[name] - {None}) > 1)
    lacked = [name for name in names if name not in varied and None in values[name]]
    # But a run that diverged lacks those of the stages that would have followed.
    differing = varied + tuple(name for name in lacked if _distinguishes(name, runs))
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
        groups_of(runs, varied, metrics),
        _labels(runs),
        align,
    )


def _distinguishes(name: str, runs: Sequence[ComparedRun]) -> bool:
    """Return whether a param that some runs lack says something about those that have it."""
    own = {run.params.get(name) for run in runs if not run.is_film}
    # Films lack the settings of our network: what all networks share is not a difference.
    return name not in LATER and not (name in PARAMS and len(own) == 1)


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
