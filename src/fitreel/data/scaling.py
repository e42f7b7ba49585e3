"""The scaling: means and deviations of the training rows, which a network subtracts and divides."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


# eq=False: == of two tensors is a tensor, which has no truth value.
@dataclass(frozen=True, eq=False)
class Scaling:
    """How raw units become those that a network computes with, and back; all float32."""

    input_mean: Tensor  # (features,)
    input_deviation: Tensor  # (features,), above 0
    target_mean: Tensor  # (), 0 for classes
    target_deviation: Tensor  # (), 1 for classes

    def __post_init__(self) -> None:
        if not (self.input_deviation > 0).all() or not self.target_deviation > 0:
            raise ValueError("the deviations of a scaling must be above 0")

    @classmethod
    def of(cls, inputs: Tensor, targets: Tensor) -> Self:
        """Return the scaling that gives these rows mean 0 and deviation 1.

        ``inputs`` are (rows, features); ``targets`` (rows,), whole numbers if they are classes. A
        constant column keeps its unit.
        """
        means, deviations = _moments(inputs)
        if targets.is_floating_point():
            mean, deviation = _moments(targets)
        else:
            mean, deviation = torch.tensor(0.0), torch.tensor(1.0)
        return cls(means, deviations, mean, deviation)

    def inputs(self, raw: Tensor) -> Tensor:
        """Scale inputs: (..., features)."""
        return (raw - self.input_mean) / self.input_deviation

    def targets(self, raw: Tensor) -> Tensor:
        """Scale targets of any shape."""
        return (raw - self.target_mean) / self.target_deviation

    def raw_targets(self, scaled: Tensor) -> Tensor:
        """Return scaled targets, or predictions of them, in raw units."""
        return scaled * self.target_deviation + self.target_mean


def _moments(columns: Tensor) -> tuple[Tensor, Tensor]:
    if columns.ndim == 1:
        mean, deviation = _moments(columns.unsqueeze(1))
        return mean[0], deviation[0]
    # One by one: the memory need not hold all of them in float64.
    moments = torch.tensor([_mean_and_deviation(column) for column in columns.unbind(dim=1)])
    means, deviations = moments.T.contiguous().unbind()
    return means, torch.where(deviations > 0, deviations, torch.ones_like(deviations))


def _mean_and_deviation(column: Tensor) -> tuple[float, float]:
    numbers = column.to(torch.float64)  # float32 sums over a million rows lose digits
    return numbers.mean().item(), numbers.std(correction=0).item()
