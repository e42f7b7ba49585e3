"""The rounds: trials that are trained together, pruned and measured."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
import torch

from fitreel.checks.text import shown
from fitreel.data.dataset import Dataset
from fitreel.journal.clock import now
from fitreel.settings import DataSettings, EvaluationSettings, TrainingSettings
from fitreel.sweep.halving import rungs, worse_half
from fitreel.sweep.trials import Outcome, Trial, curve_steps
from fitreel.training.evaluation import evaluate_many, fold_errors
from fitreel.training.folds import folds
from fitreel.training.many import fit_many
from fitreel.training.members import Trained
from fitreel.training.memory import is_shortage


@dataclass(frozen=True, eq=False)
class Round:
    """All that is needed to train some trials as one stack."""

    dataset: Dataset
    data: DataSettings | None
    evaluation: EvaluationSettings
    trials: Sequence[Trial]
    prune: bool
    device: str = "cpu"
    cv: int = 0  # folds of each trial
    cv_seed: int = 0

    def train(self) -> list[Outcome]:
        """Train and measure the trials; a second call returns equal outcomes."""
        start = now()
        with _one_thread(), self._explained_shortage():
            trained, fold_errors = self._fit()
        networks = [each.weights for each in trained if each.weights is not None]
        measured = evaluate_many(networks, self.dataset, self.data, self.evaluation)
        metrics = [
            {} if each.weights is None else next(measured) | errors
            for each, errors in zip(trained, fold_errors, strict=True)
        ]
        return list(map(_outcome, self.trials, trained, metrics, repeat((start, now()))))

    def _fit(self) -> tuple[list[Trained], list[dict[str, float]]]:
        """Train on all rows, and on those of each fold; return also the errors over the folds."""
        settings = [trial.settings for trial in self.trials]
        looks = rungs(max(each.epochs for each in settings)) if self.prune else []
        kept = folds(self.dataset, self.cv, self.cv_seed) if self.cv else []
        # The folds are members of the same stacks as the networks that see all rows.
        masks = [mask for mask in (None, *kept) for _ in settings]
        trained = fit_many(
            self.dataset,
            settings * (1 + len(kept)),
            rungs=looks,
            prune=worse_half,
            device=self.device,
            kept=masks if kept else (),
        )
        count = len(settings)
        if not kept:
            return trained, [{}] * count
        errors = [
            fold_errors(self.dataset, trained[count + trial :: count], kept)
            for trial in range(count)
        ]
        return trained[:count], errors

    @contextmanager
    def _explained_shortage(self) -> Iterator[None]:
        """Raise MemoryError with the option that helps if the memory is full."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            raise MemoryError(
                f"device '{self.device}' has too little memory for a round of {len(self.trials)} "
                "trials; choose a smaller --round-size"
            ) from None


def _outcome(
    trial: Trial, trained: Trained, metrics: dict[str, float], times: tuple[int, int]
) -> Outcome:
    losses = trained.losses
    return Outcome(
        number=trial.number,
        end=trained.end,
        epochs=len(losses),
        log_every=trial.log_every,
        curve=losses[curve_steps(len(losses), trial.log_every)].astype(np.float32),
        metrics=metrics,
        weights=trained.weights,
        times=times,
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Leave the other processors to the thread that logs, and to other rounds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def check_device(name: str) -> None:
    """Train two tiny networks on the device; ValueError if it cannot do all that is needed."""
    points = Dataset(torch.tensor([-1.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 1.0]))
    relu = TrainingSettings(hidden=2, epochs=2)
    # Both update rules, and two kinds of slope: a device may lack a single operation.
    tiny = [relu, replace(relu, activation="tanh", optimizer="adam")]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about devices that torch deprecates
            fit_many(points, tiny, device=name)
    # No float64, nothing can be read back, a package or a driver is missing.
    except (RuntimeError, AssertionError, TypeError, ValueError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"device '{shown(name)}' cannot be used: {shown(reason)}") from None
