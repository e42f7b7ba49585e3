"""The courier: a thread that delivers a run's journal while the run goes on."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from mlflow.entities import RunTag
from mlflow.exceptions import MlflowException
from tenacity import (
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

from fitreel.journal.journal import Journal
from fitreel.journal.spool import Undelivered
from fitreel.tracking.client import Client
from fitreel.tracking.connection import is_passing, is_refusal, is_time_out, plain
from fitreel.tracking.delivery import Delivery
from fitreel.tracking.limits import CALL, request_limit
from fitreel.tracking.process import BEAT, heartbeat

PAUSE = 0.2  # seconds between two looks into the journal
LONGEST = 600.0  # seconds that a single delivery may take


class Courier(threading.Thread):
    """Deliver a journal while the run goes on, and tell that the run lives."""

    def __init__(
        self,
        client: Client,
        journal: Journal,
        run_id: str,
        on_refusal: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Get ready; ``on_refusal`` gets a line, once, if the store refuses the run meanwhile."""
        super().__init__(name="courier", daemon=True)
        self._client = client
        self._uri = client.tracking_uri
        self._run_id = run_id
        self._journal = journal
        self._delivery = Delivery(client, journal, run_id)
        self._closing = threading.Event()
        self._given_up = threading.Event()
        # Not is_alive(): a join() that a signal breaks off takes the thread for stopped.
        self._over = threading.Event()
        self._heard = time.monotonic()  # when the store took something last
        self._on_refusal = on_refusal
        self._heart = threading.Thread(target=self._beat, name="heart", daemon=True)
        self.trouble: Exception | None = None
        self._done = False

    def run(self) -> None:
        """Deliver what comes, until told to finish and nothing is left."""
        self._heart.start()
        told = False
        try:
            while not (self._done or self._given_up.is_set()):
                closing = self._closing.is_set()
                try:
                    self._deliver()
                    self._done = closing and not self._given_up.is_set()
                except MlflowException as error:
                    self.trouble = error
                    if closing or not is_refusal(error):
                        return
                    if not told:
                        told = True
                        self._on_refusal(self._refusal(error))
                    self._closing.wait(BEAT)
                    self.trouble = None  # a deleted run may have been restored
                self._closing.wait(PAUSE)
        except Exception as error:
            self.trouble = error
        finally:
            self._over.set()

    def _deliver(self) -> None:
        """Deliver all there is; MlflowException if the store refuses it."""
        retrying = Retrying(
            retry=retry_if_exception(self._note),
            wait=wait_random_exponential(multiplier=0.25, max=4),
            stop=stop_when_event_set(self._given_up),
            sleep=sleep_using_event(self._given_up),
            reraise=True,
        )
        while not self._given_up.is_set() and retrying(self._delivery.step):
            self._heard, self.trouble = time.monotonic(), None

    def _refusal(self, error: MlflowException) -> str:
        return (
            f"{plain(error, self._uri)}; run {self._run_id} goes on, "
            f"its results wait in {self._journal.directory}"
        )

    @property
    def waits(self) -> bool:
        """Tell whether it waits for a store that is away or busy."""
        return self.trouble is not None and is_passing(self.trouble)

    def _note(self, error: BaseException) -> bool:
        """Remember what goes wrong; tell whether to try again."""
        self.trouble = error if isinstance(error, Exception) else None
        if is_time_out(error):
            request_limit.stretch()
        return isinstance(error, Exception) and not is_refusal(error)

    def _beat(self) -> None:
        """Tell that the run lives, whatever becomes of its deliveries."""
        while not self._over.wait(BEAT):
            tags = [RunTag(*item) for item in heartbeat().items()]
            with suppress(Exception):  # there will be another
                self._client.log_batch(self._run_id, tags=tags)

    def stop(self) -> None:
        """Deliver no more; what is under way gets as long as a request."""
        self._given_up.set()
        self._closing.set()
        self._over.wait(CALL)

    def finish(
        self, patience: float, on_wait: Callable[[str], None], limit: float = math.inf
    ) -> None:
        """Wait until all is delivered; Undelivered if the store takes nothing for so long.

        ``on_wait`` is told once why it takes long; ``limit`` is for all of it, in seconds. Raises
        ValueError if the store refuses.
        """
        self._closing.set()
        began = self._heard = time.monotonic()
        told = False
        while not self._over.wait(0.02):
            now = time.monotonic()
            silence = now - self._heard
            lasting = self.trouble is not None and not is_passing(self.trouble)
            # Without trouble it is at work: some files are large.
            enough = patience if self.trouble else max(patience, LONGEST)
            if lasting or silence > enough or now - began > limit:
                self._given_up.set()
                break
            if self.trouble and silence > 1 and not told:
                told = True
                on_wait(str(plain(self.trouble, self._uri)))
        if self._done:
            return
        reason = plain(self.trouble or TimeoutError("interrupted"), self._uri)
        if self.trouble and is_refusal(self.trouble):
            raise ValueError(reason) from self.trouble
        raise Undelivered(
            f"{reason}; what it lacks waits in {self._journal.directory}: fitreel sync delivers it"
        )
