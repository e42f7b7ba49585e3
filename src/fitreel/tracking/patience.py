"""Patience: ask a server again that is busy, for as long as it is worth it."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from fitreel.journal.spool import Unavailable
from fitreel.tracking.connection import answers_badly, is_passing, is_time_out, plain
from fitreel.tracking.limits import request_limit

Answer = TypeVar("Answer")


class Patience:
    """Ask again while a server is busy or away; say once that it takes long."""

    def __init__(
        self,
        uri: str,
        seconds: float,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Wait so long for a store; ``on_wait`` gets a line when it waits first."""
        self._uri = uri
        self._seconds = seconds
        self._on_wait = on_wait
        self._has_answered = False
        self._told = False

    def __call__(self, ask: Callable[[], Answer]) -> Answer:
        """Give the answer; Unavailable if there is none in all that time.

        A server that is not there at the first call is not waited for: its error is raised.
        """
        retrying = Retrying(
            retry=retry_if_exception(self._is_worth_it),
            wait=wait_random_exponential(multiplier=0.25, max=4),
            stop=stop_after_delay(self._seconds),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            answer = retrying(ask)
        except Exception as error:
            if self._is_worth_it(error):
                raise Unavailable(str(plain(error, self._uri))) from error
            raise
        self._has_answered = True
        return answer

    def _is_worth_it(self, error: BaseException) -> bool:
        if not self._uri.startswith("http"):  # a database waits by itself
            return False
        return is_passing(error) and (self._has_answered or answers_badly(error))

    def _tell(self, state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        if not isinstance(error, Exception):
            return
        if is_time_out(error):
            request_limit.stretch()
        if not self._told:
            self._told = True
            self._on_wait(f"{plain(error, self._uri)}; trying for {self._seconds:.0f} s")
