"""The weights: the numbers of a network as plain tensors, or of many stacked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from fitreel.settings import ActivationName
from fitreel.training.activations import ACTIVATIONS
from fitreel.training.memory import rows_at_once


@dataclass(frozen=True, eq=False)
class Weights:
    """Hold the numbers of a network, or of many stacked along leading dimensions."""

    input_weight: Tensor  # (..., hidden)
    bias: Tensor  # (..., hidden)
    output_weight: Tensor  # (..., hidden)
    output_bias: Tensor  # (...)
    activation: ActivationName

    def __post_init__(self) -> None:
        shape = self.input_weight.shape
        given = (self.bias.shape, self.output_weight.shape, self.output_bias.shape)
        if not shape or given != (shape, shape, shape[:-1]):
            shapes = ", ".join(str(tuple(each)) for each in (shape, *given))
            raise ValueError(f"the shapes of the weights do not fit: {shapes}")

    @classmethod
    def from_parameters(cls, parameters: Sequence[Tensor], activation: ActivationName) -> Self:
        """Take the parameters of a network as torch keeps them, or stacked ones of many."""
        hidden_weight, hidden_bias, output_weight, output_bias = parameters
        return cls(
            hidden_weight.squeeze(-1),  # (..., hidden, 1)
            hidden_bias,
            output_weight.squeeze(-2),  # (..., 1, hidden)
            output_bias.squeeze(-1),  # (..., 1)
            activation,
        )

    def __getitem__(self, member: int) -> "Weights":
        """Give one network of a stack."""
        return Weights(
            self.input_weight[member],
            self.bias[member],
            self.output_weight[member],
            self.output_bias[member],
            self.activation,
        )

    def hidden_inputs(self, x: Tensor) -> Tensor:
        """Give what each neuron gets before its activation: (points,) to (..., points, hidden)."""
        inputs = self.input_weight.unsqueeze(-2) * x.unsqueeze(-1)
        return inputs + self.bias.unsqueeze(-2)

    def predict(self, x: Tensor) -> Tensor:
        """Give the network's output: x of shape (points,) to (..., points)."""
        rows = rows_at_once(self.bias.numel())
        return torch.cat([self._predict(some) for some in torch.split(x, rows)], dim=-1)

    def _predict(self, x: Tensor) -> Tensor:
        active = ACTIVATIONS[self.activation][1](self.hidden_inputs(x))
        return (active @ self.output_weight.unsqueeze(-1))[..., 0] + self.output_bias.unsqueeze(-1)

    def dead(self, x: Tensor) -> Tensor:
        """Mark the neurons that no x activates: (..., hidden) bool. Only relu can be silent."""
        # A neuron's input rises or falls with x, also when rounded: the ends say it all.
        silent = (self.hidden_inputs(torch.stack([x.min(), x.max()])) <= 0).all(dim=-2)
        return silent if self.activation == "relu" else torch.zeros_like(silent)
