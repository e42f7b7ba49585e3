"""The best runs of an experiment, for a comparison."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from itertools import islice

from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException

from fitreel.checks.text import plain, shortened
from fitreel.comparison.groups import PRESENTATION
from fitreel.settings import FILMED, TableSettings, TrainingSettings
from fitreel.settings.metrics import (
    LOSS,
    SQUARES,
    TEST_LOG_LOSS,
    TEST_RMSE,
    higher_is_better,
    is_finite,
)
from fitreel.tracking.finder import Finder, Found
from fitreel.tracking.names import FILM_KIND, FILMED_TAG, KIND_TAG, SHA256_TAG, TRIAL_TAG
from fitreel.tracking.packing import unpacked_if_readable
from fitreel.tracking.source import Source
from fitreel.tracking.store.connection import is_refusal, plain_errors
from fitreel.tracking.tracker import Tracker

PAGE = 200  # runs in one request
# What is shown of a training does not change it.
DECISIVE = tuple(
    each.name
    for kind in (TrainingSettings, TableSettings)
    for each in fields(kind)
    if each.name not in PRESENTATION
)
Training = tuple[str, tuple[str, ...]]  # the SHA-256 of the points, and settings


def best_runs(
    tracker: Tracker,
    experiment_id: str,
    count: int,
    metric: str,
    filter_text: str | None = None,
    on_run: Callable[[int], None] = lambda _: None,
    *,
    with_trials: bool = False,
) -> Found:
    """Read the best runs of an experiment by a metric, the best first.

    Runs are read until ``count`` of them can be compared; those without the metric, or with a
    value that is not finite, are skipped, and so are those with the settings and the points of a
    better one. Trials of sweeps are skipped unless ``with_trials``. ``filter_text`` is a filter of
    MLflow's own search. Raises as ``named_runs`` does, and ValueError if MLflow cannot read the
    filter.
    """
    finder = Finder(tracker, on_run)
    unfilmed, skipped = list[int](), list[int]()
    ranked = _best_first(tracker, experiment_id, metric, filter_text or "")
    chosen = _filmed(ranked, unfilmed) if with_trials else _without_trials(ranked, skipped)
    candidates = _distinct(tracker, chosen, finder)
    # Only as many as are missing: each run that is read costs the transfer of its files.
    while missing := count - finder.count:
        if not (some := list(islice(candidates, missing))):
            break
        finder.read(some)
    if lost := sum(place < count for place in unfilmed):
        trials = "a trial" if lost == 1 else "trials"
        finder.leave_out(
            f"{lost} of the best {count}",
            f"{trials} of a sweep, which films the best {FILMED} that finish; "
            "train more alone with fitreel run",
        )
    if lost := sum(place < count for place in skipped):
        trials = "a trial of a sweep is" if lost == 1 else "trials of sweeps are"
        finder.leave_out(f"{lost} of the best {count}", f"{trials} compared with --with-trials on")
    if metric != LOSS:
        _leave_out_films(tracker, experiment_id, metric, filter_text or "", finder)
    which = "that match the filter and " if filter_text else ""
    return finder.found(f"{which}whose {metric} is a finite number")


def metric_of_runs(tracker: Tracker, experiment_id: str, filter_text: str | None) -> str:
    """Return the metric that ranks the runs of an experiment: of numbers, of classes, or the loss.

    That of numbers if there are both; the loss if no run has either, as films of any model.
    """
    for metric in (TEST_RMSE, TEST_LOG_LOSS, LOSS):
        if next(_best_first(tracker, experiment_id, metric, filter_text or ""), None):
            return metric
    return TEST_RMSE


def _best_first(
    tracker: Tracker, experiment_id: str, metric: str, filter_text: str
) -> Iterator[MlflowRun]:
    stored = SQUARES.get(metric, metric)  # in the same order
    runs = tracker.client.all_runs(
        [experiment_id],
        filter_text,
        max_results=PAGE,
        order_by=[f"metrics.`{stored}` {'DESC' if higher_is_better(metric) else 'ASC'}"],
    )
    with plain_errors(tracker.client.tracking_uri):
        try:
            for run in runs:
                value = run.data.metrics.get(stored)
                if value is None:  # runs without the metric are last
                    return
                if is_finite(value) and run.data.tags.get(KIND_TAG) in (None, FILM_KIND):
                    yield run
        except MlflowException as error:
            if not is_refusal(error):
                raise
            raise ValueError(f"the filter does not work: {error.message}") from error


def _leave_out_films(
    tracker: Tracker, experiment_id: str, metric: str, filter_text: str, finder: Finder
) -> None:
    """Note the films that lack the metric: they have no test rows, but every one has a loss."""
    words = " AND ".join(filter(None, [filter_text, f"tags.`{KIND_TAG}` = '{FILM_KIND}'"]))
    with plain_errors(tracker.client.tracking_uri):
        films = tracker.client.all_runs([experiment_id], words, max_results=PAGE)
        lacking = sum(SQUARES.get(metric, metric) not in run.data.metrics for run in films)
    if lacking:
        those = "the film of any model" if lacking == 1 else "films of any model"
        finder.leave_out(
            f"{lacking} of the runs", f"{those} without {metric}; --metric loss compares all"
        )


def _filmed(runs: Iterable[MlflowRun], unfilmed: list[int]) -> Iterator[MlflowRun]:
    """Yield the runs that can have a film, as only a sweep's best trials do; note the others."""
    for place, run in enumerate(runs):
        if TRIAL_TAG in run.data.tags and FILMED_TAG not in unpacked_if_readable(run.data.tags):
            unfilmed.append(place)
        else:
            yield run


def _without_trials(runs: Iterable[MlflowRun], skipped: list[int]) -> Iterator[MlflowRun]:
    """Yield all runs but trials of sweeps; note the places of the trials."""
    for place, run in enumerate(runs):
        if TRIAL_TAG in run.data.tags:
            skipped.append(place)
        else:
            yield run


def _distinct(tracker: Tracker, runs: Iterable[MlflowRun], finder: Finder) -> Iterator[MlflowRun]:
    """Yield the runs whose training differs from those before; of equal ones that is the best."""
    names = dict[Training, str]()
    for run in runs:
        training = _training(tracker, run)
        name = plain(run.info.run_name or run.info.run_id)
        if training in names:
            same = shortened(names[training])
            finder.leave_out(name, f"it has the settings and the points of {same}")
            continue
        if training:
            names[training] = name
        yield run


def _training(tracker: Tracker, run: MlflowRun) -> Training | None:
    """Return what decides the result of a training; None if the run does not say it."""
    try:
        source = Source(tracker.client, run.info.run_id, run)
        if not (points := source.tags.get(SHA256_TAG)) or not source.training_settings():
            return None
    except ValueError:  # the finder reads it again, and says what is wrong
        return None
    if source.is_film:  # params need not say of which model
        return None
    found = source.all_settings()
    # Points and runs without a table lack some; of equal points other seeds say nothing.
    return points, tuple(found.get(name, "") for name in ("data_seed", *DECISIVE))
