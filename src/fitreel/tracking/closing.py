"""The closing of an open run: what is written, what is delivered, what can be resumed.

| what happened                | status   | delivery may take | the journal stays           |
|------------------------------|----------|-------------------|-----------------------------|
| finished                     | FINISHED | the patience      | if undelivered              |
| … and the store refused      | FINISHED | no longer         | always, for `fitreel sync`  |
| … and was interrupted then   | FINISHED | HASTE             | if undelivered              |
| interrupted                  | KILLED   | HASTE             | if undelivered or resumable |
| failed                       | FAILED   | the patience      | if undelivered or resumable |
| diverged                     | FAILED   | the patience      | if undelivered              |
| failed, as the disk is full  | FAILED   | only the status   | always                      |

Resumable is a command that has a plan, unless it diverged: it would do so again.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from fitreel.journal.journal import Journal
from fitreel.journal.spool import Undelivered
from fitreel.tracking.delivery.courier import Courier
from fitreel.tracking.run import Run
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.ending import end
from fitreel.tracking.store.patience import Patience

HASTE = 5.0  # seconds: all that an interrupted run may take to be closed


@contextmanager
def delivering(
    client: Client, journal: Journal, run: Run, patience: Patience, *, is_gentle: bool = False
) -> Iterator[None]:
    """Deliver the journal of a run while the block lasts, then end the run as the block ended.

    Raises Undelivered if the store takes nothing for as long as the patience lasts, ValueError if
    it refuses; the journal stays then. What the block raises is raised again.
    """
    # Without retries of its own: the courier retries, and must notice each failure.
    courier = Courier(client.without_patience(), journal, run.run_id, patience, is_gentle=is_gentle)
    courier.start()
    try:
        yield
        run.end("FINISHED", resumable=False)
        courier.finish()
    except BaseException as error:
        closing = Closing(client, journal, run, courier, patience)
        _remove(journal, patience) if closing.after(error) else journal.close()
        raise
    _remove(journal, patience)


def _remove(journal: Journal, patience: Patience) -> None:
    """Remove a journal that is delivered; report what keeps it there: the run is complete."""
    try:
        journal.remove()
    except OSError as error:
        patience.report(f"{error}; fitreel sync removes {journal.directory}")


@contextmanager
def delivering_as_guest(
    client: Client, journal: Journal, run: Run, patience: Patience
) -> Iterator[None]:
    """Deliver the journal of a run that somebody else opened, and ends: its status stays.

    Raises as ``delivering`` does, unless the block raises itself.
    """
    courier = Courier(
        client.without_patience(), journal, run.run_id, patience, has_heart=False, is_gentle=True
    )
    courier.start()
    try:
        try:
            yield
        except BaseException as error:
            interrupted = isinstance(error, (KeyboardInterrupt, SystemExit))
            with suppress(Undelivered, ValueError):
                courier.finish(HASTE if interrupted else math.inf)
            raise
        courier.finish()
    finally:
        _remove(journal, patience) if courier.is_done else journal.close()


class Closing:
    """The end of a run that was broken off; each case returns whether the journal may go."""

    def __init__(
        self, client: Client, journal: Journal, run: Run, courier: Courier, patience: Patience
    ) -> None:
        self._client = client
        self._journal = journal
        self._run = run
        self._courier = courier
        self._report = patience.report

    def after(self, error: BaseException) -> bool:
        """Write how the run ended and deliver that; return whether the journal may go."""
        interrupted = isinstance(error, (KeyboardInterrupt, SystemExit))
        if self._run.status == "FINISHED":  # only its delivery was broken off
            return self._interrupted_delivery() if interrupted else False
        if interrupted:
            return self._interrupted()
        if isinstance(error, OSError) and self._journal.is_cramped:
            return self._full_disk()
        return self._failed(error)

    def _interrupted_delivery(self) -> bool:
        return self._is_delivered(HASTE)

    def _interrupted(self) -> bool:
        self._write("KILLED", resumable=True)
        is_delivered = self._is_delivered(HASTE, "KILLED")
        return is_delivered and not self._run.has_plan

    def _failed(self, error: BaseException) -> bool:
        has_diverged = isinstance(error, ArithmeticError)
        self._write("FAILED", resumable=not has_diverged)
        # An OSError says already what keeps the store from taking the results.
        is_delivered = self._is_delivered(math.inf, "FAILED", report=not isinstance(error, OSError))
        return is_delivered and (has_diverged or not self._run.has_plan)

    def _full_disk(self) -> bool:
        self._courier.stop()  # it would fill the room that is left for the status
        self._journal.make_room()
        self._write("FAILED", resumable=True)
        self._end_directly("FAILED")
        return False

    def _write(self, status: str, *, resumable: bool) -> None:
        with suppress(OSError):  # the journal's disk may be full, the store's not
            self._run.end(status, resumable=resumable)

    def _is_delivered(self, within: float, status: str | None = None, report: bool = True) -> bool:
        """Wait for the delivery; if it fails, write the status at least, and report the failure."""
        try:
            self._courier.finish(within)
        except (Undelivered, ValueError) as failure:
            if status:
                self._end_directly(status)
            if report:
                self._report(str(failure))
            return False
        return True

    def _end_directly(self, status: str) -> None:
        """Write a status past the journal, whose delivery had no time or no room."""
        if self._courier.waits:  # for a store that would not answer this either
            return
        # The store may be on the same disk, and needs room for the status, too.
        self._journal.make_room()
        with suppress(Exception):  # `fitreel sync` and `fitreel reap` remain
            end(self._client, self._client.get_run(self._run.run_id), status)
