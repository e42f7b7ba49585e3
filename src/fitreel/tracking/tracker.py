"""The tracking store: where runs are opened for reading and for writing."""

import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import mlflow
from mlflow.environment_variables import (
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_RUN_ID,
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT,
)
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from fitreel import __version__
from fitreel.checks.text import check_run_id, shown
from fitreel.checks.urls import masked
from fitreel.journal.journal import Journal, Record
from fitreel.journal.signals import held
from fitreel.journal.spool import Undelivered, new_journal
from fitreel.settings import PATIENCE
from fitreel.tracking.client import Client
from fitreel.tracking.connection import is_refusal, plain_errors
from fitreel.tracking.courier import Courier
from fitreel.tracking.creation import (
    default_experiment_id,
    find_or_make_experiment,
    is_in_doubt,
    make_run,
)
from fitreel.tracking.database import absolute, check_store
from fitreel.tracking.ending import end
from fitreel.tracking.limits import FIRST, request_limit
from fitreel.tracking.names import JOURNAL_TAG, SOURCE_RUN_TAG, VERSION_TAG
from fitreel.tracking.patience import Patience
from fitreel.tracking.process import process_tags
from fitreel.tracking.run import Run
from fitreel.tracking.source import Source

HASTE = 5.0  # seconds: all that an interrupted run may take to be closed


