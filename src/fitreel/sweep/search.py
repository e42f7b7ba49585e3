"""The search: batches asked for, trained, told, in an order that no engine changes."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from fitreel.data.dataset import Dataset
from fitreel.settings import (
    DataSettings,
    EvaluationSettings,
    SweepSettings,
    TrainingSettings,
    with_values,
)
from fitreel.sweep.trials import Batch, Outcome, Trial, check_device

if TYPE_CHECKING:
    from fitreel.sweep.study import Study

# What an interrupted search had of its trials, by their numbers.
Known = Mapping[int, tuple[TrainingSettings, Outcome]]
MOST_LOSSES = 50_000_000  # of a batch: at twelve bytes each 0.6 GB


class Engine(Protocol):
    """What trains batches."""

    parallel: int  # batches under way at once

    def submit(self, batch: Batch) -> Any:
        """Begin a batch; give what ``outcomes`` takes."""

    def outcomes(self, submitted: Any) -> list[Outcome]:
        """Wait for what came of a batch."""


class LocalEngine:
    """Train in this process, one batch after the other."""

    parallel = 1

    def submit(self, batch: Batch) -> Batch:
        """Leave it until it is waited for."""
        return batch

    def outcomes(self, submitted: Batch) -> list[Outcome]:
        """Train it."""
        return submitted.train()


@dataclass(frozen=True)
class Search:
    """Say what is searched, and on which points."""

    settings: SweepSettings
    dataset: Dataset
    data: DataSettings
    base: TrainingSettings  # what trials share
    evaluation: EvaluationSettings

    @property
    def batch_size(self) -> int:
        """Say how many trials share a batch: fewer of long ones, whose losses fill the memory."""
        lengths = [self.base.epochs]
        for each in self.settings.dimensions:
            if each.name == "epochs":
                lengths = [int(end) for end in each.values or (each.high,)]
        return max(1, min(self.settings.batch_size, MOST_LOSSES // max(lengths)))

    def run(
        self, study: "Study", engine: Engine, known: Known
    ) -> Iterator[list[tuple[Trial, Outcome]]]:
        """Give every batch's trials and outcomes, in order; ``known`` ones are not trained again.

        A batch is asked for when the one ``engine.parallel`` before it was told, however fast the
        others are: so the choice depends on the seed alone, and an interrupted search that is
        begun again asks the same.
        """
        waiting = deque[tuple[list[Trial], Any]]()
        for first in range(0, self.settings.count, self.batch_size):
            if len(waiting) == engine.parallel:
                yield from self._finish(study, engine, known, waiting.popleft())
            trials = self._ask(study, first, known)
            is_new = any(trial.number not in known for trial in trials)
            waiting.append((trials, engine.submit(self._batch(trials)) if is_new else None))
        for each in waiting:
            yield from self._finish(study, engine, known, each)

    def _ask(self, study: "Study", first: int, known: Known) -> list[Trial]:
        count = min(self.batch_size, self.settings.count - first)
        names = [each.name for each in self.settings.dimensions]
        values_of = {
            number: {name: getattr(known[number][0], name) for name in names}
            for number in range(first, first + count)
            if number in known
        }
        trials = []
        for number, values in enumerate(study.ask(count, values_of), start=first):
            settings = with_values(self.base, values)
            trials.append(Trial(number, settings, self.settings.step(settings.epochs)))
        return trials

    def _batch(self, trials: Sequence[Trial]) -> Batch:
        prune, device = self.settings.prune == "on", self.settings.device
        return Batch(self.dataset, self.data, self.evaluation, trials, prune, device)

    def _finish(
        self,
        study: "Study",
        engine: Engine,
        known: Known,
        under_way: tuple[list[Trial], Any],
    ) -> Iterator[list[tuple[Trial, Outcome]]]:
        trials, submitted = under_way
        found = [] if submitted is None else engine.outcomes(submitted)
        fresh = {outcome.number: outcome for outcome in found}
        outcomes = [
            known[trial.number][1] if trial.number in known else fresh[trial.number]
            for trial in trials
        ]
        yield list(zip(trials, outcomes, strict=True))
        study.tell(outcomes)  # after whoever got them has kept them


def open_study(settings: SweepSettings) -> "Study":
    """Begin a study; ModuleNotFoundError names the extra where Optuna is not installed."""
    try:
        from fitreel.sweep.study import Study
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"a sweep needs {error.name}: pip install 'fitreel[sweep]'"
        ) from None
    return Study(settings)


def open_engine(settings: SweepSettings) -> Engine:
    """Begin what the settings name; ValueError or ConnectionError where it is not to be had.

    ModuleNotFoundError names the extra where Ray is not installed.
    """
    if settings.engine == "ray":
        try:
            from fitreel.sweep.cluster import RayEngine
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"--engine ray needs {error.name}: pip install 'fitreel[ray]'"
            ) from None
        return RayEngine(settings)
    check_device(settings.device)
    return LocalEngine()
