"""The audience of a live page: how many look, and what is owed to them at the end."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = 50  # a viewer's message may take this part of the time, beside the training
LONGEST = 1.0  # seconds between two messages: the first one may take unusually long
MOST = 20  # viewers


class Audience:
    """The open pages of a training. All its methods may be called by any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._turn = threading.Lock()
        self._is_invited = False  # a browser was asked to open the page, and has not yet
        self._loading = 0  # pages that were sent and have not asked for news yet
        self._watching = 0
        self._owed = 0  # last pages that will be asked for

    @property
    def is_watching(self) -> bool:
        """Whether there is a viewer."""
        return self._watching > 0

    @property
    def is_full(self) -> bool:
        """Whether there are as many viewers as there may be."""
        return self._watching >= MOST

    def invite(self) -> None:
        """Expect a browser that was asked to open the page."""
        with self._changed:
            self._is_invited = True

    def disinvite(self) -> None:
        """Expect no browser: none was found."""
        with self._changed:
            self._is_invited = False
            self._changed.notify_all()

    def has_page(self, *, is_last: bool) -> None:
        """Count a page that was sent."""
        with self._changed:
            if is_last:
                self._owed = max(0, self._owed - 1)
            else:
                self._loading += 1
            self._is_invited = False
            self._changed.notify_all()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count a viewer during the block; OSError from it says that the viewer has gone."""
        with self._changed:
            self._loading = max(0, self._loading - 1)
            self._watching += 1
        try:
            yield
        except OSError:
            with self._changed:
                self._owed = max(0, self._owed - 1)
            raise
        finally:
            with self._changed:
                self._watching -= 1
                self._changed.notify_all()

    def expect_all(self) -> None:
        """Expect that each of them asks for the last page."""
        with self._changed:
            self._owed = self._loading + self._watching + self._is_invited

    def wait(self, seconds: float) -> None:
        """Wait until all have what they are owed, but not for longer than this."""
        with self._changed:
            self._changed.wait_for(lambda: not self._owed and not self._watching, seconds)

    @contextmanager
    def turn(self, *, is_urgent: bool) -> Iterator[None]:
        """Prepare one viewer's message after the other, for a small part of the time.

        What it takes from the thread that trains is bounded so, however many look.
        """
        with self._turn:
            before = time.thread_time()
            yield
            if not is_urgent:
                time.sleep(min(LONGEST, SHARE * (time.thread_time() - before)))
