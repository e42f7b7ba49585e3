"""The courier: a thread that delivers the journal while the run continues."""

import math
import threading
import time
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
from fitreel.journal.records import Damaged
from fitreel.journal.spool import Undelivered
from fitreel.tracking.delivery.delivery import Delivery
from fitreel.tracking.packing import packed
from fitreel.tracking.process import BEAT, owner_tags
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.connection import is_passing, is_refusal, is_time_out, plain
from fitreel.tracking.store.limits import CALL, request_limit
from fitreel.tracking.store.patience import Patience

PAUSE = 0.2  # seconds between two looks into the journal
LATE = 2.0  # seconds until a gentle delivery begins: what a run starts with takes 0.1 s
GENTLE = 25  # times the seconds of a delivery is the pause after it, if it is gentle
LONGEST_STEP = 600.0  # seconds that one step of the delivery may take without any trouble
REPORTED_AFTER = 1.0  # seconds that the end waits for a store until it says so


class Courier(threading.Thread):
    """A thread that delivers a journal; another one sends the heartbeat of the run."""

    def __init__(
        self,
        client: Client,
        journal: Journal,
        run_id: str,
        patience: Patience,
        *,
        has_heart: bool = True,
        is_gentle: bool = False,
    ) -> None:
        """Prepare a delivery; without a heart it leaves the owner of the run as it is.

        A gentle one takes a 25th of the time at most, until the end: Python runs one thread at a
        time, and a thousand points take MLflow 0.2 s.
        """
        # daemon: a request that never ends must not keep the process alive.
        super().__init__(name="courier", daemon=True)
        self._client = client
        self._uri = client.tracking_uri
        self._run_id = run_id
        self._journal = journal
        self._patience = patience
        self._delivery = Delivery(client, journal, run_id)
        self._closing = threading.Event()
        self._given_up = threading.Event()
        # Not is_alive(): a join() that a signal breaks off takes the thread for stopped.
        self._over = threading.Event()
        self._progress_at = time.monotonic()  # when the store took something last
        # A thread of its own: an upload may take minutes, and without heartbeats a run looks dead.
        self._heart = threading.Thread(target=self._beat, name="heart", daemon=True)
        self._has_heart, self._is_gentle = has_heart, is_gentle
        self._trouble: Exception | None = None
        self._has_reported_refusal = False
        self._done = False

    def run(self) -> None:
        """Deliver what the journal gets, until ``finish`` is called and nothing is left."""
        if self._has_heart:
            self._heart.start()
        if self._is_gentle:
            self._closing.wait(LATE)
        try:
            while not (self._done or self._given_up.is_set()):
                # Read before the delivery: what is appended until `finish` is called must be
                # delivered, too.
                closing = self._closing.is_set()
                started = time.thread_time()
                try:
                    self._deliver()
                    self._done = closing and not self._given_up.is_set()
                except MlflowException as error:
                    self._wait_after_refusal(error, closing)
                busy = time.thread_time() - started
                self._closing.wait(max(PAUSE, GENTLE * busy if self._is_gentle else 0.0))
        except Exception as error:
            self._trouble = error
        finally:
            self._over.set()

    def _deliver(self) -> None:
        """Deliver all there is; MlflowException if the store refuses it."""
        retrying = Retrying(
            retry=retry_if_exception(self._note),
            # Random, so that many commands do not come back to a busy server at the same moment.
            wait=wait_random_exponential(multiplier=0.25, max=4),
            stop=stop_when_event_set(self._given_up),
            sleep=sleep_using_event(self._given_up),
            reraise=True,
        )
        while not self._given_up.is_set() and retrying(self._delivery.step):
            self._progress_at, self._trouble = time.monotonic(), None

    def _note(self, error: BaseException) -> bool:
        """Remember what goes wrong; return whether to retry."""
        self._trouble = error if isinstance(error, Exception) else None
        if is_time_out(error):
            request_limit.stretch()
        return isinstance(error, Exception) and not is_refusal(error)

    def _wait_after_refusal(self, error: MlflowException, closing: bool) -> None:
        """Report the first refusal, and wait: a run that was deleted may be restored."""
        self._trouble = error
        if closing or not is_refusal(error):
            raise error
        if not self._has_reported_refusal:
            self._has_reported_refusal = True
            self._patience.report(
                f"{plain(error, self._uri)}; run {self._run_id} continues; "
                f"its results wait in {self._journal.directory}"
            )
        self._closing.wait(BEAT)
        self._trouble = None

    @property
    def is_done(self) -> bool:
        """Whether all is delivered."""
        return self._done

    @property
    def waits(self) -> bool:
        """Whether it waits for a store that is away or busy."""
        return self._trouble is not None and is_passing(self._trouble)

    def _beat(self) -> None:
        """Send heartbeats, also while nothing can be delivered."""
        while not self._over.wait(BEAT):
            with suppress(Exception):  # there will be another
                owner = owner_tags(self._journal.directory.name)
                tags = [RunTag(*item) for item in packed(owner, owner).items()]
                self._client.log_batch(self._run_id, tags=tags)

    def stop(self) -> None:
        """Deliver no more; a request that is under way gets the time of a call."""
        self._given_up.set()
        self._closing.set()
        self._over.wait(CALL)

    def finish(self, within: float = math.inf) -> None:
        """Wait until all is delivered, for ``within`` seconds at most.

        Raises Undelivered if the store takes nothing for as long as the patience lasts, ValueError
        if it refuses. The first wait of a second is reported, with its reason.
        """
        self._closing.set()
        self._wait(within)
        if self._done:
            return
        reason = plain(self._trouble or TimeoutError("interrupted"), self._uri)
        if isinstance(self._trouble, Damaged):
            raise ValueError(f"{reason}; what is missing is computed again by fitreel resume")
        if self._trouble and is_refusal(self._trouble):
            raise ValueError(reason) from self._trouble
        raise Undelivered(
            f"{reason}; undelivered results wait in {self._journal.directory}: "
            "upload them with fitreel sync"
        )

    def _wait(self, within: float) -> None:
        started = self._progress_at = time.monotonic()
        has_reported = False
        # In short waits, because the end depends on the time, too.
        while not self._over.wait(0.02):
            now = time.monotonic()
            silence = now - self._progress_at
            if now - started > within or self._is_hopeless(silence):
                self._given_up.set()
                return
            trouble = self._trouble
            if trouble and silence > REPORTED_AFTER and not has_reported:
                has_reported = True
                self._patience.report(str(plain(trouble, self._uri)))

    def _is_hopeless(self, silence: float) -> bool:
        """Return whether waiting is useless, after so many seconds in which nothing was taken."""
        trouble = self._trouble
        if trouble is None:  # it is at work: some files are large
            return silence > max(self._patience.seconds, LONGEST_STEP)
        return silence > self._patience.seconds or not is_passing(trouble)
