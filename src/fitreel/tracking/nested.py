"""The nested runs: one a trial, delivered with as few questions to the store as it allows."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path

from mlflow.entities import Metric, Param, Run as MlflowRun, ViewType
from mlflow.tracking.context.git_context import GitRunContext
from mlflow.tracking.context.registry import resolve_tags
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from fitreel import __version__
from fitreel.data.files import sha256
from fitreel.journal.journal import Record
from fitreel.journal.spool import scratch
from fitreel.sweep.trials import Outcome, curve_steps
from fitreel.tracking.bulk import ARTIFACTS, ROWS, Database, FinishedRun, run_id
from fitreel.tracking.client import Client, upload
from fitreel.tracking.creation import remove_extras
from fitreel.tracking.database import is_database
from fitreel.tracking.names import DIGESTS_TAG, FILMED_TAG, TRIAL_TAG, VERSION_TAG, WEIGHTS
from fitreel.training.files import save_weights

REQUESTS = 4  # to a server, side by side
BATCH = 1000  # metrics in one call: MLflow's limit


class NestedRuns:
    """The runs below one parent."""

    def __init__(self, client: Client, parent_id: str) -> None:
        self._client = client
        self._parent_id = parent_id
        self._is_sure = False  # that nothing is there that this object does not know of

    @cached_property
    def _parent(self) -> MlflowRun:
        return self._client.get_run(self._parent_id)

    @cached_property
    def _tags(self) -> dict[str, str]:
        tags = {MLFLOW_PARENT_RUN_ID: self._parent_id, VERSION_TAG: __version__}
        # MLflow's own provider of git's commit takes 40 ms to be imported.
        resolved: dict[str, str] = resolve_tags(tags, ignore=[GitRunContext])  # type: ignore[list-item]
        return resolved

    @cached_property
    def _database(self) -> Database | None:
        uri = self._client.tracking_uri
        if not is_database(uri):
            return None
        experiment = self._client.get_experiment(self._parent.info.experiment_id)
        return Database(uri, self._parent.info, experiment.artifact_location)

    def share(self, record: Record) -> float:
        """Say how much of what is delivered together a trial is: 1 if it goes alone."""
        if not is_database(self._client.tracking_uri):
            return 1 / REQUESTS
        points = record["epochs"] // record["log_every"]
        others = sum(len(record[kind]) for kind in ("metrics", "params", "tags"))
        return (points + others) / ROWS  # type: ignore[no-any-return]

    def deliver(self, records: Sequence[Record]) -> None:
        """Log trials, each as a run of its own that is over; none of them twice."""
        was_sure, self._is_sure = self._is_sure, False
        with scratch() as folder:
            nested = [self._run(record, folder) for record in records]
            if self._database:
                self._write(self._database, nested, folder, was_sure)
            else:
                side_by_side([partial(self._ask, run, folder, was_sure) for run in nested])
        self._is_sure = True

    def _run(self, record: Record, folder: Path) -> FinishedRun:
        """Put together all that is to be said of a trial; its weights go into the folder."""
        outcome = Outcome.from_record(record)
        number, its_id = outcome.number, run_id(self._parent_id, outcome.number)
        tags = {**self._tags, **record["tags"], MLFLOW_RUN_NAME: record["name"]}
        if outcome.weights:
            file = folder / its_id / ARTIFACTS / WEIGHTS
            file.parent.mkdir(parents=True)
            save_weights(outcome.weights, file)
            tags[DIGESTS_TAG] = json.dumps({WEIGHTS: sha256(file)})
        return FinishedRun(
            its_id,
            record["name"],
            "FAILED" if outcome.end == "diverged" else "FINISHED",
            *outcome.times,
            params=record["params"],
            metrics=Points(outcome),
            tags=tags | {TRIAL_TAG: str(number)},
        )

    def _write(
        self, database: Database, runs: Sequence[FinishedRun], folder: Path, is_sure: bool
    ) -> None:
        known = set[str]() if is_sure else database.known([run.run_id for run in runs])
        if missing := [run for run in runs if run.run_id not in known]:
            database.write_artifacts(folder)  # first: a run that is there is whole
            database.write(missing)

    def _ask(self, run: FinishedRun, folder: Path, is_sure: bool) -> None:
        """Have a server log a run: three calls and an upload."""
        found = None if is_sure else self._find(run.tags[TRIAL_TAG])
        made = found or self._client.create_run(
            self._parent.info.experiment_id, run.start, dict(run.tags), run.name
        )
        made_id = made.info.run_id
        params = [Param(*item) for item in run.params.items()]
        points = iter(run.metrics)
        self._client.log_batch(made_id, metrics=list(islice(points, BATCH)), params=params)
        while some := list(islice(points, BATCH)):
            self._client.log_batch(made_id, metrics=some)
        if (file := folder / run.run_id / ARTIFACTS / WEIGHTS).exists():
            # Not by its id: the client would ask for the run once more.
            upload(self._client.repository(made.info.artifact_uri), file.parent)
        self._client.set_terminated(made_id, run.status, run.end)

    def _find(self, number: str) -> MlflowRun | None:
        """Find the run of a trial that a dead process, or a call that failed, began."""
        below = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self._parent_id}'"
        runs = self._client.search_runs(
            [self._parent.info.experiment_id],
            f"{below} AND tags.`{TRIAL_TAG}` = '{number}'",
            run_view_type=ViewType.ALL,
        )
        return min(runs, key=_rank, default=None)

    def remove_extras(self) -> None:
        """Remove what a server made late of a trial that it was asked for twice.

        All trials are over by now: one that still runs is such a one.
        """
        if is_database(self._client.tracking_uri):  # which gets ids from us
            return
        below = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self._parent_id}'"
        found = self._client.all_runs(
            [self._parent.info.experiment_id], f"{below} AND attributes.status = 'RUNNING'"
        )
        remove_extras(self._client, [run for run in found if TRIAL_TAG in run.data.tags])

    def log_artifacts(self, record: Record, folder: Path) -> None:
        """Log the files of a film with its trial."""
        run = self._find(str(record["number"]))
        if run is None:  # somebody deleted it for good
            return
        self._client.log_artifacts(run.info.run_id, str(folder), record["to"])
        self._client.set_tag(run.info.run_id, FILMED_TAG, "yes")


def side_by_side(calls: Sequence[Callable[[], None]]) -> None:
    """Make calls in a thread each and wait for all; raise what the first that failed raises.

    A pool's threads would hold up the end of the process until their server answers.
    """
    errors = list[Exception]()

    def make(call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=make, args=[call], daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:  # all: one left behind would make its run while we look for it
        thread.join()
    if errors:
        raise errors[0]


def _rank(run: MlflowRun) -> tuple[bool, bool, str]:
    """Order runs of the same trial: one that is there and over before others."""
    info = run.info
    return info.lifecycle_stage != "active", info.status == "RUNNING", info.run_id


@dataclass(frozen=True)
class Points:
    """Make the curve's points and the metrics of a trial, the last first, whenever asked.

    MLflow compares each with the latest that it knows of its key, and need not replace that.
    """

    outcome: Outcome

    def __iter__(self) -> Iterator[Metric]:
        start, end = self.outcome.times
        steps = curve_steps(self.outcome.epochs, self.outcome.log_every)[::-1]
        span = (end - start) / max(1, self.outcome.epochs)
        losses = self.outcome.curve[::-1]
        for first in range(0, len(steps), ROWS):
            part = slice(first, first + ROWS)  # lists of numbers take ten times the memory
            for epoch, loss in zip(steps[part].tolist(), losses[part].tolist(), strict=True):
                yield Metric("loss", loss, start + round(span * epoch), epoch)
        for key, value in self.outcome.metrics.items():
            yield Metric(key, value, end, 0)
