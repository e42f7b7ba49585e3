"""The interrupted commands of a run, opened to be resumed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import mlflow

from fitreel.journal import spool
from fitreel.journal.backlog import backlog
from fitreel.journal.entry import Entry
from fitreel.journal.journal import Journal
from fitreel.journal.records import Record
from fitreel.tracking.lookup import SHORTEST_START
from fitreel.tracking.names import JOURNAL_TAG
from fitreel.tracking.source import Source
from fitreel.tracking.store.database import absolute
from fitreel.tracking.tracker import Tracker


@dataclass(frozen=True)
class Interrupted:
    """An interrupted command: its open journal, its run, the URI of its store, its plan.

    What was damaged is cut off from the journal, and will be computed again.
    """

    journal: Journal
    run_id: str
    uri: str
    plan: Record
    damage: str | None = None  # what was damaged


def store_uri(tracking_uri: str | None = None) -> str:
    """Return the URI of a store as journals have it; None means MLflow's default."""
    return absolute(tracking_uri or mlflow.get_tracking_uri())


def interrupted_runs(uri: str | None = None) -> dict[str, str]:
    """Return what is known of the interrupted runs, by their ids: command, directory, store.

    ``uri`` is that of one store, as ``store_uri`` returns it; None means all stores.
    """
    return {
        each.entry.run_id: each.origin
        for each in backlog()
        if each.state == "interrupted" and each.entry.run_id and each.belongs_to(uri)
    }


def waiting_run(named: str, tracking_uri: str | None = None) -> str:
    """Return the id of a run that is named, of one in the spool without asking the store.

    Raises ValueError if there is no such run, or several.
    """
    ids = {entry.run_id for entry in spool.entries() if entry.uri and entry.run_id}
    if named in ids:
        return named
    found = [each for each in ids if each.startswith(named)]
    if len(named) >= SHORTEST_START and len(found) == 1:
        return found[0]
    if re.fullmatch(r"[0-9a-f]{32}", named):  # its journal may lack the id: `interrupted` looks
        return named
    return Tracker(tracking_uri, may_create=False).source(named).run_id


def interrupted(run_id: str, tracking_uri: str | None = None) -> Iterator[Interrupted]:
    """Open the journals of a run's interrupted commands, the oldest first.

    Yields nothing if the run is finished. Raises ValueError if nothing is left of it here or its
    command cannot be resumed, BlockingIOError if its process is alive, ConnectionError if its
    store does not answer.
    """
    found = False
    listed = _resumable(run_id, tracking_uri)
    for each in listed:
        try:
            journal, entry = spool.opened(each.directory)
        except BlockingIOError:
            raise BlockingIOError(
                f"run {run_id} is not interrupted: its process is alive"
            ) from None
        except FileNotFoundError:
            continue
        if entry.is_over and not each.is_over:  # it ended since it was listed
            journal.close()
            continue
        found = True
        damage = journal.mend()
        yield Interrupted(journal, run_id, tracking_uri or entry.uri, entry.plan, damage)
    if listed and not found:  # another process resumed it first: look at what is true now
        yield from interrupted(run_id, tracking_uri)


def _resumable(run_id: str, tracking_uri: str | None) -> list[Entry]:
    """List the journals of a run's interrupted commands; an empty list if it is finished."""
    entries = spool.entries()
    found = [entry for entry in entries if entry.uri and entry.run_id in (run_id, None)]
    listed = [entry for entry in found if entry.run_id == run_id and not entry.is_over]
    if listed:
        return listed
    # The store is asked only now: a run whose journal is here can be resumed without it.
    run = _found(run_id, tracking_uri, found)
    if run.status == "FINISHED" and not run.is_film:
        return []
    _check_readable(run, entries)
    # A process may die between creating its run and writing the run's id into its journal. And one
    # that is over may wait with damaged files, which are computed again.
    listed = [
        entry
        for entry in found
        if entry.directory.name == run.tags.get(JOURNAL_TAG)
        or (entry.run_id == run_id and entry.plan)
    ]
    _check_resumable(run, listed)
    return listed


def _found(run_id: str, tracking_uri: str | None, entries: list[Entry]) -> Source:
    """Return a run from the store that its journal names, else from the first that has it.

    These are MLflow's default one, and those of journals whose run is not known.
    """
    named = [entry.uri for entry in entries if entry.run_id == run_id]
    if tracking_uri or named:
        return Tracker(tracking_uri or named[0], may_create=False).source(run_id)
    errors = list[Exception]()
    for uri in (None, *dict.fromkeys(entry.uri for entry in entries)):
        try:
            return Tracker(uri, may_create=False).source(run_id)
        except (OSError, ValueError) as error:
            errors.append(error)
    raise errors[0]


def _check_readable(run: Source, entries: list[Entry]) -> None:
    """Raise ValueError if a run's journal is here, but not even its first record can be read."""
    for entry in entries:
        if not entry.uri and entry.directory.name == run.tags.get(JOURNAL_TAG):
            raise ValueError(
                f"run {run.run_id} cannot be resumed: the first record of "
                f"{entry.directory / 'journal'} is damaged or cannot be read; "
                "start its command again"
            )


def _check_resumable(run: Source, entries: list[Entry]) -> None:
    """Raise ValueError, saying what to do instead, if a run cannot be resumed here."""
    if run.is_film:
        raise ValueError(
            f"run {run.run_id}, a film, cannot be resumed: its training was not fitreel's; fitreel "
            "sync uploads what a killed one left, and makes the film"
        )
    # A comparison has no plan: it takes seconds, and holds nothing that its runs do not hold.
    if any(not entry.plan for entry in entries) or (not entries and run.kind == "comparison"):
        kind = f", a {run.kind}," if run.kind else ""
        rest = "; fitreel sync uploads what it left" if entries else ""
        raise ValueError(f"run {run.run_id}{kind} cannot be resumed; start its command again{rest}")
    if not entries:
        raise ValueError(
            f"run {run.run_id} left nothing to resume on this machine; "
            f"the journals of interrupted commands are in {spool.directory()}"
        )
