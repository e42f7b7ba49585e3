"""The backlog: the journals in the spool, and what each of them waits for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fitreel.checks.urls import masked
from fitreel.journal import spool
from fitreel.journal.entry import Entry

State = Literal["running", "over", "interrupted", "unreadable"]


@dataclass(frozen=True)
class Waiting:
    """A journal in the spool: ``over`` waits for sync, ``interrupted`` for resume."""

    entry: Entry
    state: State

    @property
    def name(self) -> str:
        """The id of its run, or the name of its directory if it has none."""
        return self.entry.run_id or self.entry.directory.name

    def belongs_to(self, uri: str | None) -> bool:
        """Return whether it is for the store at a URI; None, or nothing to read, is every store."""
        return uri is None or self.entry.uri in ("", uri)

    @property
    def origin(self) -> str:
        """Which command it belongs to, where that was started, and for which store."""
        plan, uri = self.entry.plan, self.entry.uri
        command = f"fitreel {plan['command']}" if "command" in plan else ""
        where = f"started in {plan['directory']}" if "directory" in plan else ""
        store = f"store {masked(uri)}" if uri else ""
        return ", ".join(part for part in (command, where, store) if part)


def backlog() -> Iterator[Waiting]:
    """Yield what waits in the spool, the oldest first."""
    for listed in spool.entries():
        try:
            journal, entry = spool.opened(listed.directory)
        except FileNotFoundError:  # delivered since it was listed
            continue
        except BlockingIOError:  # before OSError, of which it is a kind
            yield Waiting(listed, "running")
        except (OSError, ValueError):
            yield Waiting(listed, "unreadable")
        else:
            journal.close()
            yield Waiting(entry, "over" if entry.is_over else "interrupted")
