"""The nested runs: one a trial, delivered with as few questions to the store as it allows."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cached_property
from pathlib import Path

from mlflow.entities import Metric, Param, Run as MlflowRun, ViewType
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient
from mlflow.tracking.context.git_context import GitRunContext
from mlflow.tracking.context.registry import resolve_tags
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from fitreel.dataset import sha256
from fitreel.history import save_weights
from fitreel.journal import Record
from fitreel.sweep.trials import Outcome, curve_steps
from fitreel.tracking.bulk import ARTIFACTS, Database, FinishedRun, run_id
from fitreel.tracking.database import is_database
from fitreel.tracking.source import DIGESTS_TAG, FILMED_TAG, TRIAL_TAG
from fitreel.version import __version__

WEIGHTS = "weights.safetensors"
REQUESTS = 4  # to a server, side by side
ROWS = 64  # runs that a database takes in one transaction: 7,000 points


class NestedRuns:
    """The runs below one parent."""

    def __init__(self, client: MlflowClient, parent_id: str) -> None:
        self._client = client
        self._parent_id = parent_id
        self._is_sure = False  # that nothing is there that this object does not know of

    @cached_property
    def _parent(self) -> MlflowRun:
        return self._client.get_run(self._parent_id)

    @cached_property
    def _tags(self) -> dict[str, str]:
        tags = {MLFLOW_PARENT_RUN_ID: self._parent_id, "fitreel.version": __version__}
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

    @cached_property
    def at_once(self) -> int:
        """Say how many trials are delivered together."""
        return ROWS if is_database(self._client.tracking_uri) else REQUESTS

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(REQUESTS, "trial")

    def deliver(self, records: Sequence[Record]) -> None:
        """Log trials, each as a run of its own that is over; none of them twice."""
        was_sure, self._is_sure = self._is_sure, False
        with tempfile.TemporaryDirectory(prefix="fitreel-") as folder:
            nested = [self._run(record, Path(folder)) for record in records]
            if self._database:
                self._write(self._database, nested, Path(folder), was_sure)
            else:
                asked = [
                    self._pool.submit(self._ask, run, Path(folder), was_sure) for run in nested
                ]
                wait(asked)  # all: one that goes on in the dark would be made again meanwhile
                for each in asked:
                    each.result()
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
            metrics=list(_metrics(outcome)),
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
        self._client.log_batch(made_id, metrics=run.metrics, params=params)
        if (file := folder / run.run_id / ARTIFACTS / WEIGHTS).exists():
            # Not by the client: it would ask for the run once more.
            repository = get_artifact_repository(made.info.artifact_uri, self._client.tracking_uri)
            repository.log_artifact(str(file))  # type: ignore[no-untyped-call]
        self._client.set_terminated(made_id, run.status, run.end)

    def _find(self, number: str) -> MlflowRun | None:
        """Find the run of a trial that a dead process, or a call that failed, began."""
        below = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self._parent_id}'"
        runs = self._client.search_runs(
            [self._parent.info.experiment_id],
            f"{below} AND tags.`{TRIAL_TAG}` = '{number}'",
            run_view_type=ViewType.ALL,
            max_results=1,
        )
        return runs[0] if runs else None

    def log_artifacts(self, record: Record, folder: Path) -> None:
        """Log the files of a film with its trial."""
        run = self._find(str(record["number"]))
        if run is None:  # somebody deleted it for good
            return
        self._client.log_artifacts(run.info.run_id, str(folder), record["to"])
        self._client.set_tag(run.info.run_id, FILMED_TAG, "yes")


def _metrics(outcome: Outcome) -> Iterator[Metric]:
    """Make the curve's points and the metrics, the last first.

    MLflow compares each with the latest that it knows of its key, and need not replace that.
    """
    start, end = outcome.times
    steps = curve_steps(outcome.epochs, outcome.log_every).tolist()
    span = (end - start) / max(1, outcome.epochs)
    for epoch, loss in zip(reversed(steps), reversed(outcome.curve.tolist()), strict=True):
        yield Metric("loss", loss, start + round(span * epoch), epoch)
    for key, value in outcome.metrics.items():
        yield Metric(key, value, end, 0)
