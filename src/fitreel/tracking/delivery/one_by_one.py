"""The client's way to log trials: one by one, to a server or to unknown tables.

A run takes three calls, an upload, and a look whether that is there.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from mlflow.entities import Param, Run as MlflowRun, ViewType

from fitreel.tracking.delivery.bulk import PARENT_TAG
from fitreel.tracking.delivery.finished_run import FinishedRun
from fitreel.tracking.delivery.values import METRICS_PER_CALL
from fitreel.tracking.names import TRIAL_TAG
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.creation import remove_extras
from fitreel.tracking.store.database import is_database
from fitreel.tracking.store.ending import end
from fitreel.tracking.store.repository import upload

REQUESTS = 4  # to a server, side by side


class OneByOne:
    """The runs below one parent, each created, filled and ended."""

    def __init__(self, client: Client, parent: MlflowRun) -> None:
        self._client = client
        self._experiment_id: str = parent.info.experiment_id
        self._below = f"tags.`{PARENT_TAG}` = '{parent.info.run_id}'"

    def log_all(self, runs: Sequence[FinishedRun], folder: Path, is_sure: bool) -> None:
        """Log runs whose files are in RUN/… of a folder; ``is_sure`` if none of them is there."""
        calls = [partial(self._log, run, folder / run.run_id, is_sure) for run in runs]
        if is_database(self._client.tracking_uri):  # one writes at a time
            for call in calls:
                call()
        else:
            side_by_side(calls)

    def _log(self, run: FinishedRun, folder: Path, is_sure: bool) -> None:
        found = None if is_sure else self.find(run.number)
        created = found or self._client.create_run(
            self._experiment_id, run.start, dict(run.tags), run.name
        )
        its_id = created.info.run_id
        params = [Param(*item) for item in run.params.items()]
        points = iter(run.metrics)
        first = list(islice(points, METRICS_PER_CALL))
        self._client.log_batch(its_id, metrics=first, params=params)
        while some := list(islice(points, METRICS_PER_CALL)):
            self._client.log_batch(its_id, metrics=some)
        if folder.exists():
            self._upload(created, folder)
        # Last: a trial that says FINISHED is complete.
        end(self._client, created, run.status, run.end)

    def _upload(self, run: MlflowRun, folder: Path) -> None:
        (files,) = folder.iterdir()  # its folder of artifacts
        # Not by its id: the client would ask for the run again.
        if not upload(run.info.artifact_uri, self._client.tracking_uri, files):
            self._client.log_artifacts(run.info.run_id, str(files))

    def find(self, number: int) -> MlflowRun | None:
        """Return the run of a trial that a dead process, or a call that failed, started."""
        runs = self._client.search_runs(
            [self._experiment_id],
            f"{self._below} AND tags.`{TRIAL_TAG}` = '{number}'",
            run_view_type=ViewType.ALL,  # a trial that somebody deleted is not created again
        )
        return min(runs, key=_rank, default=None)

    def runs(self) -> dict[int, MlflowRun]:
        """Return the runs of all trials by number, deleted ones too."""
        found = self._client.all_runs(
            [self._experiment_id], self._below, run_view_type=ViewType.ALL
        )
        trials = sorted((run for run in found if TRIAL_TAG in run.data.tags), key=_rank)
        return {int(run.data.tags[TRIAL_TAG]): run for run in reversed(trials)}

    def remove_extras(self) -> None:
        """Remove what a server created late of a trial that it was asked for twice.

        All trials are over by now: one that still runs is an extra one. A database is never late.
        """
        if is_database(self._client.tracking_uri):
            return
        found = self._client.all_runs(
            [self._experiment_id], f"{self._below} AND attributes.status = 'RUNNING'"
        )
        remove_extras(self._client, [run for run in found if TRIAL_TAG in run.data.tags])


def _rank(run: MlflowRun) -> tuple[bool, bool, str]:
    """Order runs of the same trial: one that is not deleted and over before others."""
    info = run.info
    return info.lifecycle_stage != "active", info.status == "RUNNING", info.run_id


def side_by_side(calls: Sequence[Callable[[], None]]) -> None:
    """Make each call in a thread of its own and wait for all; raise the first error."""
    errors = list[Exception]()

    def make(call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            errors.append(error)

    # A pool's threads would hold up the end of the process until their server answers.
    threads = [threading.Thread(target=make, args=[call], daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:  # all: one left behind would create its run while we look for it
        thread.join()
    if errors:
        raise errors[0]
