"""Recovery: what dead or cut off commands left in the spool, delivered or gone on with."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from fitreel import spool
from fitreel.journal import Journal, Record
from fitreel.text import shown
from fitreel.tracking.connection import plain
from fitreel.tracking.delivery import Delivery
from fitreel.tracking.source import KIND_TAG
from fitreel.tracking.tracker import JOURNAL_TAG, Tracker

KILLED = "KILLED"


@dataclass(frozen=True)
class Interrupted:
    """Hold an interrupted command: its open journal, and the run that it was to log to."""

    journal: Journal
    run_id: str
    uri: str
    plan: Record


def interrupted(run_id: str, tracking_uri: str | None = None) -> Iterator[Interrupted]:
    """Open the journals of a run's interrupted commands, one after the other.

    Gives none where the run is finished. Raises ValueError if nothing is left of it or it is made
    again instead, BlockingIOError if its process lives, ConnectionError if its store does not
    answer.
    """
    found = [entry for entry in spool.entries() if entry.uri and entry.run_id in (run_id, None)]
    mine = [entry for entry in found if entry.run_id == run_id and not entry.is_over]
    if not mine:
        uri = tracking_uri or (found[0].uri if found else None)
        run = Tracker(uri, may_create=False).source(run_id)
        mine = [entry for entry in found if entry.directory.name == run.tags.get(JOURNAL_TAG)]
        if run.status == "FINISHED":
            return
        made_again = not mine and run.tags.get(KIND_TAG) == "comparison"
        if made_again or any(not entry.plan for entry in mine):
            what = f", a {shown(run.tags[KIND_TAG])}," if KIND_TAG in run.tags else ""
            rest = "; fitreel sync delivers what it left" if mine else ""
            raise ValueError(f"run {run_id}{what} is not gone on with, but made again{rest}")
    if not mine:
        raise ValueError(
            f"run {run_id} left nothing to go on with on this machine; "
            f"what is interrupted leaves its journal in {spool.directory()}"
        )
    for entry in mine:
        try:
            journal = Journal(entry.directory)
        except BlockingIOError:
            raise BlockingIOError(f"run {run_id} is not interrupted: its process lives") from None
        yield Interrupted(journal, run_id, tracking_uri or entry.uri, entry.plan)


@dataclass(frozen=True)
class Delivered:
    """Hold what became of a journal."""

    entry: spool.Entry
    run_id: str | None
    trouble: Exception | None = None  # why it waits on

    @property
    def is_stuck(self) -> bool:
        """Tell whether it is in vain to try again: a damaged journal, a store that refuses it."""
        return isinstance(self.trouble, ValueError)

    @property
    def text(self) -> str:
        """Say it in a line."""
        what = f"run {self.run_id}" if self.run_id else f"journal {self.entry.directory.name}"
        if isinstance(self.trouble, BlockingIOError):
            return f"{what}: its process lives and delivers it"
        if self.is_stuck:
            return f"{what}: stays in {self.entry.directory}: {self.trouble}"
        if self.trouble:
            return f"{what}: waits in {self.entry.directory}: {self.trouble}"
        if self.run_id is None:
            return f"{what}: began no run"
        if self.entry.is_over:
            return f"{what}: delivered, {self.entry.status or KILLED}"
        return f"{what}: delivered so far; go on with: fitreel resume {self.run_id}"


def sync(run_id: str | None = None, tracking_uri: str | None = None) -> Iterator[Delivered]:
    """Deliver every journal of the spool, or those of one run, and remove what is over."""
    spool.sweep()
    trackers: dict[str, Tracker | Exception] = {}
    for entry in spool.entries():
        if run_id in (None, entry.run_id):
            uri = tracking_uri or entry.uri
            if not entry.uri:
                damage = ValueError(f"{entry.directory / 'journal'} is damaged at byte 0")
                yield Delivered(entry, None, damage)
                continue
            if uri not in trackers:
                trackers[uri] = _tracker(uri)
            yield _deliver(entry, trackers[uri])


def _tracker(uri: str) -> Tracker | Exception:
    try:
        return Tracker(uri, may_create=False)
    except (OSError, ValueError) as error:
        return error


def _deliver(entry: spool.Entry, tracker: Tracker | Exception) -> Delivered:
    try:
        journal = Journal(entry.directory)
    except (BlockingIOError, FileNotFoundError) as error:
        return Delivered(entry, entry.run_id, BlockingIOError(str(error)))
    if isinstance(tracker, Exception):
        journal.close()
        return Delivered(entry, entry.run_id, tracker)
    try:
        run_id = entry.run_id or adopted(entry, tracker)
        if not entry.plan and not entry.status:
            # Nobody will go on with it: its process died before it could say so.
            journal.append("status", status=KILLED, time=time.time_ns() // 1_000_000)
        if run_id:
            delivery = Delivery(tracker.client, journal, run_id)
            while delivery.step():
                pass
    except (MlflowException, SQLAlchemyError, OSError, ValueError) as error:
        journal.close()
        return Delivered(entry, entry.run_id, plain(error, tracker.client.tracking_uri))
    except BaseException:
        journal.close()
        raise
    if entry.is_over or not run_id:
        journal.remove()
    else:
        journal.close()
    return Delivered(entry, run_id)


def adopted(entry: spool.Entry, tracker: Tracker) -> str | None:
    """Find the run of a process that died before it wrote down which one it had made."""
    experiments = [each.experiment_id for each in tracker.client.search_experiments()]
    runs = tracker.client.search_runs(
        experiments,
        f"tags.`{JOURNAL_TAG}` = '{entry.directory.name}'",
        run_view_type=ViewType.ACTIVE_ONLY,
        max_results=1,
    )
    return str(runs[0].info.run_id) if runs else None
