"""A sampler that repeats the values of known trials, so that a resumed sweep asks the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState


class RecallingSampler(BaseSampler):
    """Another sampler, except that the trials in ``known``, by number, keep their values.

    The other one draws for those too, so that its random state is the same afterwards.
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
        """Let the sampler learn from a trial."""
        self._drawing.after_trial(study, trial, state, values)
