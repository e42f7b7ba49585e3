"""The tracking store: where runs are opened for reading and for writing."""

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import mlflow
from mlflow.environment_variables import (
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_RUN_ID,
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT,
)
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from fitreel import __version__
from fitreel.checks.text import check_name, shown
from fitreel.checks.urls import masked
from fitreel.journal.clock import now
from fitreel.journal.journal import Journal
from fitreel.journal.records import FORMAT, Record
from fitreel.journal.signals import held
from fitreel.journal.spool import new_journal
from fitreel.tracking.closing import HASTE, delivering, delivering_as_guest
from fitreel.tracking.lookup import find_run
from fitreel.tracking.names import KIND_TAG, SOURCE_RUN_TAG, VERSION_TAG
from fitreel.tracking.packing import packed
from fitreel.tracking.process import owner_tags
from fitreel.tracking.registered import read_model
from fitreel.tracking.registration import registered
from fitreel.tracking.run import Run
from fitreel.tracking.source import Source
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.connection import plain_errors
from fitreel.tracking.store.creation import (
    DOUBT,
    default_experiment_id,
    find_or_make_experiment,
    is_in_doubt,
    make_run,
)
from fitreel.tracking.store.database import absolute, check_store
from fitreel.tracking.store.ending import end
from fitreel.tracking.store.limits import FIRST, request_limit
from fitreel.tracking.store.patience import Patience, Retries
from fitreel.training.predictor import Predictor


