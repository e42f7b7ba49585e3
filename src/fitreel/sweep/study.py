"""The study: Optuna chooses the trials of a round and gets their outcomes."""

import math
import warnings
from collections.abc import Iterable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from fitreel.settings import SweepSettings
from fitreel.settings.metrics import higher_is_better, measured
from fitreel.sweep.archive import Archive
from fitreel.sweep.samplers import RecallingSampler, distribution_of, grid_points, open_sampler
from fitreel.sweep.trials import Outcome

FEWEST_FOR_IMPORTANCES = 20  # finished trials
STATES = {
    "finished": TrialState.COMPLETE,
    "diverged": TrialState.FAIL,  # samplers do not learn from it
    "pruned": TrialState.PRUNED,
}


class Study:
    """A study of Optuna in memory: the trials that were asked for, and their outcomes so far."""

    def __init__(self, settings: SweepSettings) -> None:
        """Create one; after equal outcomes it asks for equal trials."""
        # Otherwise it logs to standard error.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._metric = settings.metric
        self._distributions = {each.name: distribution_of(each) for each in settings.dimensions}
        higher = higher_is_better(settings.metric)
        self._sign = -1 if higher else 1
        direction = StudyDirection.MAXIMIZE if higher else StudyDirection.MINIMIZE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some samplers are experimental
            self._sampler = RecallingSampler(open_sampler(settings))
            self._study = optuna.create_study(sampler=self._sampler, direction=direction)
        self._points = grid_points(settings)
        self._asked: list[optuna.Trial] = []
        self._reported = 0
        self._archive: Archive | None = None

    def archive_in(self, archive: Archive, name: str) -> None:
        """Copy the outcomes that are reported from now on into an archive."""
        archive.begin(name, self._study.direction)
        self._archive = archive

    def ask(
        self, count: int, known: Mapping[int, Mapping[str, Any]] = MappingProxyType({})
    ) -> list[dict[str, Any]]:
        """Return the values of the next ``count`` trials; those in ``known``, by number, stay."""
        self._sampler.known = known
        for number, point in enumerate(islice(self._points, count), start=len(self._asked)):
            # What is queued is what ask() returns next, whatever the sampler.
            self._study.enqueue_trial(dict(known.get(number, point)))
        asked = [self._study.ask(self._distributions) for _ in range(count)]
        self._asked += asked
        return [dict(trial.params) for trial in asked]

    def report(self, outcomes: Iterable[Outcome]) -> None:
        """Report the outcomes of the next trials, in the order in which they were asked for."""
        for outcome in outcomes:
            self._report(self._asked[outcome.number], outcome)
            self._reported += 1
        if self._archive:
            self._archive.extend(self._reported_trials())

    def _report(self, trial: optuna.Trial, outcome: Outcome) -> None:
        value, state = measured(outcome.metrics, self._metric), STATES[outcome.end]
        if outcome.end == "pruned":  # a low loss is good for any metric
            trial.report(self._sign * float(outcome.curve[-1]), outcome.epochs)
        elif outcome.end == "finished" and math.isnan(value):
            state = TrialState.FAIL
        self._study.tell(trial, value if state == TrialState.COMPLETE else None, state=state)

    def _reported_trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)[: self._reported]

    def importances(self) -> dict[str, float]:
        """Return the share of every setting in being good, the largest first; their sum is 1.

        It is empty if too few trials finished or only one setting varies.
        """
        finished = sum(trial.state == TrialState.COMPLETE for trial in self._reported_trials())
        if len(self._distributions) < 2 or finished < FEWEST_FOR_IMPORTANCES:
            return {}
        # Imported here: it imports scikit-learn, which takes a second.
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        try:
            # 8 ms where fANOVA's forest takes a second for some hundred trials.
            found = get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())
        except (ValueError, RuntimeError):  # all scores are equal
            return {}
        return {name: float(share) for name, share in found.items()}