class Tracker:
    """A tracking store that answered, and what to log to it by default."""

    def __init__(
        self,
        tracking_uri: str | None = None,
        experiment: str | None = None,
        *,
        may_create: bool = True,
        patience: float = PATIENCE,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Connect; None means MLflow's own environment variables and defaults.

        A database that is missing is made, if it ``may_create`` one. A server that is busy is
        asked again for ``patience`` seconds, here and whenever something is read; ``on_wait`` gets
        a line when that happens first. Raises Unavailable after that, ConnectionError within 10
        seconds where no server is there, FileNotFoundError where there is no store,
        PermissionError where it cannot be written, ValueError where it is none.
        """
        # What goes wrong is told in one line, by whoever catches it; these log a page.
        for noisy in ("mlflow", "sqlalchemy"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        # Standard output is for the run id alone.
        os.environ[MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.name] = "true"
        os.environ.setdefault(MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.name, "false")
        if tracking_uri:
            mlflow.set_tracking_uri(tracking_uri)
        its_uri = mlflow.get_tracking_uri()
        self.uri = masked(its_uri)  # to be shown
        with plain_errors(its_uri):
            check_store(its_uri, may_create)
            request_limit.start(FIRST)
            self.client = Client(patience=Patience(its_uri, patience, on_wait))
            self.client.search_experiments(max_results=1)
            request_limit.settle()
            self.experiment_id = (
                find_or_make_experiment(self.client, experiment) if experiment else None
            )
        self.active_run_id = os.environ.get(MLFLOW_RUN_ID.name)
        # A database makes a run on its own time; what a server was asked may never come.
        self._longest_hold = HASTE if self.uri.startswith("http") else math.inf

    def find_experiment(self, name: str | None) -> str:
        """Give the id of an experiment, of the one where new runs go for None; none is made.

        ValueError if there is none.
        """
        with plain_errors(self.client.tracking_uri):
            if name is None:
                return self.default_experiment_id()
            found = self.client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage == "deleted":
            raise ValueError(f"there is no experiment '{shown(name)}' in {self.uri}")
        return str(found.experiment_id)

    def source(self, run_id: str | None) -> Source:
        """Open a run for reading: ``run_id``, else the active one; ValueError if there is none."""
        run_id = run_id or self.active_run_id
        if not run_id:
            raise ValueError("there is no run to read from; name one with --run")
        check_run_id(run_id)
        with plain_errors(self.client.tracking_uri):
            try:
                return Source(self.client, run_id)
            except MlflowException as error:
                if not is_refusal(error):
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
    def run(
        self,
        source: Source | None = None,
        name: str | None = None,
        *,
        experiment_id: str | None = None,
        plan: Record | None = None,
        patience: float = PATIENCE,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Run]:
        """Open a run for writing: the active one, else the source, else a new one.

        It ends FINISHED, FAILED on an exception, KILLED on an interruption. ``experiment_id`` is
        where a new one goes, unless the tracker was told. ``plan`` is what its journal keeps for
        going on with it; without one nobody does. Raises Undelivered if the store took nothing
        for ``patience`` seconds at the end; ``on_wait`` is told in a line what it waits for.
        """
        with held(self._longest_hold) as release:
            journal = new_journal()
            try:
                with plain_errors(self.client.tracking_uri):
                    journal.append("plan", uri=absolute(mlflow.get_tracking_uri()), plan=plan)
                    run = self._open(journal, source, name, experiment_id)
            except BaseException:
                journal.close() if is_in_doubt(journal) else journal.remove()
                raise
            with self._delivering(journal, run, release, patience, on_wait):
                yield run

    def _open(
        self, journal: Journal, source: Source | None, name: str | None, experiment_id: str | None
    ) -> Run:
        run_id = self.active_run_id or (source.run_id if source else None)
        tags = self._tags(journal) | ({MLFLOW_RUN_NAME: name} if name else {})
        if run_id is None:
            return self._make(journal, tags, name, experiment_id)
        found = source if source and source.run_id == run_id else Source(self.client, run_id)
        if self.experiment_id not in (None, found.experiment_id):
            raise ValueError(f"run {run_id} is in another experiment; leave --experiment out")
        if source and source.run_id != run_id:
            tags[SOURCE_RUN_TAG] = source.run_id
        return self._enter(journal, tags, found)

    def default_experiment_id(self) -> str:
        """Say where MLflow lets a new run go if nobody names an experiment."""
        return default_experiment_id(self.client)

    def _tags(self, journal: Journal) -> dict[str, str]:
        return process_tags() | {
            JOURNAL_TAG: journal.directory.name,
            VERSION_TAG: __version__,
        }

    def _make(
        self, journal: Journal, tags: dict[str, str], name: str | None, experiment_id: str | None
    ) -> Run:
        home = self.experiment_id or experiment_id or self.default_experiment_id()
        made = make_run(self.client, journal, home, tags, name)
        try:
            journal.append("run", run_id=made.info.run_id)
            return Run(journal, Source(self.client, made.info.run_id, made))
        except BaseException:
            end(self.client, made, "FAILED")
            raise

    def _enter(self, journal: Journal, tags: dict[str, str], found: Source) -> Run:
        journal.append("run", run_id=found.run_id)
        journal.append("status", status="RUNNING", time=0)
        run = Run(journal, found)
        run.set_tags(tags)
        return run

    @contextmanager
    def resume(
        self,
        journal: Journal,
        run_id: str,
        *,
        patience: float = PATIENCE,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Run]:
        """Open a run again that its journal is about, as ``run`` does."""
        with held(self._longest_hold) as release:
            try:
                with plain_errors(self.client.tracking_uri):
                    run = self._enter(journal, self._tags(journal), self.source(run_id))
            except BaseException:
                journal.close()
                raise
            with self._delivering(journal, run, release, patience, on_wait):
                yield run

    @contextmanager
    def _delivering(
        self,
        journal: Journal,
        run: Run,
        release: Callable[[], None],
        patience: float,
        on_wait: Callable[[str], None],
    ) -> Iterator[None]:
        courier = Courier(self.client.without_patience(), journal, run.run_id, on_wait)
        courier.start()
        try:
            release()
            yield
            run.end("FINISHED")
            courier.finish(patience, on_wait)
        except BaseException as error:
            over = self._stop(run, courier, journal, error, patience, on_wait)
            journal.remove() if over else journal.close()
            raise
        journal.remove()

    def _stop(
        self,
        run: Run,
        courier: Courier,
        journal: Journal,
        error: BaseException,
        patience: float,
        on_wait: Callable[[str], None],
    ) -> bool:
        """Close a run that was broken off; tell whether there is nothing to go on with."""
        interrupted = isinstance(error, (KeyboardInterrupt, SystemExit))
        finished = run.status == "FINISHED"  # then only its delivery was broken off
        status = "KILLED" if interrupted else "FAILED"
        if finished and not interrupted:
            return False
        if isinstance(error, OSError) and journal.is_cramped:
            courier.stop()  # it would fill the room that is left for the status
            journal.make_room()
        if not finished:
            with suppress(OSError):
                run.end(status, resumable=not isinstance(error, ArithmeticError))
        try:
            courier.finish(patience, on_wait, HASTE if interrupted else math.inf)
        except (Undelivered, ValueError) as untold:
            if not finished and not courier.waits:  # no time for all of it, or the disk is full
                journal.make_room()
                with suppress(Exception):
                    end(self.client, self.client.get_run(run.run_id), status)
            if not isinstance(error, OSError):  # which says the same
                on_wait(str(untold))
            return False
        # What diverged would diverge again; all else can be gone on with, if it has a plan.
        return finished or isinstance(error, ArithmeticError) or not run.has_plan
