"""The delivery: a journal's records are logged to MLflow, in order and once.

Everything here may be done twice: a record counts as delivered only when MLflow has it, and of two
points with the same time stamp MLflow keeps one.
"""

import math
from collections.abc import Iterator

from fitreel.journal.filming import CURVE
from fitreel.journal.journal import Journal
from fitreel.journal.records import Record
from fitreel.tracking.delivery.dataset_input import log_dataset
from fitreel.tracking.delivery.logged_model import log_model, remove_extra_models
from fitreel.tracking.delivery.nested import NestedRuns
from fitreel.tracking.delivery.receipt import lacks
from fitreel.tracking.delivery.values import METRICS_PER_CALL, Stored, log_values
from fitreel.tracking.registration import register
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.connection import WrongAnswer
from fitreel.tracking.store.creation import DOUBT, remove_extras, runs_of
from fitreel.tracking.store.database import is_database
from fitreel.tracking.store.ending import end

DELIVERED = (
    "values",
    "losses",
    CURVE,
    "trial",
    "trial_artifacts",
    "artifacts",
    "dataset",
    "model",
    "register",
    "status",
)

VALUES = {"values", "losses", CURVE}  # share a call


class Delivery:
    """Bring one journal into the run that it is about."""

    def __init__(self, client: Client, journal: Journal, run_id: str) -> None:
        self._client = client
        self._journal = journal
        self._run_id = run_id
        journal.rewind()
        kept = journal.kept("delivered")
        self._position: int = kept["position"] if kept else 0
        self._trials: int = kept.get("trials", 0) if kept else 0
        self._is_in_doubt: bool = kept.get("doubt", False) if kept else False
        # How far the journal went already: an earlier process may have delivered any of it.
        self._found = (journal.directory / "journal").stat().st_size
        self._stored = Stored(client, run_id)
        self._nested = NestedRuns(client, run_id)
        self._is_served = not is_database(client.tracking_uri)  # by what may confirm and not do
        self._has_looked = False  # at the end, whether a server has all

    def step(self) -> bool:
        """Deliver what goes in one call; return whether there was anything."""
        records, end = self._next()
        if end == self._position:
            return False
        # What others have read must not be lost here: with another time stamp it were a duplicate.
        self._journal.flush()
        if records and self._is_incomplete(records[0]):
            # Once more from the start, without the points that are there.
            end, self._is_in_doubt = 0, True
            self._stored = Stored(self._client, self._run_id)
        elif records:
            self._deliver(records)
            self._client.settle()
        # Only now: a death before this delivers the same again, which MLflow keeps once.
        state = {"position": end, "trials": self._trials, "doubt": self._is_in_doubt}
        self._journal.keep("delivered", state)
        self._position = end
        return True

    def _deliver(self, records: list[Record]) -> None:
        kind, first = records[0]["kind"], records[0]
        if kind in VALUES:
            lacks = self._stored.lacks if self._is_in_doubt else None
            log_values(self._client, self._run_id, records, lacks)
        elif kind == "trial":
            # Not only the first call looks for trials: the position may be an old one.
            is_new = self._position >= self._found and not self._is_in_doubt
            self._nested.deliver(records, is_new=is_new)
            self._trials += len(records)
        elif kind == "trial_artifacts":
            self._nested.log_artifacts(first, self._journal.file(first, "folder"))
        elif kind == "artifacts":
            folder = self._journal.file(first, "folder")
            self._client.log_artifacts(self._run_id, str(folder), first["to"])
        elif kind == "dataset":
            log_dataset(self._client, self._run_id, first, self._journal.file(first, "file"))
        elif kind == "model":
            log_model(self._client, self._run_id, self._journal.file(first, "weights"))
        elif kind == "register":
            register(self._client, first["run_id"], first["name"])
        else:
            self._log_status(first)

    def _is_incomplete(self, record: Record) -> bool:
        """Return whether a server lacks something at the end of its run; asked once."""
        is_end = record["kind"] == "status" and record["status"] != "RUNNING"
        if not is_end or self._has_looked or not self._is_served:
            return False
        is_incomplete = lacks(self._client, self._run_id, self._delivered()) or (
            self._trials > 0 and self._nested.lack(self._delivered())
        )
        self._has_looked = True
        return is_incomplete

    def _delivered(self) -> Iterator[Record]:
        records = self._journal.records()
        return (record for behind, record in records if behind <= self._position)

    def _next(self) -> tuple[list[Record], int]:
        """Return the next record, or all the next ones that share a call, and where they end."""
        found: list[Record] = []
        end, size = self._position, 0
        try:
            for behind, record in self._journal.records(self._position):
                if record["kind"] in DELIVERED:
                    # In order: a status must not be logged before the losses that come before it.
                    if found and not _share_a_call(record, found[0]):
                        break
                    found.append(record)
                    size += self._size(record)
                end = behind  # records that are not delivered are passed over
                if size >= METRICS_PER_CALL:
                    break
        except ValueError:  # damaged: first what is before
            if end == self._position:
                raise
        return found, end

    def _size(self, record: Record) -> int:
        """Return how much of a call a record takes."""
        if record["kind"] in VALUES:
            return int(record.get("count", 0)) + 10
        share = self._nested.share(record) if record["kind"] == "trial" else 1
        return math.ceil(METRICS_PER_CALL * share)

    def _log_status(self, record: Record) -> None:
        status = record["status"]
        if status == "RUNNING":
            self._client.update_run(self._run_id, status)
            return
        run = self._client.get_run(self._run_id)
        end(self._client, run, status, record["time"])
        if self._is_served and self._client.get_run(self._run_id).info.status != status:
            raise WrongAnswer(f"run {self._run_id} has another status than the one that was set")
        kinds = {record["kind"] for _, record in self._journal.records()}
        if "model" in kinds:
            remove_extra_models(self._client, run)
        # A request may also be repeated on its way to a server, which nobody notices.
        if DOUBT in kinds or self._is_served:
            found = runs_of(self._client, self._journal, [run.info.experiment_id])
            others = [each for each in found if each.info.run_id != run.info.run_id]
            remove_extras(self._client, others)
        if self._trials:
            self._nested.remove_extras()


def _share_a_call(one: Record, other: Record) -> bool:
    kinds = {one["kind"], other["kind"]}
    return len(kinds) == 1 or kinds <= VALUES
