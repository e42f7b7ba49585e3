"""Patience: how long to wait for a store that is busy or away, and retrying until then."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from fitreel.journal.spool import Unavailable
from fitreel.settings import PATIENCE
from fitreel.tracking.store.connection import answers_badly, is_passing, is_time_out, plain
from fitreel.tracking.store.limits import request_limit

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Patience:
    """How long to wait for a store, in seconds, and what to call with a line about the wait."""

    seconds: float = PATIENCE
    report: Callable[[str], None] = lambda _: None


class Retries:
    """Retries of the requests to one server; the first wait is reported, later ones are not."""

    def __init__(self, uri: str, patience: Patience) -> None:
        self._uri = uri
        self._patience = patience
        self._has_answered = False
        self._has_reported = False

    def __call__(self, ask: Callable[[], Answer]) -> Answer:
        """Return what ``ask`` returns; Unavailable if it still fails at the end of the patience.

        The error of a server that is not there at the first call is raised at once.
        """
        retrying = Retrying(
            retry=retry_if_exception(self._is_worth_it),
            # Random, so that many commands do not come back to a busy server at the same moment.
            wait=wait_random_exponential(multiplier=0.25, max=4),
            stop=stop_after_delay(self._patience.seconds),
            before_sleep=self._before_sleep,
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

    def _before_sleep(self, state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        if not isinstance(error, Exception):
            return
        if is_time_out(error):
            request_limit.stretch()
        if not self._has_reported:
            self._has_reported = True
            seconds = f"{self._patience.seconds:.0f} s"
            self._patience.report(f"{plain(error, self._uri)}; trying for {seconds}")
