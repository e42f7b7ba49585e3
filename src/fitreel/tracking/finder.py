"""Runs for a comparison, read together; those that cannot be compared are left out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mlflow.entities import Run as MlflowRun

from fitreel.checks.text import shortened
from fitreel.comparison.compared import ComparedRun, FilmedRun, OwnRun
from fitreel.tracking.source import Source
from fitreel.tracking.store.connection import plain_errors
from fitreel.tracking.tracker import Tracker


@dataclass(frozen=True)
class LeftOut:
    """A run that cannot be compared, and the reason."""

    name: str
    why: str


@dataclass(frozen=True)
class Found:
    """The runs that can be compared, in order, and those that were left out."""

    runs: tuple[ComparedRun, ...]
    experiments: Mapping[str, str]  # run id to experiment id
    left_out: tuple[LeftOut, ...]
    changed: tuple[str, ...] = ()  # names of runs whose points changed after the training


class Finder:
    """A reader of runs that collects those that can be compared, and why others cannot."""

    def __init__(self, tracker: Tracker, on_run: Callable[[int], None]) -> None:
        self._tracker = tracker
        self._on_run = on_run
        self._runs = list[ComparedRun]()
        self._experiments = dict[str, str]()
        self._left_out = list[LeftOut]()
        self._changed = list[str]()

    def read(self, runs: Sequence[str | MlflowRun]) -> None:
        """Read runs and leave out those that lack something; ConnectionError without a store."""
        # Reading from a server is mostly waiting; one thread reads a database faster than two.
        threads = 8 if self._tracker.uri.startswith("http") else 1
        with ThreadPoolExecutor(threads) as pool:
            for source, outcome in pool.map(self._read, runs):
                if source and source.run_id in self._experiments:
                    continue  # named twice, by its id and by its name
                if source and isinstance(outcome, ComparedRun):
                    self._runs.append(outcome)
                    self._experiments[source.run_id] = source.experiment_id
                    self._changed += [source.name] if source.has_changed_points else []
                elif isinstance(outcome, LeftOut):
                    self._left_out.append(outcome)
                self._on_run(self.count)

    def _read(self, run: str | MlflowRun) -> tuple[Source | None, ComparedRun | LeftOut]:
        source = None
        try:
            source = self._source(run)
            return source, compared(source)
        except (ValueError, OSError) as error:
            # The files may be elsewhere than the store. If the store itself is away, all runs would
            # be left out, one after the other.
            if isinstance(error, ConnectionError):
                self._check_store()
            return source, LeftOut(source.name if source else str(run), str(error))

    def _check_store(self) -> None:
        """Raise ConnectionError, unless only the files of a run are out of reach."""
        with plain_errors(self._tracker.client.tracking_uri):
            self._tracker.client.search_experiments(max_results=1)

    def _source(self, run: str | MlflowRun) -> Source:
        if isinstance(run, str):
            return self._tracker.source(run)
        return Source(self._tracker.client, run.info.run_id, run)

    @property
    def count(self) -> int:
        """How many runs can be compared."""
        return len(self._runs)

    def leave_out(self, name: str, why: str) -> None:
        """Add something that cannot be compared."""
        self._left_out.append(LeftOut(name, why))

    def found(self, which: str) -> Found:
        """Return what was found; ValueError if fewer than two runs can be compared.

        ``which`` describes the runs in that error.
        """
        if len(self._runs) < 2:
            one = self._left_out[0] if self._left_out else None
            more = f" with {len(self._left_out) - 1} more" if len(self._left_out) > 1 else ""
            why = f"; left out{more}: {shortened(one.name)}: {one.why}" if one else ""
            count = "only one" if self._runs else "none"
            raise ValueError(
                f"nothing to compare: {count} of the runs {which} can be used, two are needed{why}"
            )
        return Found(
            tuple(self._runs), self._experiments, tuple(self._left_out), tuple(self._changed)
        )


def compared(source: Source) -> ComparedRun:
    """Read what a comparison needs of a run.

    Raises ValueError or FileNotFoundError, with one line about what is missing.
    """
    if source.is_film:
        return _filmed(source)
    if source.kind:
        raise ValueError(f"run {source.run_id} is a {source.kind}, not an experiment")
    return OwnRun(
        source.run_id,
        source.name,
        source.all_settings(),
        source.metrics,
        source.dataset(),
        source.history(),
    )


def _filmed(source: Source) -> FilmedRun:
    reel = source.reel()
    if not reel.frames or not len(reel.steps):
        raise ValueError(
            f"run {source.run_id} is a film without a frame: its training ended before the first, "
            "or no prediction was finite"
        )
    facts = (source.run_id, source.name, source.all_settings(), source.metrics)
    return FilmedRun(*facts, reel.dataset, reel)


def named_runs(
    tracker: Tracker, run_ids: Iterable[str], on_run: Callable[[int], None] = lambda _: None
) -> Found:
    """Read the runs of these ids; ``on_run`` gets the number of usable ones after each.

    Raises ValueError if fewer than two can be compared, ConnectionError if the store is away.
    """
    finder = Finder(tracker, on_run)
    finder.read(list(run_ids))
    return finder.found("named")
