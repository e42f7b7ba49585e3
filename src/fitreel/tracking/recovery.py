"""Recovery: what dead or cut off commands left in the spool, delivered or gone on with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from fitreel.checks.text import shown
from fitreel.journal import spool
from fitreel.journal.clock import now
from fitreel.journal.journal import Journal, Record
from fitreel.tracking.client import Client
from fitreel.tracking.connection import plain
from fitreel.tracking.creation import remove_extras, runs_of
from fitreel.tracking.delivery import Delivery
from fitreel.tracking.names import JOURNAL_TAG, KIND_TAG
from fitreel.tracking.patience import Patience
from fitreel.tracking.tracker import Tracker

KILLED = "KILLED"
# Short: the next sync asks a store again that is away now.
PATIENCE = Patience(30.0)


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
    found = False
    listed = _to_go_on_with(run_id, tracking_uri)
    for each in listed:
        try:
            journal, entry = spool.opened(each.directory)
        except BlockingIOError:
            raise BlockingIOError(f"run {run_id} is not interrupted: its process lives") from None
        except FileNotFoundError:
            continue
        if entry.is_over and not each.is_over:
            journal.close()
            continue
        found = True
        yield Interrupted(journal, run_id, tracking_uri or entry.uri, entry.plan)
    if listed and not found:  # another process was first, and is done: say what is true now
        yield from interrupted(run_id, tracking_uri)


def _to_go_on_with(run_id: str, tracking_uri: str | None) -> list[spool.Entry]:
    """List the journals of a run's interrupted commands; none where the run is finished."""
    found = [entry for entry in spool.entries() if entry.uri and entry.run_id in (run_id, None)]
    mine = [entry for entry in found if entry.run_id == run_id and not entry.is_over]
    if not mine:
        uri = tracking_uri or (found[0].uri if found else None)
        run = Tracker(uri, may_create=False).source(run_id)
        mine = [entry for entry in found if entry.directory.name == run.tags.get(JOURNAL_TAG)]
        if run.status == "FINISHED":
            return []
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
    return mine


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
    spool.discard_remains()
    reach = cache(_tracker)
    for listed in spool.entries():
        if run_id not in (None, listed.run_id):
            continue
        try:
            journal, entry = spool.opened(listed.directory)
        except FileNotFoundError:  # its own process was first
            continue
        except OSError as error:
            lives = isinstance(error, BlockingIOError)
            trouble = error if lives else ValueError(f"it cannot be read: {error}")
            yield Delivered(listed, listed.run_id, trouble)
        else:
            yield _deliver(journal, entry, tracking_uri or entry.uri, reach)


def _tracker(uri: str) -> Tracker | Exception:
    try:
        return Tracker(uri, may_create=False, patience=PATIENCE)
    except (OSError, ValueError) as error:
        return error


def _deliver(
    journal: Journal, entry: spool.Entry, uri: str, reach: Callable[[str], Tracker | Exception]
) -> Delivered:
    is_done = False
    try:
        if not entry.uri:
            damage = ValueError(f"{entry.directory / 'journal'} is damaged at byte 0")
            return Delivered(entry, None, damage)
        tracker = reach(uri)
        if isinstance(tracker, Exception):
            return Delivered(entry, entry.run_id, tracker)
        run_id = entry.run_id or adopted(journal, tracker.client)
        if not entry.plan and not entry.status:
            # Nobody will go on with it: its process died before it could say so.
            journal.append("status", status=KILLED, time=now())
        if run_id:
            delivery = Delivery(tracker.client.without_patience(), journal, run_id)
            while tracker.client.patiently(delivery.step):
                pass
        is_done = entry.is_over or not run_id
        return Delivered(entry, run_id)
    except (MlflowException, SQLAlchemyError, OSError, ValueError) as error:
        return Delivered(entry, entry.run_id, plain(error, uri))
    finally:
        journal.remove() if is_done else journal.close()


def adopted(journal: Journal, client: Client) -> str | None:
    """Find the run of a process that died before it wrote down which one it had made."""
    if not (found := runs_of(client, journal, client.experiment_ids())):
        return None
    remove_extras(client, found[1:])
    return str(found[0].info.run_id)
