"""Runs to compare: named ones, or the best of an experiment; what cannot be read is left out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from mlflow.entities import Run as MlflowRun, ViewType
from mlflow.exceptions import MlflowException

from fitreel.checks.text import shown
from fitreel.comparison.runs import ComparedRun, higher_is_better, is_finite
from fitreel.settings import FILMED
from fitreel.tracking.connection import is_refusal, plain_errors
from fitreel.tracking.source import FILMED_TAG, KIND_TAG, TRIAL_TAG, Source
from fitreel.tracking.tracker import Tracker

PAGE = 200  # runs that are asked for at once


@dataclass(frozen=True)
class LeftOut:
    """Hold a run that cannot be compared."""

    name: str
    why: str


@dataclass(frozen=True)
class Found:
    """Hold what can be compared, in order, and what was met and cannot."""

    runs: tuple[ComparedRun, ...]
    experiments: Mapping[str, str]  # run id to experiment id
    left_out: tuple[LeftOut, ...]
    changed: tuple[str, ...] = ()  # names of runs whose points changed after their training


class Finder:
    """Read runs; remember those that can be compared, and why the others cannot."""

    def __init__(self, tracker: Tracker, on_run: Callable[[int], None]) -> None:
        self._tracker = tracker
        self._on_run = on_run
        self._runs = list[ComparedRun]()
        self._experiments = dict[str, str]()
        self._left_out = list[LeftOut]()
        self._changed = list[str]()

    def read(self, runs: Sequence[str | MlflowRun]) -> None:
        """Read runs, those that lack something aside; ConnectionError if the store is away."""
        # A server is mostly waited for; a database is read faster by one thread than by two.
        threads = 8 if self._tracker.uri.startswith("http") else 1
        with ThreadPoolExecutor(threads) as pool:
            for source, outcome in pool.map(self._read, runs):
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
            if isinstance(error, ConnectionError):
                self._check_store()
            return source, LeftOut(source.name if source else str(run), str(error))

    def _check_store(self) -> None:
        """Raise ConnectionError, unless it is only the files of a run that are out of reach."""
        with plain_errors(self._tracker.client.tracking_uri):
            self._tracker.client.search_experiments(max_results=1)

    def _source(self, run: str | MlflowRun) -> Source:
        if isinstance(run, str):
            return self._tracker.source(run)
        return Source(self._tracker.client, run.info.run_id, run)

    @property
    def count(self) -> int:
        """Count the runs that can be compared."""
        return len(self._runs)

    def leave_out(self, name: str, why: str) -> None:
        """Remember what cannot be compared."""
        self._left_out.append(LeftOut(name, why))

    def found(self, which: str) -> Found:
        """Give what was found; ValueError if that is less than two of the runs ``which``."""
        if len(self._runs) < 2:
            one = self._left_out[0] if self._left_out else None
            more = f" with {len(self._left_out) - 1} more" if len(self._left_out) > 1 else ""
            why = f"; left out{more}: {shown(one.name)}: {one.why}" if one else ""
            count = "only one" if self._runs else "none"
            raise ValueError(
                f"nothing to compare: {count} of the runs {which} can be used, two are needed{why}"
            )
        return Found(
            tuple(self._runs), self._experiments, tuple(self._left_out), tuple(self._changed)
        )


def compared(source: Source) -> ComparedRun:
    """Read of a run what a comparison needs.

    ValueError or FileNotFoundError say in a line what it lacks.
    """
    if kind := source.tags.get(KIND_TAG):
        raise ValueError(f"run {source.run_id} is a {shown(kind)} and no experiment")
    return ComparedRun(
        source.run_id,
        source.name,
        source.all_settings(),
        source.metrics,
        source.dataset(),
        source.history(),
    )


def named_runs(
    tracker: Tracker, run_ids: Iterable[str], on_run: Callable[[int], None] = lambda _: None
) -> Found:
    """Read the runs of these ids; ``on_run`` is told how many there are after each.

    Raises ValueError if fewer than two can be compared, ConnectionError if the store is away.
    """
    finder = Finder(tracker, on_run)
    finder.read(list(run_ids))
    return finder.found("named")


def best_runs(
    tracker: Tracker,
    experiment_id: str,
    count: int,
    metric: str,
    filter_text: str | None = None,
    on_run: Callable[[int], None] = lambda _: None,
) -> Found:
    """Read the best runs of an experiment by a metric, the best first.

    Only runs that have it, as a finite number, are looked at, and only until there are ``count``
    that can be compared. ``filter_text`` is what MLflow's own search takes. Raises as
    ``named_runs`` does, and ValueError if MLflow cannot read the filter.
    """
    finder = Finder(tracker, on_run)
    ranked = _best_first(tracker, experiment_id, metric, filter_text or "")
    unfilmed = list[int]()
    candidates = _filmed(ranked, unfilmed)
    while missing := count - finder.count:
        if not (batch := list(islice(candidates, missing))):
            break
        finder.read(batch)
    if lost := sum(place < count for place in unfilmed):
        trials = "a trial" if lost == 1 else "trials"
        finder.leave_out(
            f"{lost} of the best {count}",
            f"{trials} of a sweep, which films the best {FILMED} that finish; "
            "train more alone with fitreel run",
        )
    chosen = "that match the filter and " if filter_text else ""
    return finder.found(f"{chosen}whose {shown(metric)} is a finite number")


def _best_first(
    tracker: Tracker, experiment_id: str, metric: str, filter_text: str
) -> Iterator[MlflowRun]:
    order = [f"metrics.`{metric}` {'DESC' if higher_is_better(metric) else 'ASC'}"]
    token = None
    while True:
        with plain_errors(tracker.client.tracking_uri):
            try:
                page = tracker.client.search_runs(
                    [experiment_id],
                    filter_text,
                    run_view_type=ViewType.ACTIVE_ONLY,
                    max_results=PAGE,
                    order_by=order,
                    page_token=token,
                )
            except MlflowException as error:
                if not is_refusal(error):
                    raise
                raise ValueError(f"the filter does not work: {error.message}") from error
        for run in page:
            value = run.data.metrics.get(metric)
            if value is None:  # those without it are last
                return
            if is_finite(value) and KIND_TAG not in run.data.tags:
                yield run
        token = page.token
        if not token:
            return


def _filmed(runs: Iterable[MlflowRun], unfilmed: list[int]) -> Iterator[MlflowRun]:
    """Give those that can have a film; of a sweep's trials only the best have. Note the others."""
    for place, run in enumerate(runs):
        if TRIAL_TAG in run.data.tags and FILMED_TAG not in run.data.tags:
            unfilmed.append(place)
        else:
            yield run
