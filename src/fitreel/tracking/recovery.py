"""Recovery: results that stopped commands left in the spool are delivered."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from fitreel.journal import spool
from fitreel.journal.clock import now
from fitreel.journal.entry import Entry
from fitreel.journal.journal import Journal
from fitreel.journal.records import Damaged
from fitreel.tracking.delivery.delivery import Delivery
from fitreel.tracking.film_files import finish_film
from fitreel.tracking.run import Run
from fitreel.tracking.source import Source
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.connection import plain
from fitreel.tracking.store.creation import remove_extras, runs_of
from fitreel.tracking.store.patience import Patience
from fitreel.tracking.tracker import Tracker

KILLED = "KILLED"
SYNC_PATIENCE = Patience(30.0)  # short: the next sync retries


@dataclass(frozen=True)
class Delivered:
    """What became of a journal."""

    entry: Entry
    run_id: str | None
    trouble: Exception | None = None  # why it is not delivered

    @property
    def is_stuck(self) -> bool:
        """Whether retrying is useless: the journal is damaged, or the store refuses it."""
        return isinstance(self.trouble, ValueError)

    @property
    def text(self) -> str:
        """The same as a line of text."""
        what = f"run {self.run_id}" if self.run_id else f"journal {self.entry.directory.name}"
        if isinstance(self.trouble, BlockingIOError):
            return f"{what}: its process is alive and uploads its results"
        if self.is_stuck:
            remedy = ""
            if isinstance(self.trouble, Damaged) and self.entry.plan and self.run_id:
                remedy = f"; what is missing is computed again by: fitreel resume {self.run_id}"
            return f"{what}: stays in {self.entry.directory}: {self.trouble}{remedy}"
        if self.trouble:
            return f"{what}: waits in {self.entry.directory}: {self.trouble}"
        if self.run_id is None:
            return f"{what}: no run was created"
        if self.entry.is_over:
            ended = "" if self.entry.is_guest else f", {self.entry.status or KILLED}"
            return f"{what}: delivered{ended}"
        return f"{what}: delivered so far; resume it with: fitreel resume {self.run_id}"


def sync(run_id: str | None = None, tracking_uri: str | None = None) -> Iterator[Delivered]:
    """Deliver every journal of the spool, or those of one run, and remove what is over."""
    spool.discard_remains()
    reach = cache(_reach)
    for listed in spool.entries():
        if run_id not in (None, listed.run_id):
            continue
        try:
            journal, entry = spool.opened(listed.directory)
        except FileNotFoundError:  # its own process delivered and removed it just now
            continue
        except (OSError, ValueError) as error:
            is_alive = isinstance(error, BlockingIOError)
            trouble = error if is_alive else ValueError(f"it cannot be read: {error}")
            yield Delivered(listed, listed.run_id, trouble)
        else:
            yield _deliver(journal, entry, tracking_uri or entry.uri, reach)


def _reach(uri: str) -> Tracker | Exception:
    """Return a store, or why it cannot be reached: each is tried once in a sync."""
    try:
        return Tracker(uri, may_create=False, patience=SYNC_PATIENCE)
    except (OSError, ValueError) as error:
        return error


def _deliver(
    journal: Journal, entry: Entry, uri: str, reach: Callable[[str], Tracker | Exception]
) -> Delivered:
    """Deliver a journal, then close it, or remove it if nothing can be resumed."""
    is_done = False
    try:
        if not entry.uri:
            damage = Damaged(f"{entry.directory / 'journal'} is damaged at byte 0")
            return Delivered(entry, None, damage)
        tracker = reach(uri)
        if isinstance(tracker, Exception):
            return Delivered(entry, entry.run_id, tracker)
        run_id = entry.run_id or _find_run(journal, tracker.client)
        if run_id:
            _deliver_all(journal, entry, run_id, tracker.client)
        is_done = entry.is_over or not run_id
    except (MlflowException, SQLAlchemyError, OSError, ValueError) as error:
        return Delivered(entry, entry.run_id, plain(error, uri))
    finally:
        if not is_done:
            journal.close()
    return Delivered(entry, run_id, _remove(journal) if is_done else None)


def _remove(journal: Journal) -> OSError | None:
    """Remove a journal that is delivered; return what keeps it there until the next sync."""
    try:
        journal.remove()
    except OSError as error:
        return error
    return None


def _deliver_all(journal: Journal, entry: Entry, run_id: str, client: Client) -> None:
    # The patience is for a whole step; a second one inside would multiply it.
    delivery = Delivery(client.without_patience(), journal, run_id)

    def deliver() -> None:
        while client.patiently(delivery.step):
            pass

    deliver()  # first what there is: of a damaged journal that is all
    finish_film(Run(journal, Source(client, run_id)), journal)
    if not entry.plan and not entry.status and not entry.is_guest:
        # It will not be resumed, and its process died before it could write its status.
        journal.append("status", status=KILLED, time=now(), resumable=False)
    deliver()


def _find_run(journal: Journal, client: Client) -> str | None:
    """Return the run of a process that died before it wrote the id into its journal."""
    found = runs_of(client, journal, client.experiment_ids())
    remove_extras(client, found[1:])
    return str(found[0].info.run_id) if found else None
