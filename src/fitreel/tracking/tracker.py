"""The tracking store: where runs are opened for reading and for writing."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
from mlflow.environment_variables import MLFLOW_RUN_ID, MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from fitreel.text import check_run_id
from fitreel.tracking.connection import (
    BAD_REQUESTS,
    check_database,
    impatient,
    plain_errors,
    without_password,
)
from fitreel.tracking.run import Run
from fitreel.tracking.source import Source
from fitreel.version import __version__


class Tracker:
    """A tracking store that answered, and what to log to it by default."""

    def __init__(self, tracking_uri: str | None = None, experiment: str | None = None) -> None:
        """Connect; None means MLflow's own environment variables and defaults.

        Raises ConnectionError within 10 seconds where the store cannot be reached,
        PermissionError where it cannot be written, ValueError where it is none.
        """
        # What goes wrong is told in one line, by whoever catches it; MLflow logs a page.
        logging.getLogger("mlflow").setLevel(logging.CRITICAL)
        # Standard output is for the run id alone.
        os.environ[MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.name] = "true"
        if tracking_uri:
            mlflow.set_tracking_uri(tracking_uri)
        self.uri = without_password(mlflow.get_tracking_uri())
        with plain_errors(self.uri):
            check_database(mlflow.get_tracking_uri())
            with impatient():
                self.client = MlflowClient()
                self.client.search_experiments(max_results=1)
            self.experiment_id = self._experiment_id(experiment) if experiment else None
        self.active_run_id = os.environ.get(MLFLOW_RUN_ID.name)

    def _experiment_id(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        return found.experiment_id if found else self.client.create_experiment(name)

    def source(self, run_id: str | None) -> Source:
        """Open a run for reading: ``run_id``, else the active one; ValueError if there is none."""
        run_id = run_id or self.active_run_id
        if not run_id:
            raise ValueError("there is no run to read from; name one with --run")
        check_run_id(run_id)
        with plain_errors(self.uri):
            try:
                return Source(self.client, run_id)
            except MlflowException as error:
                if error.error_code not in BAD_REQUESTS:
                    raise
                raise ValueError(
                    f"there is no run {run_id!r} in {self.uri}; mlflow ui shows those there are"
                ) from error

    def source_or_none(self, run_id: str | None) -> Source | None:
        """Open a run for reading if one is named or active."""
        return self.source(run_id) if run_id or self.active_run_id else None

    def writes_to(self, source: Source) -> bool:
        """Tell whether a run opened for this source is the source itself."""
        return self.active_run_id in (None, source.run_id)

    @contextmanager
    def run(self, source: Source | None = None, name: str | None = None) -> Iterator[Run]:
        """Open a run for writing: the active one, else the source, else a new one.

        It ends FINISHED, FAILED on an exception, KILLED on an interruption.
        """
        run_id = self.active_run_id or (source.run_id if source else None)
        with plain_errors(self.uri):
            self._check_experiment(run_id)
            active = mlflow.start_run(run_id, self.experiment_id, name)
            try:
                run = Run(self.client, active.info.run_id)
                run.set_tags({"fitreel.version": __version__})
                if source and source.run_id != run.run_id:
                    run.set_tags({"fitreel.source_run": source.run_id})
                yield run
            except (KeyboardInterrupt, SystemExit):
                mlflow.end_run("KILLED")
                raise
            except BaseException:
                mlflow.end_run("FAILED")
                raise
            mlflow.end_run("FINISHED")

    def _check_experiment(self, run_id: str | None) -> None:
        if run_id and self.experiment_id:
            theirs = self.client.get_run(run_id).info.experiment_id
            if theirs != self.experiment_id:
                raise ValueError(f"run {run_id} is in another experiment; leave --experiment out")
