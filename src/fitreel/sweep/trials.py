"""The trials: what is trained, and the outcome of each, as plain data."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fitreel.journal.checkpoints import pack, unpack
from fitreel.settings import TrainingSettings
from fitreel.settings.metrics import retired
from fitreel.training.members import End
from fitreel.training.shape import NetworkShape
from fitreel.training.weights import Weights


@dataclass(frozen=True)
class Trial:
    """A training of a sweep, and the epochs between two points of its logged curve."""

    number: int
    settings: TrainingSettings
    log_every: int

    @property
    def name(self) -> str:
        """The name of its run, as in 12-relu20-sgd-lr0.1-e1000."""
        return f"{self.number}-{self.settings.label}"


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of a trial: a thinned curve, metrics and weights (None if it diverged).

    ``times`` are those of its round's start and end, in milliseconds since 1970.
    """

    number: int
    end: End
    epochs: int  # trained, with finite losses
    log_every: int  # epochs between two points of the curve
    curve: NDArray[np.float32]
    metrics: dict[str, float]
    weights: Weights | None
    times: tuple[int, int]

    def to_record(self) -> dict[str, Any]:
        """Return it as a JSON object that loses no digit."""
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
            "shape": weights and list(weights.shape),
            "times": self.times,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Outcome":
        """Read an outcome from what ``to_record`` returned."""
        weights = None
        metrics: dict[str, float] = record["metrics"]
        if record["weights"]:
            # A copy: torch warns of memory that cannot be written.
            numbers = torch.from_numpy(unpack(record["weights"]).copy())
            shape = record.get("shape")  # missing in journals of fitreel 0.4: one x and one y
            weights = Weights.from_flat(
                numbers, record["activation"], shape and NetworkShape(*shape)
            )
        return cls(
            record["number"],
            record["end"],
            record["epochs"],
            record["log_every"],
            unpack(record["curve"]),
            # A journal of fitreel 0.3.0 has them all.
            {name: metrics[name] for name in metrics if name not in retired(metrics)},
            weights,
            (record["times"][0], record["times"][1]),
        )

    def without_curve(self) -> "Outcome":
        """Return a copy with the last point of the curve: thousands of curves fill the memory."""
        return replace(self, curve=self.curve[-1:].copy())


def curve_steps(epochs: int, step: int) -> NDArray[np.int64]:
    """Return the epochs of a curve's points: every ``step``, the first and the last."""
    return np.unique(np.append(np.arange(0, epochs, step), range(epochs)[-1:])).astype(np.int64)
