"""The listing: the newest runs of a store, as plain data."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from mlflow.entities import Run as MlflowRun

from fitreel.checks.text import plain
from fitreel.settings.metrics import LOSS, TEST_RMSE
from fitreel.tracking.names import TRIAL_TAG
from fitreel.tracking.store.connection import plain_errors
from fitreel.tracking.tracker import Tracker

EARLIER_BEST = f"best_{TEST_RMSE}"  # of a sweep of fitreel 0.3.0 and before


@dataclass(frozen=True)
class Listed:
    """A run in a list: what names it, how it ended, and its loss and its test error."""

    run_id: str
    name: str
    experiment: str
    status: str
    started: float  # seconds since 1970
    loss: float | None
    test_rmse: float | None  # of a sweep that of its best trial


def newest_runs(tracker: Tracker, experiment: str | None, limit: int) -> list[Listed]:
    """Return the newest runs of an experiment, or of all, the newest first; no trials.

    Raises ValueError if the experiment is missing.
    """
    client = tracker.client
    with plain_errors(client.tracking_uri):
        names = client.experiment_names()
        if experiment is not None:
            only = tracker.find_experiment(experiment)
            names = {only: experiment}
        runs = _without_trials(client.newest_runs(list(names)))
        return [_listed(run, names) for run in islice(runs, limit)]


def _without_trials(runs: Iterator[MlflowRun]) -> Iterator[MlflowRun]:
    return (run for run in runs if TRIAL_TAG not in run.data.tags)


def _listed(run: MlflowRun, names: dict[str, str]) -> Listed:
    info, metrics = run.info, run.data.metrics
    return Listed(
        info.run_id,
        plain(info.run_name or ""),
        plain(names[info.experiment_id]),
        info.status,
        info.start_time / 1000,
        metrics.get(LOSS),
        metrics.get(TEST_RMSE, metrics.get(EARLIER_BEST)),
    )
