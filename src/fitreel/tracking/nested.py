"""The nested runs: one a trial, delivered in as few calls as MLflow's client allows."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from fitreel.tracking.source import DIGESTS_TAG, FILMED_TAG, TRIAL_TAG
from fitreel.version import __version__

WEIGHTS = "weights.safetensors"
AT_ONCE = 4  # requests to a server; a database takes one after the other


class NestedRuns:
    """The runs below one parent."""

    def __init__(self, client: MlflowClient, parent_id: str) -> None:
        self._client = client
        self._parent_id = parent_id
        self._run_ids: dict[int, str] = {}  # of trials that this object delivered
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
    def at_once(self) -> int:
        """Say how many trials are delivered side by side."""
        return AT_ONCE if self._client.tracking_uri.startswith("http") else 1

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.at_once, "trial")

    def deliver(self, records: Sequence[Record]) -> None:
        """Log trials, each as a run of its own that is over; those there already once more."""
        were_sure, self._is_sure = self._is_sure, False
        found = (
            {} if were_sure else {each["number"]: self._find(each["number"]) for each in records}
        )
        if len(records) == 1:
            self._deliver(records[0], found.get(records[0]["number"]))
        else:
            list(
                self._pool.map(lambda each: self._deliver(each, found.get(each["number"])), records)
            )
        self._is_sure = True

    def _find(self, number: int) -> str | None:
        """Find the run of a trial that another process, or a call that failed, began."""
        below = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self._parent_id}'"
        runs = self._client.search_runs(
            [self._parent.info.experiment_id],
            f"{below} AND tags.`{TRIAL_TAG}` = '{number}'",
            run_view_type=ViewType.ALL,
            max_results=1,
        )
        return str(runs[0].info.run_id) if runs else None

    def _deliver(self, record: Record, run_id: str | None) -> None:
        outcome = Outcome.from_record(record)
        start, end = outcome.times
        with tempfile.TemporaryDirectory(prefix="fitreel-") as folder:
            file = Path(folder) / WEIGHTS
            tags = self._tags | record["tags"] | {TRIAL_TAG: str(outcome.number)}
            if outcome.weights:
                save_weights(outcome.weights, file)
                tags[DIGESTS_TAG] = json.dumps({WEIGHTS: sha256(file)})
            if run_id is None:
                tags[MLFLOW_RUN_NAME] = record["name"]
                run = self._client.create_run(
                    self._parent.info.experiment_id, start, tags, record["name"]
                )
            else:
                run = self._client.get_run(run_id)
            run_id = run.info.run_id
            self._client.log_batch(
                run_id,
                metrics=list(_metrics(outcome)),
                params=[Param(*item) for item in record["params"].items()],
            )
            if outcome.weights:
                # Not by the client: it would ask for the run once more.
                repository = get_artifact_repository(
                    run.info.artifact_uri, self._client.tracking_uri
                )
                repository.log_artifact(str(file))  # type: ignore[no-untyped-call]
        status = "FAILED" if outcome.end == "diverged" else "FINISHED"
        self._client.set_terminated(run_id, status, end)
        self._run_ids[outcome.number] = run_id

    def log_artifacts(self, record: Record, folder: Path) -> None:
        """Log files of a trial."""
        run_id = self._run_ids.get(record["number"]) or self._find(record["number"])
        if run_id is None:  # somebody deleted it for good
            return
        self._client.log_artifacts(run_id, str(folder), record["to"])
        self._client.set_tag(run_id, FILMED_TAG, "yes")


def _metrics(outcome: Outcome) -> Iterator[Metric]:
    """Make the curve's points and the metrics, the last first.

    A database compares each with the latest that it knows of its key: so it is replaced never.
    """
    start, end = outcome.times
    steps = curve_steps(outcome.epochs, outcome.log_every).tolist()
    span = (end - start) / max(1, outcome.epochs)
    for epoch, loss in zip(reversed(steps), reversed(outcome.curve.tolist()), strict=True):
        yield Metric("loss", loss, start + round(span * epoch), epoch)
    for key, value in outcome.metrics.items():
        yield Metric(key, value, end, 0)
