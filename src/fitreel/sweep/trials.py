"""The trials: what a batch of them is given, and what comes of each, as plain data."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.data.dataset import Dataset
from fitreel.journal.checkpoints import pack, unpack
from fitreel.journal.clock import now
from fitreel.settings import DataSettings, EvaluationSettings, TrainingSettings
from fitreel.sweep.halving import rungs, worse_half
from fitreel.training.evaluation import evaluate_many
from fitreel.training.many import fit_many
from fitreel.training.memory import is_shortage
from fitreel.training.weights import Weights

End = Literal["finished", "diverged", "pruned"]


@dataclass(frozen=True)
class Trial:
    """Hold a training that is to be tried, and the step between the points of its curve."""

    number: int
    settings: TrainingSettings
    log_every: int

    @property
    def name(self) -> str:
        """Name its run, as in 12-relu20-sgd-lr0.1-e1000."""
        return f"{self.number}-{self.settings.label}"


@dataclass(frozen=True, eq=False)
class Outcome:
    """Hold what came of a trial: a thinned curve, metrics and weights; none if it diverged.

    ``times``, of its batch's start and end, are milliseconds since 1970.
    """

    number: int
    end: End
    epochs: int  # that were trained, with finite losses
    log_every: int  # epochs between two points of the curve
    curve: NDArray[np.float32]
    metrics: dict[str, float]
    weights: Weights | None
    times: tuple[int, int]

    def to_record(self) -> dict[str, Any]:
        """Write it as JSON has it, exactly."""
        weights = self.weights
        return {
            "number": self.number,
            "end": self.end,
            "epochs": self.epochs,
            "log_every": self.log_every,
            "curve": pack(self.curve),
            "metrics": self.metrics,
            "weights": weights and pack(weights.flat().numpy()),
            "activation": weights and weights.activation,
            "times": self.times,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Outcome":
        """Read it back."""
        weights = None
        if record["weights"]:
            numbers = torch.from_numpy(unpack(record["weights"]).copy())
            weights = Weights.from_flat(numbers, record["activation"])
        return cls(
            record["number"],
            record["end"],
            record["epochs"],
            record["log_every"],
            unpack(record["curve"]),
            record["metrics"],
            weights,
            (record["times"][0], record["times"][1]),
        )

    def without_curve(self) -> "Outcome":
        """Keep the last point of the curve alone: thousands of long ones fill the memory."""
        return replace(self, curve=self.curve[-1:].copy())


def curve_steps(epochs: int, step: int) -> NDArray[np.int64]:
    """Give the epochs that the points of a curve stand at: every ``step``, first and last too."""
    return np.unique(np.append(np.arange(0, epochs, step), range(epochs)[-1:])).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Batch:
    """Hold all that is needed to train some trials as one, on this machine or on another."""

    dataset: Dataset
    data: DataSettings
    evaluation: EvaluationSettings
    trials: Sequence[Trial]
    prune: bool
    device: str = "cpu"

    def train(self) -> list[Outcome]:
        """Train and measure; the same outcomes whenever it is done again."""
        start = now()
        settings = [trial.settings for trial in self.trials]
        looks = rungs(max(each.epochs for each in settings)) if self.prune else []
        with _one_thread(), self._enough_memory():
            trained = fit_many(
                self.dataset, settings, rungs=looks, prune=worse_half, device=self.device
            )
        networks = [each.weights for each in trained if each.weights is not None]
        measured = evaluate_many(networks, self.dataset, self.data, self.evaluation)
        times = (start, now())
        outcomes = []
        for trial, each in zip(self.trials, trained, strict=True):
            steps = curve_steps(len(each.losses), trial.log_every)
            curve = each.losses[steps].astype(np.float32)
            metrics = {} if each.weights is None else next(measured)
            outcomes.append(
                Outcome(
                    trial.number,
                    each.end,
                    len(each.losses),
                    trial.log_every,
                    curve,
                    metrics,
                    each.weights,
                    times,
                )
            )
        return outcomes

    @contextmanager
    def _enough_memory(self) -> Iterator[None]:
        """Say in a MemoryError what would need less."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            raise MemoryError(
                f"device '{self.device}' lacks the memory for a batch of {len(self.trials)}; "
                "choose a smaller --batch"
            ) from None


@contextmanager
def _one_thread() -> Iterator[None]:
    """Leave the other processors to whoever logs: threads that wait for a busy one stand still."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def check_device(name: str) -> None:
    """Train two tiny networks there; ValueError if that device cannot do all that is needed."""
    points = Dataset(torch.tensor([-1.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 1.0]))
    relu = TrainingSettings(hidden=2, epochs=2)
    tiny = [relu, replace(relu, activation="tanh", optimizer="adam")]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of devices that torch is about to drop
            fit_many(points, tiny, device=name)
    # No number in float64, nothing read back, a package or a driver that is missing.
    except (RuntimeError, AssertionError, TypeError, ValueError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"device '{shown(name)}' cannot be used: {shown(reason)}") from None
