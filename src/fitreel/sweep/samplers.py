"""The samplers: how Optuna chooses the values of a trial."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from optuna import Study
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

from fitreel.settings import SweepSettings
from fitreel.settings.space import Dimension


def open_sampler(settings: SweepSettings) -> BaseSampler:
    """Create the sampler of the settings; a grid's is not used."""
    seed = settings.sweep_seed
    match settings.sampler:
        case "qmc":
            return QMCSampler(seed=seed, scramble=True)  # without it the seed is not used
        case "tpe":
            # The liar keeps the trials of a round apart, which do not know each other's results.
            return TPESampler(seed=seed, multivariate=True, constant_liar=True)
        case "cmaes":
            return CmaEsSampler(seed=seed)
    return RandomSampler(seed=seed)


def grid_points(settings: SweepSettings) -> Iterator[dict[str, Any]]:
    """Yield the points of a grid; nothing for any other sampler.

    Optuna's own grid sampler stops a study by an error if it is asked trial by trial.
    """
    if settings.sampler == "grid":
        names = [each.name for each in settings.dimensions]
        for values in product(*(each.grid for each in settings.dimensions)):
            yield dict(zip(names, values, strict=True))


def distribution_of(dimension: Dimension) -> BaseDistribution:
    """Return the values of a setting in Optuna's terms."""
    if dimension.values:
        return CategoricalDistribution(dimension.values)
    if dimension.kind is int:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.is_log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.is_log)


class RecallingSampler(BaseSampler):
    """Another sampler, except that the trials in ``known``, by number, keep their values.

    A resumed sweep asks for those again, and a sampler may choose otherwise by then: in the last
    bit on another processor, entirely in another version of Optuna. The other sampler draws for
    them too, so that its random state is the same afterwards.
    """

    def __init__(self, drawing: BaseSampler) -> None:
        """Wrap the sampler that draws."""
        self._drawing = drawing
        self.known: Mapping[int, Mapping[str, Any]] = {}

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the settings that the sampler draws together."""
        return self._drawing.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw the settings that depend on each other."""
        drawn = self._drawing.sample_relative(study, trial, search_space)
        known = self.known.get(trial.number, {})
        return {name: known.get(name, value) for name, value in drawn.items()}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw one setting."""
        drawn = self._drawing.sample_independent(study, trial, param_name, param_distribution)
        return self.known.get(trial.number, {}).get(param_name, drawn)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Prepare the sampler for a trial."""
        self._drawing.before_trial(study, trial)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Pass a trial to the sampler, which may learn from it."""
        self._drawing.after_trial(study, trial, state, values)
