"""The weights: the numbers of a network as plain tensors, or of many stacked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from fitreel.settings import ActivationName
from fitreel.training.activations import ACTIVATIONS
from fitreel.training.memory import rows_at_once


# eq=False: == of two tensors is a tensor, which has no truth value.
@dataclass(frozen=True, eq=False)
class Weights:
    """The numbers of a network, or of many stacked along leading dimensions.

    Flat, a network is one row: input weights, biases, output weights, output bias. The parameters
    of a torch module of this structure, one after the other, are the same row.
    """

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

    def __repr__(self) -> str:
        *stack, hidden = self.input_weight.shape
        many = " × ".join(f"{size:,}" for size in stack)
        return (
            f"Weights({f'{many} networks of ' if many else ''}{hidden:,} {self.activation} neurons)"
        )

    @staticmethod
    def count(hidden: int) -> int:
        """Return how many numbers a network of ``hidden`` neurons has."""
        return 3 * hidden + 1

    @staticmethod
    def split(rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the parts of flat networks as views: three of (..., hidden), one of (..., 1)."""
        hidden = (rows.shape[-1] - 1) // 3
        input_weight, bias, output_weight, output_bias = torch.split(
            rows, [hidden, hidden, hidden, 1], dim=-1
        )
        return input_weight, bias, output_weight, output_bias

    @classmethod
    def from_flat(cls, rows: Tensor, activation: ActivationName) -> Self:
        """Copy the weights of flat networks: (..., count) numbers."""
        # Parts in memory of their own, aligned: sums over slices differ in the last bit.
        input_weight, bias, output_weight, output_bias = (
            part.clone(memory_format=torch.contiguous_format) for part in cls.split(rows)
        )
        return cls(input_weight, bias, output_weight, output_bias.squeeze(-1), activation)

    def flat(self) -> Tensor:
        """Return the networks as flat rows: (..., count)."""
        parts = (self.input_weight, self.bias, self.output_weight, self.output_bias.unsqueeze(-1))
        return torch.cat(parts, dim=-1)

    @classmethod
    def from_parameters(cls, parameters: Sequence[Tensor], activation: ActivationName) -> Self:
        """View the parameters of a network as torch keeps them, or stacked ones of many."""
        hidden_weight, hidden_bias, output_weight, output_bias = parameters
        return cls(
            hidden_weight.squeeze(-1),  # (..., hidden, 1)
            hidden_bias,
            output_weight.squeeze(-2),  # (..., 1, hidden)
            output_bias.squeeze(-1),  # (..., 1)
            activation,
        )

    def parameters(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """View the weights as torch keeps the parameters of a network."""
        return (
            self.input_weight.unsqueeze(-1),  # (..., hidden, 1)
            self.bias,  # (..., hidden)
            self.output_weight.unsqueeze(-2),  # (..., 1, hidden)
            self.output_bias.unsqueeze(-1),  # (..., 1)
        )

    def __getitem__(self, members: int | slice | Tensor) -> "Weights":
        """Return one network of a stack, or some as a stack."""
        return Weights(
            self.input_weight[members],
            self.bias[members],
            self.output_weight[members],
            self.output_bias[members],
            self.activation,
        )

    def hidden_inputs(self, x: Tensor) -> Tensor:
        """Return the neurons' values before activation: (points,) to (..., points, hidden)."""
        inputs = self.input_weight.unsqueeze(-2) * x.unsqueeze(-1)
        return inputs + self.bias.unsqueeze(-2)

    def predict(self, x: Tensor) -> Tensor:
        """Return the network's output: x of shape (points,) to (..., points)."""
        rows = rows_at_once(self.bias.numel())
        # In parts: (..., points, hidden) of many points does not fit into memory.
        return torch.cat([self._predict(some) for some in torch.split(x, rows)], dim=-1)

    def _predict(self, x: Tensor) -> Tensor:
        active = ACTIVATIONS[self.activation][1](self.hidden_inputs(x))
        return (active @ self.output_weight.unsqueeze(-1))[..., 0] + self.output_bias.unsqueeze(-1)

    def dead(self, x: Tensor) -> Tensor:
        """Return which neurons no x activates: (..., hidden) bool. Only relu can be silent."""
        # A neuron's input rises or falls with x, also when rounded: the two ends are enough.
        silent = (self.hidden_inputs(torch.stack([x.min(), x.max()])) <= 0).all(dim=-2)
        return silent if self.activation == "relu" else torch.zeros_like(silent)
