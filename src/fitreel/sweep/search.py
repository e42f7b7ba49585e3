"""The search: rounds are chosen, trained and reported, always in the same order."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fitreel.data.dataset import Dataset
from fitreel.settings import (
    DataSettings,
    EvaluationSettings,
    SweepSettings,
    TrainingSettings,
    with_values,
)
from fitreel.sweep.engines import Engine
from fitreel.sweep.rounds import Round
from fitreel.sweep.trials import Outcome, Trial

if TYPE_CHECKING:
    from fitreel.sweep.study import Study

# The trials that an interrupted search has trained already, by number.
KnownTrials = Mapping[int, tuple[TrainingSettings, Outcome]]
MOST_LOSSES_OF_A_ROUND = 50_000_000  # 0.6 GB: four bytes each in the stack, eight in the results


@dataclass(frozen=True)
class Search:
    """What is searched, and on which points."""

    settings: SweepSettings
    dataset: Dataset
    data: DataSettings | None  # how the points were drawn; None for a table
    base: TrainingSettings  # shared by all trials
    evaluation: EvaluationSettings

    @property
    def round_size(self) -> int:
        """The trials of a round: fewer if they are long, as their losses fill the memory."""
        lengths = [self.base.epochs]
        for each in self.settings.dimensions:
            if each.name == "epochs":
                lengths = [int(end) for end in each.values or (each.high,)]
        return max(1, min(self.settings.most_of_a_round, MOST_LOSSES_OF_A_ROUND // max(lengths)))

    def run(
        self, study: "Study", engine: Engine, known: KnownTrials
    ) -> Iterator[list[tuple[Trial, Outcome]]]:
        """Yield the trials and outcomes of every round, in order; ``known`` ones are not trained.

        A round is asked for when the one ``engine.parallel`` before it was reported, however fast
        the others are. So the choice depends on the seed alone, and a resumed search asks the
        same. No state of a sampler, which Optuna would pickle, is stored anywhere.
        """
        started = deque[tuple[list[Trial], Any]]()
        for first in range(0, self.settings.count, self.round_size):
            if len(started) == engine.parallel:
                yield from _finish(study, engine, known, *started.popleft())
            trials = self.ask(study, first, known)
            # A round with a single new trial is trained as a whole, because pruning compares its
            # trials.
            is_new = any(trial.number not in known for trial in trials)
            started.append((trials, engine.submit(self.round_of(trials)) if is_new else None))
        for each in started:
            yield from _finish(study, engine, known, *each)

    def ask(self, study: "Study", first: int, known: KnownTrials) -> list[Trial]:
        """Ask the study for the round that starts with trial number ``first``."""
        count = min(self.round_size, self.settings.count - first)
        names = [each.name for each in self.settings.dimensions]
        known_values = {
            number: {name: getattr(known[number][0], name) for name in names}
            for number in range(first, first + count)
            if number in known
        }
        trials = []
        for number, values in enumerate(study.ask(count, known_values), start=first):
            settings = with_values(self.base, values)
            trials.append(Trial(number, settings, self.settings.step(settings.epochs)))
        return trials

    def round_of(self, trials: Sequence[Trial]) -> Round:
        """Return what an engine needs to train the trials."""
        prune, device = self.settings.prune == "on", self.settings.device
        return Round(
            # No test row decides which trial is best.
            self.dataset.without_test(),
            self.data,
            self.evaluation,
            trials,
            prune,
            device,
            self.settings.cv,
            self.settings.sweep_seed,
        )


def _finish(
    study: "Study", engine: Engine, known: KnownTrials, trials: list[Trial], submitted: Any
) -> Iterator[list[tuple[Trial, Outcome]]]:
    trained = [] if submitted is None else engine.outcomes(submitted)
    found = {outcome.number: outcome for outcome in trained}
    # Known outcomes replace those that were trained again: they are in the store already.
    found |= {trial.number: known[trial.number][1] for trial in trials if trial.number in known}
    outcomes = [found[trial.number] for trial in trials]
    yield list(zip(trials, outcomes, strict=True))
    study.report(outcomes)  # after the caller has logged them


def open_study(settings: SweepSettings) -> "Study":
    """Create a study; ModuleNotFoundError names the extra to install if Optuna is missing."""
    try:
        from fitreel.sweep.study import Study
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"a sweep needs {error.name}: pip install 'fitreel[sweep]'"
        ) from None
    return Study(settings)
