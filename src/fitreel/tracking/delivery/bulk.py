"""The bulk writer: many finished runs, written into MLflow's tables at once.

A hundred points by MLflow's client cost a database 20 ms, nearly all of it for the objects of rows
and for six commits; this way 1 ms. It is taken only where the tables are those that we know and
MLflow's own engine is found. Tests hold every row equal to what the client writes.
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import sqlalchemy
from mlflow.entities import LifecycleStage, RunInfo
from mlflow.exceptions import MlflowException
from sqlalchemy import Select, insert, select

from fitreel.tracking.delivery.finished_run import ROWS, FinishedRun
from fitreel.tracking.delivery.rows import latest, points, run_row, texts
from fitreel.tracking.delivery.tables import (
    EXPERIMENTS,
    LATEST_METRICS,
    METRICS,
    PARAMS,
    RUNS,
    TAGS,
    difference,
)
from fitreel.tracking.names import TRIAL_TAG
from fitreel.tracking.store import internals
from fitreel.tracking.store.repository import below, make_durable, make_place_durable, upload

ARTIFACTS = "artifacts"  # the folder below that of the run, in its experiment's
PARENT_TAG = "mlflow.parentRunId"  # which MLflow documents


class Unknown(Exception):
    """The store is not one whose tables we can write to; the text names the reason."""


class Database:
    """The tables of a tracking store, for the runs below one run."""

    def __init__(self, uri: str, parent: RunInfo, artifact_location: str) -> None:
        """Open the database; raises Unknown if it is not as we know it."""
        sessions = internals.database_sessions(uri)
        if sessions is None or internals.artifact_repository(artifact_location, uri) is None:
            raise Unknown("its functions differ")
        if parent.artifact_uri != below(artifact_location, f"{parent.run_id}/{ARTIFACTS}"):
            raise Unknown("its artifacts have other addresses")
        with sessions() as session:
            reason = difference(session.connection())
        if reason:  # outside of the session, which would turn it into an error of MLflow
            raise Unknown(reason)
        self._sessions = sessions
        self._uri = uri
        self._parent_id = parent.run_id
        self._experiment_id = int(parent.experiment_id)
        self._artifact_location = artifact_location

    def known(self, numbers: Sequence[int]) -> dict[int, str]:
        """Return the status of each of these trials that has a run, however it was written."""
        trial, parent = TAGS.alias(), TAGS.alias()
        question = (
            select(trial.c.value, RUNS.c.status)
            .join(parent, parent.c.run_uuid == trial.c.run_uuid)
            .join(RUNS, RUNS.c.run_uuid == trial.c.run_uuid)
            .where(trial.c.key == TRIAL_TAG, trial.c.value.in_(map(str, numbers)))
            .where(parent.c.key == PARENT_TAG, parent.c.value == self._parent_id)
        )
        with self._sessions() as session:
            found = [(int(number), str(status)) for number, status in session.execute(question)]
        # One that is over counts before another that still runs.
        return dict(sorted(found, key=lambda each: each[1] != "RUNNING"))

    def write_artifacts(self, folder: Path) -> None:
        """Log the files of many runs in one go: RUN/artifacts/… of a local folder."""
        upload(self._artifact_location, self._uri, folder)
        make_durable(self._artifact_location, folder)
        make_place_durable(self._artifact_location)

    def write(self, runs: Sequence[FinishedRun]) -> None:
        """Write runs, all of them or none.

        Raises what MLflow's client does where their parent or their experiment is deleted.
        """
        rows = {
            RUNS: (self._row(run) for run in runs),
            TAGS: (row for run in runs for row in texts(run, run.tags)),
            PARAMS: (row for run in runs for row in texts(run, run.params)),
            METRICS: (row for run in runs for row in points(run, run.metrics)),
            LATEST_METRICS: (row for run in runs for row in points(run, latest(run))),
        }
        with self._sessions() as session:
            connection = session.connection()
            for table, values in rows.items():
                # In pieces: the rows of long curves would fill the memory.
                while some := list(islice(values, ROWS)):
                    connection.execute(insert(table), some)
            # Last: by now SQLite lets no other process write, other databases lock what is read.
            self._check_is_active(connection)

    def _check_is_active(self, connection: sqlalchemy.Connection) -> None:
        stages: dict[str, Select[str]] = {
            f"run {self._parent_id}": select(RUNS.c.lifecycle_stage).where(
                RUNS.c.run_uuid == self._parent_id
            ),
            f"experiment {self._experiment_id}": select(EXPERIMENTS.c.lifecycle_stage).where(
                EXPERIMENTS.c.experiment_id == self._experiment_id
            ),
        }
        for what, question in stages.items():
            if connection.scalar(question.with_for_update(read=True)) != LifecycleStage.ACTIVE:
                raise MlflowException.invalid_parameter_value(f"{what} is deleted")

    def _row(self, run: FinishedRun) -> dict[str, object]:
        address = below(self._artifact_location, f"{run.run_id}/{ARTIFACTS}")
        return run_row(run) | {"artifact_uri": address, "experiment_id": self._experiment_id}
