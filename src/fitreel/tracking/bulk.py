"""The bulk: many runs that are over, written into MLflow's own tables in one transaction.

A hundred points by MLflow's client cost a database 20 ms, nearly all of it objects made for rows
and commits; this way 1 ms. A test holds every row equal to what the client writes.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import sqlalchemy
from mlflow.entities import LifecycleStage, Metric, RunInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.tracking.dbmodels import models
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.mlflow_tags import MLFLOW_USER
from mlflow.utils.uri import append_to_uri_path
from sqlalchemy import Select, insert, select

from fitreel.tracking.database import open_engine

ARTIFACTS = SqlAlchemyStore.ARTIFACTS_FOLDER_NAME  # below that of the run, in its experiment's
TIMEOUT = 20  # seconds that SQLite waits for another writer, as MLflow has it
ROWS = 9000  # in memory at once, and in a transaction: 64 trials of a hundred points


@dataclass(frozen=True)
class FinishedRun:
    """Hold all there is to know of a run: times in milliseconds since 1970."""

    run_id: str
    name: str
    status: str
    start: int
    end: int
    params: Mapping[str, str]
    metrics: Iterable[Metric]  # made as they are asked for: long curves have millions
    tags: Mapping[str, str]


class Database:
    """The tables of a tracking store, for the runs below one run."""

    def __init__(self, uri: str, parent: RunInfo, artifact_location: str) -> None:
        wait = {"timeout": TIMEOUT} if uri.startswith("sqlite") else {}
        self._uri = uri
        self._engine = open_engine(uri, **wait)
        self._parent_id = parent.run_id
        self._experiment_id = int(parent.experiment_id)
        self._artifact_location = artifact_location

    def known(self, run_ids: Sequence[str]) -> set[str]:
        """Tell which of these runs are there."""
        column: sqlalchemy.Column[str] = models.SqlRun.run_uuid
        with self._engine.connect() as connection:
            return set(connection.scalars(select(column).where(column.in_(run_ids))))

    def write_artifacts(self, folder: Path) -> None:
        """Log the files of many runs in one go: RUN/artifacts/… of a local folder."""
        repository = get_artifact_repository(self._artifact_location, self._uri)
        repository.log_artifacts(str(folder))  # type: ignore[no-untyped-call]

    def write(self, runs: Sequence[FinishedRun]) -> None:
        """Write runs, all of them or none.

        Raises what MLflow's client does where their parent or their experiment is deleted.
        """
        rows = {
            models.SqlRun: (self._run(run) for run in runs),
            models.SqlTag: (row for run in runs for row in _texts(run, run.tags)),
            models.SqlParam: (row for run in runs for row in _texts(run, run.params)),
            models.SqlMetric: (row for run in runs for row in _points(run, run.metrics)),
            models.SqlLatestMetric: (row for run in runs for row in _points(run, _latest(run))),
        }
        with self._engine.begin() as connection:
            for table, values in rows.items():
                while some := list(islice(values, ROWS)):
                    connection.execute(insert(table), some)
            # Asked last: by now SQLite lets nobody else write, and the others lock what is asked.
            self._check_is_active(connection)

    def _check_is_active(self, connection: sqlalchemy.Connection) -> None:
        run, experiment = models.SqlRun, models.SqlExperiment
        stages: dict[str, Select[str]] = {
            f"run {self._parent_id}": select(run.lifecycle_stage).where(
                run.run_uuid == self._parent_id
            ),
            f"experiment {self._experiment_id}": select(experiment.lifecycle_stage).where(
                experiment.experiment_id == self._experiment_id
            ),
        }
        for what, question in stages.items():
            if connection.scalar(question.with_for_update(read=True)) != LifecycleStage.ACTIVE:
                raise MlflowException(f"{what} is deleted", INVALID_PARAMETER_VALUE)

    def _run(self, run: FinishedRun) -> dict[str, object]:
        return {
            "run_uuid": run.run_id,
            "name": run.name,
            "source_type": "UNKNOWN",
            "source_name": "",
            "entry_point_name": "",
            "user_id": run.tags.get(MLFLOW_USER, "unknown"),
            "status": run.status,
            "start_time": run.start,
            "end_time": run.end,
            "deleted_time": None,
            "source_version": "",
            "lifecycle_stage": "active",
            "artifact_uri": append_to_uri_path(  # type: ignore[no-untyped-call]
                self._artifact_location, run.run_id, ARTIFACTS
            ),
            "experiment_id": self._experiment_id,
        }


def run_id(parent_id: str, number: int) -> str:
    """Name a nested run: the same whenever its trial is delivered."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{parent_id}/{number}").hex


def _texts(run: FinishedRun, texts: Mapping[str, str]) -> Iterator[dict[str, object]]:
    for key, value in texts.items():
        yield {"run_uuid": run.run_id, "key": key, "value": value}


def _points(run: FinishedRun, metrics: Iterable[Metric]) -> Iterator[dict[str, object]]:
    for metric in metrics:
        is_nan, value = SqlAlchemyStore.sanitize_metric_value(None, metric.value)  # type: ignore[arg-type]
        yield {
            "run_uuid": run.run_id,
            "key": metric.key,
            "value": value,
            "timestamp": metric.timestamp,
            "step": metric.step,
            "is_nan": is_nan,
        }


def _latest(run: FinishedRun) -> list[Metric]:
    """Choose the last point of every metric."""
    last: dict[str, Metric] = {}
    for metric in run.metrics:
        known = last.get(metric.key)
        if known is None or (metric.step, metric.timestamp) > (known.step, known.timestamp):
            last[metric.key] = metric
    return list(last.values())
