"""The network: one hidden layer, linear output; and its weights as plain tensors."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fitreel.memory import rows_at_once
from fitreel.settings import ActivationName, TrainingSettings

ACTIVATIONS: dict[ActivationName, tuple[type[nn.Module], Callable[[Tensor], Tensor]]] = {
    "relu": (nn.ReLU, torch.relu),
    "tanh": (nn.Tanh, torch.tanh),
    "sigmoid": (nn.Sigmoid, torch.sigmoid),
    "gelu": (nn.GELU, F.gelu),
}


class Network(nn.Module):
    """Map (points, 1) to (points, 1) through one hidden layer."""

    def __init__(self, settings: TrainingSettings) -> None:
        """Draw the initial weights as PyTorch distributes them, from a stream of their own."""
        super().__init__()
        # Not torch's generator, which draws the points: equal seeds would give equal numbers.
        generator = np.random.Generator(np.random.Philox(key=settings.seed))
        self.hidden = _linear(1, settings.hidden, generator)
        self.activation = ACTIVATIONS[settings.activation][0]()  # for the printed structure
        self.output = _linear(settings.hidden, 1, generator)
        self._activation_name = settings.activation

    def forward(self, x: Tensor) -> Tensor:
        """Predict y from x."""
        return forward(x, *self.parameters(), activation=self._activation_name)

    def weights(self) -> "Weights":
        """Copy the weights as they are now."""
        copies = [parameter.detach().clone() for parameter in self.parameters()]
        return Weights.from_parameters(copies, self._activation_name)


def forward(
    x: Tensor,
    hidden_weight: Tensor,
    hidden_bias: Tensor,
    output_weight: Tensor,
    output_bias: Tensor,
    *,
    activation: ActivationName,
) -> Tensor:
    """Map (points, 1) to (points, 1) with the parameters of a network."""
    active = ACTIVATIONS[activation][1](F.linear(x, hidden_weight, hidden_bias))
    return F.linear(active, output_weight, output_bias)


def _linear(inputs: int, outputs: int, generator: np.random.Generator) -> nn.Linear:
    """Make a layer whose numbers are uniform between ±1/√inputs, as nn.Linear has them."""
    # On the meta device nothing is drawn; the layer's own initialisation is global.
    layer = nn.Linear(inputs, outputs, device="meta")
    bound = 1 / math.sqrt(inputs)
    for name, shape in (("weight", (outputs, inputs)), ("bias", (outputs,))):
        uniform = torch.tensor(generator.random(shape, dtype=np.float32))  # in [0, 1)
        setattr(layer, name, nn.Parameter((2 * uniform - 1) * bound))
    return layer


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
