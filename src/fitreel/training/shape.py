"""The shape of a network: how many numbers it has, and where they are in a flat row."""

from typing import NamedTuple

import torch
from torch import Tensor


class NetworkShape(NamedTuple):
    """How many neurons, inputs and outputs a network has."""

    hidden: int
    features: int = 1
    outputs: int = 1

    @property
    def size(self) -> int:
        """How many numbers a network has."""
        return self.hidden * (self.features + 1 + self.outputs) + self.outputs

    def split(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """View flat networks, (..., size), as the parameters of a torch module of this structure.

        Input weights (..., hidden, features), biases (..., hidden), output weights
        (..., outputs, hidden), output biases (..., outputs).
        """
        hidden, features, outputs = self
        sizes = [hidden * features, hidden, outputs * hidden, outputs]
        input_weight, bias, output_weight, output_bias = torch.split(rows, sizes, dim=-1)
        return (
            input_weight.unflatten(-1, (hidden, features)),  # type: ignore[no-untyped-call]
            bias,
            output_weight.unflatten(-1, (outputs, hidden)),  # type: ignore[no-untyped-call]
            output_bias,
        )
