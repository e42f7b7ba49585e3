"""The nested runs of a sweep: one a trial, delivered by the fastest way that fits the store."""

import json
import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path

from mlflow.entities import Run as MlflowRun

from fitreel import __version__
from fitreel.checks.files import sha256
from fitreel.journal.records import Record
from fitreel.journal.spool import scratch
from fitreel.sweep.trials import Outcome
from fitreel.tracking.delivery.bulk import ARTIFACTS, PARENT_TAG, Database, Unknown
from fitreel.tracking.delivery.finished_run import ROWS, FinishedRun, Points, run_id
from fitreel.tracking.delivery.one_by_one import REQUESTS, OneByOne
from fitreel.tracking.delivery.receipt import lacks_names
from fitreel.tracking.names import DIGESTS_TAG, FILMED_TAG, TRIAL_TAG, VERSION_TAG, WEIGHTS
from fitreel.tracking.packing import packed, unpacked_if_readable
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.database import is_database
from fitreel.tracking.store.internals import context_tags
from fitreel.training.files import save_weights


class NestedRuns:
    """The runs below one parent."""

    def __init__(self, client: Client, parent_id: str) -> None:
        self._client = client
        self._parent_id = parent_id
        self._is_sure = False  # that the store has no trial that this object does not know of

    @cached_property
    def _parent(self) -> MlflowRun:
        return self._client.get_run(self._parent_id)

    @cached_property
    def _tags(self) -> dict[str, str]:
        return context_tags() | {PARENT_TAG: self._parent_id, VERSION_TAG: __version__}

    @cached_property
    def _one_by_one(self) -> OneByOne:
        return OneByOne(self._client, self._parent)

    @cached_property
    def _database(self) -> Database | None:
        """The tables that trials are written to, or None where MLflow's client has to do it."""
        uri = self._client.tracking_uri
        if not is_database(uri):
            return None
        experiment = self._client.get_experiment(self._parent.info.experiment_id)
        try:
            return Database(uri, self._parent.info, experiment.artifact_location)
        except Unknown as reason:
            warnings.warn(
                f"this version of MLflow keeps runs differently ({reason}): trials are logged one "
                "by one, which takes longer",
                RuntimeWarning,
                stacklevel=2,
            )
            return None

    def share(self, record: Record) -> float:
        """Return how much of what is delivered together a trial is: 1 if it goes alone."""
        if self._database is None:
            return 1 / REQUESTS
        points = record["epochs"] // record["log_every"]
        others = sum(len(record[kind]) for kind in ("metrics", "params", "tags"))
        return (points + others) / ROWS  # type: ignore[no-any-return]

    def deliver(self, records: Sequence[Record], *, is_new: bool = True) -> None:
        """Log trials, each as a run of its own that is over; none of them twice.

        They are ``is_new`` if no earlier process can have logged them.
        """
        # Unsure again if this call fails: the next one looks for what it left.
        was_sure, self._is_sure = self._is_sure and is_new, False
        with scratch() as folder:
            runs = [self._run(record, folder) for record in records]
            if self._database:
                self._write(self._database, runs, folder, was_sure)
            else:
                self._one_by_one.log_all(runs, folder, was_sure)
        self._is_sure = True

    def _run(self, record: Record, folder: Path) -> FinishedRun:
        """Return all that is to log of a trial; its weights go into the folder."""
        outcome = Outcome.from_record(record)
        its_id = run_id(self._parent_id, outcome.number)
        tags = {**self._tags, **record["tags"], "mlflow.runName": record["name"]}
        tags[TRIAL_TAG] = str(outcome.number)
        if outcome.weights:
            file = folder / its_id / ARTIFACTS / WEIGHTS
            file.parent.mkdir(parents=True)
            save_weights(outcome.weights, file)
            tags[DIGESTS_TAG] = json.dumps({WEIGHTS: sha256(file)})
        return FinishedRun(
            its_id,
            outcome.number,
            record["name"],
            "FAILED" if outcome.end == "diverged" else "FINISHED",
            *outcome.times,
            params=record["params"],
            metrics=Points(outcome),
            tags=packed(tags, tags),
        )

    def _write(
        self, database: Database, runs: Sequence[FinishedRun], folder: Path, is_sure: bool
    ) -> None:
        known = {} if is_sure else database.known([run.number for run in runs])
        # MLflow's client had written a part of these when its process died.
        incomplete = [run for run in runs if known.get(run.number) == "RUNNING"]
        self._one_by_one.log_all(incomplete, folder, is_sure=False)
        if missing := [run for run in runs if run.number not in known]:
            database.write_artifacts(folder)  # first: a run that is there is whole
            database.write(missing)

    def lack(self, records: Iterable[Record]) -> bool:
        """Return whether a server lacks a trial among these records, its end, or its values."""
        found = self._one_by_one.runs()
        return any(
            _is_incomplete(found.get(record["number"]), record)
            for record in records
            if record["kind"] == "trial"
        )

    def remove_extras(self) -> None:
        """Remove what a server created late of a trial that it was asked for twice."""
        self._one_by_one.remove_extras()

    def log_artifacts(self, record: Record, folder: Path) -> None:
        """Log the files of a film with its trial."""
        # Twice: an empty answer of a server looks like a search that finds nothing.
        find = partial(self._one_by_one.find, record["number"])
        run = find() or find()
        if run is None:  # it was deleted permanently
            return
        self._client.log_artifacts(run.info.run_id, str(folder), record["to"])
        tags = unpacked_if_readable(run.data.tags) | {FILMED_TAG: "yes"}
        for tag, text in packed([FILMED_TAG], tags).items():
            self._client.set_tag(run.info.run_id, tag, text)


def _is_incomplete(run: MlflowRun | None, record: Record) -> bool:
    return (
        run is None or run.info.status == "RUNNING" or lacks_names(run, record, "params", "metrics")
    )
