"""A run that another process trains, as it is watched; nothing is written, nothing is locked."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fitreel.data.dataset import Dataset
from fitreel.journal import spool
from fitreel.journal.following import journals_of
from fitreel.reel.probes import Probes, probes_of
from fitreel.settings import PATIENCE
from fitreel.tracking.names import FILM_KIND, PLAYER
from fitreel.tracking.news import GAP, News, NewsOfJournals, NewsOfStore
from fitreel.tracking.process import BEAT, MISSED, is_alive, silence
from fitreel.tracking.reaper import judge
from fitreel.tracking.source import Source
from fitreel.tracking.store.connection import plain_errors
from fitreel.tracking.tracker import Tracker

DELAY = 3.0  # seconds


@dataclass(frozen=True, eq=False)
class Beginning:
    """What is known of a training before its first point; ``steps`` is None for a film."""

    name: str
    dataset: Dataset
    probes: Probes
    steps: int | None


@dataclass(frozen=True)
class Outcome:
    """How a run ended: what its store says, or None and the reason why it says RUNNING still."""

    status: str | None
    reason: str = ""
    resumable: bool = False


class WatchedRun:
    """A run, read while it grows: from its journals if they are here, else from the store."""

    def __init__(self, tracker: Tracker, named: str) -> None:
        """Find the run; ValueError if it is missing, or trains nothing itself."""
        self._tracker = tracker
        self._source = tracker.source(named)
        self.run_id = self._source.run_id
        if self._source.is_trial or self._source.kind not in (None, FILM_KIND):
            kind = "trial of a sweep" if self._source.is_trial else self._source.kind
            raise ValueError(f"run {self.run_id} is a {kind}; watch shows a training")
        self._journals = journals_of(self.run_id)
        self._news: NewsOfJournals | NewsOfStore | None = None
        self._asked_at = -GAP
        self._trouble_since: float | None = None
        self._gone_since: float | None = None

    @property
    def is_here(self) -> bool:
        """Whether its journal is on this machine: elsewhere it has no frames before its end."""
        return bool(self._journals)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for journal in self._journals:
            journal.close()

    def begin(self) -> Beginning | None:
        """Return what is known before the first point; None while its process prepares that."""
        with self._patiently():
            source = self._source = self._tracker.source(self.run_id)
            is_film = source.kind == FILM_KIND
            settings = source.training_settings()
            try:
                if is_film:
                    dataset, probes = source.film_rows()
                elif settings is None:
                    return None
                else:
                    dataset = source.dataset().without_test()
                    probes = probes_of(dataset)
            except FileNotFoundError:
                return None
            self._news = (
                NewsOfJournals(self._journals, dataset, probes, None if is_film else settings)
                if self._journals
                else NewsOfStore(self._tracker.client, self.run_id, is_film=is_film)
            )
            steps = None if is_film or settings is None else settings.epochs
            return Beginning(source.name, dataset, probes, steps)
        return None

    def news(self, *, at_once: bool = False) -> News:
        """Return what came since the last call; a store is asked seldom, unless ``at_once``."""
        if isinstance(self._news, NewsOfJournals):
            return self._news.read()
        if self._news:
            with self._patiently():
                return self._news.read(at_once=at_once)
        return News()

    def outcome(self) -> Outcome | None:
        """Return how the run ended; None while it goes on. The store is asked once a second."""
        if time.monotonic() - self._asked_at < GAP:
            return None
        with self._patiently():
            run = self._tracker.client.get_run(self.run_id)
            self._asked_at = time.monotonic()
            self._source = source = Source(self._tracker.client, self.run_id, run)
            mine = [entry for entry in spool.entries() if entry.run_id == self.run_id]
            if source.status != "RUNNING":
                return Outcome(source.status, resumable=any(not each.is_over for each in mine))
            if mine or not self._journals:
                self._gone_since = None
            elif self._has_been_gone():
                return Outcome(None, "its training is over; the run itself says RUNNING")
            alive = is_alive(source.tags)
            if alive is False or (alive is None and silence(source.tags) > MISSED * BEAT):
                return Outcome(None, judge(self._tracker, run, MISSED * BEAT, mine).reason)
        return None

    def _has_been_gone(self) -> bool:
        """Return whether its journals were removed some time ago, as after a film in a run."""
        # Some time: the status of a run is written just before its journal is removed.
        now = time.monotonic()
        self._gone_since = self._gone_since or now
        return now - self._gone_since > DELAY

    @property
    def has_player(self) -> bool:
        """Whether the run has the page that plays it."""
        return self._source.first_of([PLAYER]) is not None

    def player(self) -> AbstractContextManager[Path]:
        """Yield a copy of the page that plays it."""
        return self._source.page(PLAYER)

    @contextmanager
    def _patiently(self) -> Iterator[None]:
        """Bear with a store that is away for some time: the journal may be here."""
        try:
            with plain_errors(self._tracker.client.tracking_uri):
                yield
            self._trouble_since = None
        except ConnectionError:
            now = time.monotonic()
            self._trouble_since = self._trouble_since or now
            if now - self._trouble_since > PATIENCE:
                raise