class Tracker:
    """A tracking store that has answered, and the experiment of its new runs."""

    def __init__(
        self,
        tracking_uri: str | None = None,
        experiment: str | None = None,
        *,
        may_create: bool = True,
        patience: Patience | None = None,
    ) -> None:
        """Connect; None means MLflow's own environment variables and defaults.

        A database that is missing is created if it ``may_create`` one. ``patience`` (default: 180
        seconds) applies to a server that is busy: here, when something is read, and at the end
        of every run. Raises Unavailable after that, ConnectionError within 10 seconds if no server
        is there, FileNotFoundError if the store is missing, PermissionError if it cannot be
        written, ValueError if the URI names something else.
        """
        _quieten()
        if tracking_uri:
            mlflow.set_tracking_uri(tracking_uri)
        uri = mlflow.get_tracking_uri()
        self.uri = masked(uri)  # to be shown
        self._patience = patience or Patience()
        with plain_errors(uri):
            check_store(uri, may_create)
            # Short for the first answer only: it shows whether a server is there at all.
            request_limit.start(FIRST)
            self.client = Client(retries=Retries(uri, self._patience))
            self.client.search_experiments(max_results=1)
            request_limit.settle()
            self.experiment_id = (
                find_or_make_experiment(self.client, experiment) if experiment else None
            )
        # `mlflow run` sets it to the run that it created.
        self.active_run_id = os.environ.get(MLFLOW_RUN_ID.name)
        # A database needs only so long to create a run; a server may never answer.
        self._longest_hold = HASTE if self.uri.startswith("http") else math.inf

    def find_experiment(self, name: str | None) -> str:
        """Return the id of an experiment, for None of the one where new runs go.

        Raises ValueError if it is missing; none is created.
        """
        with plain_errors(self.client.tracking_uri):
            if name is None:
                return self.default_experiment_id()
            found = self.client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage == "deleted":
            raise ValueError(f"there is no experiment '{name}' in {self.uri}")
        return str(found.experiment_id)

    def home(self) -> str:
        """Return the id of the experiment where new runs go."""
        return self.experiment_id or self.default_experiment_id()

    def default_experiment_id(self) -> str:
        """Return where MLflow lets a new run go if no experiment is named."""
        return default_experiment_id(self.client)

    def source(self, named: str | None) -> Source:
        """Open a run for reading, the one that is named or else the active one.

        A run is named by its id, the start of its id, its name, or ``latest``. Raises ValueError
        if there is no such run, or several in the experiment of new runs.
        """
        text = named or self.active_run_id
        if not text:
            raise ValueError("there is no run to read from; name one with --run")
        with plain_errors(self.client.tracking_uri):
            run = find_run(self.client, check_name(text), self.home, besides=self.active_run_id)
            if run is None:
                raise ValueError(
                    f"there is no run '{shown(text)}' in {self.uri}; fitreel list shows its runs"
                )
            return Source(self.client, run.info.run_id, run)

    def model(self, uri: str) -> Predictor:
        """Read the network of a model: models:/NAME@ALIAS or models:/NAME/1."""
        return read_model(self.client, uri)

    def registered(self, run_id: str, name: str) -> str:
        """Return what became of the model of a run that was registered under a name."""
        with plain_errors(self.client.tracking_uri):
            return registered(self.client, run_id, name)

    def source_or_none(self, named: str | None) -> Source | None:
        """Open a run for reading if one is named or active."""
        return self.source(named) if named or self.active_run_id else None

    def writes_to(self, source: Source) -> bool:
        """Return whether a run opened for this source is the source itself."""
        return self.active_run_id in (None, source.run_id)

    @contextmanager
    def run(
        self,
        source: Source | None = None,
        name: str | None = None,
        *,
        experiment_id: str | None = None,
        plan: Record | None = None,
        is_gentle: bool = False,
        kind: str | None = None,
    ) -> Iterator[Run]:
        """Open a run for writing: the active one, else the source, else a new one.

        It ends FINISHED, FAILED on an exception, KILLED on an interruption. A new one goes to
        ``experiment_id``, unless the tracker has an experiment. ``plan`` is what the journal keeps
        to resume the command; without it nothing is resumed. A gentle one leaves the processor to
        the training, and delivers most at the end. Raises Undelivered if the store took
        nothing at the end for as long as the patience lasts.

        Read what a stage needs before opening its run: then a bad input changes nothing.
        """
        with held(self._longest_hold) as release:
            journal = new_journal()
            try:
                with plain_errors(self.client.tracking_uri):
                    # Before the run is created: if its process dies then, sync knows where to look
                    # for it.
                    self._plan(journal, plan)
                    run = self._open(journal, source, name, experiment_id, kind)
            except BaseException:
                # In doubt it stays, so that sync finds and closes a run that was created unnoticed.
                journal.close() if is_in_doubt(journal) else journal.remove()
                raise
            with delivering(self.client, journal, run, self._patience, is_gentle=is_gentle):
                # From here on the run is closed however the block ends: signals may come.
                release()
                yield run

    @contextmanager
    def resume(self, journal: Journal, run_id: str) -> Iterator[Run]:
        """Open the run of a journal again, as ``run`` does."""
        with held(self._longest_hold) as release:
            try:
                with plain_errors(self.client.tracking_uri):
                    run = self._enter(journal, self._tags(journal), self.source(run_id))
            except BaseException:
                journal.close()
                raise
            with delivering(self.client, journal, run, self._patience):
                release()
                yield run

    @contextmanager
    def join(self, run_id: str) -> Iterator[Run]:
        """Open a run that somebody else opened, and will end, for writing."""
        with held(self._longest_hold) as release:
            journal = new_journal()
            try:
                with plain_errors(self.client.tracking_uri):
                    self._plan(journal, None)
                    run = Run(journal, Source(self.client, run_id))
                    self._name(journal, run_id, guest=True)
            except BaseException:
                journal.remove()
                raise
            with delivering_as_guest(self.client, journal, run, self._patience):
                release()
                yield run

    def _open(
        self,
        journal: Journal,
        source: Source | None,
        name: str | None,
        experiment_id: str | None,
        kind: str | None = None,
    ) -> Run:
        run_id = self.active_run_id or (source.run_id if source else None)
        tags = self._tags(journal) | ({MLFLOW_RUN_NAME: name} if name else {})
        tags |= {KIND_TAG: kind} if kind else {}
        if run_id is None:
            return self._create(journal, tags, name, experiment_id)
        found = source if source and source.run_id == run_id else Source(self.client, run_id)
        if self.experiment_id not in (None, found.experiment_id):
            raise ValueError(f"run {run_id} is in another experiment; leave --experiment out")
        if source and source.run_id != run_id:
            tags[SOURCE_RUN_TAG] = source.run_id
        return self._enter(journal, tags, found)

    def _plan(self, journal: Journal, plan: Record | None) -> None:
        uri = absolute(mlflow.get_tracking_uri())
        journal.append("plan", format=FORMAT, uri=uri, plan=plan)
        journal.flush()  # a run without its journal could not be resumed after a power cut

    def _name(self, journal: Journal, run_id: str, **more: bool) -> None:
        """Write the id of the run, once a power cut cannot undo its creation."""
        self.client.settle()
        journal.append("run", run_id=run_id, **more)

    def _tags(self, journal: Journal) -> dict[str, str]:
        return owner_tags(journal.directory.name) | {VERSION_TAG: __version__}

    def _create(
        self, journal: Journal, tags: dict[str, str], name: str | None, experiment_id: str | None
    ) -> Run:
        home = self.experiment_id or experiment_id or self.default_experiment_id()
        created = make_run(self.client, journal, home, packed(tags, tags), name)
        try:
            self._name(journal, created.info.run_id)
            return Run(journal, Source(self.client, created.info.run_id, created))
        except BaseException:
            journal.make_room()
            with suppress(OSError):
                # The caller keeps a journal in doubt: the run can be resumed then.
                journal.append(DOUBT)
                journal.append("status", status="FAILED", time=now(), resumable=True)
            with suppress(Exception):  # fitreel sync delivers the same
                end(self.client, created, "FAILED")
            raise

    def _enter(self, journal: Journal, tags: dict[str, str], found: Source) -> Run:
        self._name(journal, found.run_id)
        # A run that is opened again may say FINISHED or KILLED.
        journal.append("status", status="RUNNING", time=0)
        run = Run(journal, found)
        run.take_over(tags)
        return run


def _quieten() -> None:
    """Keep libraries from writing to the terminal: standard output is for the run id alone."""
    # Every error is reported in one line where it is caught; these would log a page.
    for noisy in ("mlflow", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    os.environ[MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.name] = "true"
    os.environ.setdefault(MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.name, "false")
