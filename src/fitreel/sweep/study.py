"""The study: Optuna chooses what to try, asked for a batch and told a batch."""

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, product
from types import MappingProxyType
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import FrozenTrial, TrialState

from fitreel.comparison.runs import higher_is_better
from fitreel.settings import SweepSettings
from fitreel.settings.space import KINDS, Dimension
from fitreel.sweep.archive import Archive
from fitreel.sweep.recall import RecallingSampler
from fitreel.sweep.trials import Outcome

FEWEST = 20  # trials of which can be told what decides
STATES = {
    "finished": TrialState.COMPLETE,
    "diverged": TrialState.FAIL,
    "pruned": TrialState.PRUNED,
}


class Study:
    """A search under way: what was asked, and what was told."""

    def __init__(self, settings: SweepSettings) -> None:
        """Begin one; the same answers always bring the same questions."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._metric = settings.metric
        self._distributions = {each.name: _distribution(each) for each in settings.dimensions}
        higher = higher_is_better(settings.metric)
        self._sign = -1 if higher else 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Optuna calls experimental
            self._sampler = RecallingSampler(_sampler(settings))
            self._study = optuna.create_study(
                sampler=self._sampler, direction="maximize" if higher else "minimize"
            )
        # Optuna's own grid stops a study by an error where it is asked and told.
        self._points = _grid(settings) if settings.sampler == "grid" else None
        self._asked: list[optuna.Trial] = []
        self._told = 0
        self._archive: Archive | None = None

    def archive_in(self, archive: Archive, name: str) -> None:
        """Copy what is told into an archive from now on."""
        archive.begin(name, self._study.direction)
        self._archive = archive

    def ask(
        self, count: int, known: Mapping[int, Mapping[str, Any]] = MappingProxyType({})
    ) -> list[dict[str, Any]]:
        """Choose the values of so many trials, before anything is known of them.

        Of those that are ``known``, by number, the values are what they were: a sampler may choose
        otherwise in the last bit, and another version of it in the first.
        """
        self._sampler.known = known
        first = len(self._asked)
        for number, point in enumerate(islice(self._points or (), count), start=first):
            self._study.enqueue_trial(dict(known.get(number, point)))
        asked = [self._study.ask(self._distributions) for _ in range(count)]
        self._asked += asked
        return [dict(trial.params) for trial in asked]

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """Say what came of the next ones, in the order in which they were asked."""
        for outcome in outcomes:
            trial = self._asked[outcome.number]
            value, state = outcome.metrics.get(self._metric, math.nan), STATES[outcome.end]
            if outcome.end == "pruned":  # a low loss is good whatever the metric
                trial.report(self._sign * float(outcome.curve[-1]), outcome.epochs)
            elif outcome.end == "finished" and math.isnan(value):
                state = TrialState.FAIL
            self._study.tell(trial, value if state == TrialState.COMPLETE else None, state=state)
            self._told += 1
        if self._archive:
            self._archive.extend(self._told_trials())

    def _told_trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)[: self._told]

    def importances(self) -> dict[str, float]:
        """Say how much each setting decides, most first; they add up to 1.

        Nothing where too few trials finished to tell, or there is but one setting.
        """
        finished = sum(trial.state == TrialState.COMPLETE for trial in self._told_trials())
        if len(self._distributions) < 2 or finished < FEWEST:
            return {}
        # Imported here: it brings scikit-learn, which takes a second.
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        try:
            # 8 ms where fANOVA's forest takes a second for some hundred trials.
            found = get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())
        except (ValueError, RuntimeError):  # all scores are equal
            return {}
        return {name: float(share) for name, share in found.items()}


def _distribution(dimension: Dimension) -> BaseDistribution:
    if dimension.values:
        return CategoricalDistribution(dimension.values)
    if KINDS[dimension.name] is int:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.is_log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.is_log)


def _grid(settings: SweepSettings) -> Iterator[dict[str, Any]]:
    names = [each.name for each in settings.dimensions]
    for values in product(*(each.grid for each in settings.dimensions)):
        yield dict(zip(names, values, strict=True))


def _sampler(settings: SweepSettings) -> BaseSampler:
    seed = settings.sweep_seed
    match settings.sampler:
        case "qmc":
            return QMCSampler(seed=seed, scramble=True)
        case "tpe":
            # The liar keeps the trials of a batch, which know nothing of each other, apart.
            return TPESampler(seed=seed, multivariate=True, constant_liar=True)
        case "cmaes":
            return CmaEsSampler(seed=seed)
    return RandomSampler(seed=seed)
