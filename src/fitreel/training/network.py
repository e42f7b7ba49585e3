"""The network: one hidden layer, linear output."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fitreel.data.dataset import Dataset
from fitreel.settings import ActivationName, TrainingSettings
from fitreel.training.activations import ACTIVATIONS
from fitreel.training.shape import NetworkShape
from fitreel.training.weights import Weights


class Network(nn.Module):
    """Map (rows, features) to (rows, outputs) through one hidden layer, in scaled units."""

    def __init__(self, settings: TrainingSettings, dataset: Dataset | None = None) -> None:
        """Draw the initial weights in PyTorch's distribution, from a generator of their own.

        The dataset says how many inputs and outputs there are; without it one each.
        """
        super().__init__()
        # Not torch's generator, which draws the points: with equal seeds the weights would be the
        # numbers of the noise.
        generator = np.random.Generator(np.random.Philox(key=settings.seed))
        features, outputs = (len(dataset.features), dataset.outputs) if dataset else (1, 1)
        self.hidden = _linear(features, settings.hidden, generator)
        self.activation = ACTIVATIONS[settings.activation][0]()  # for the printed structure
        self.output = _linear(settings.hidden, outputs, generator)
        self._activation_name = settings.activation
        self._scaling = dataset.scaling if dataset else None

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs from inputs, both scaled: (rows, features) to (rows, outputs)."""
        return forward(x, *self.parameters(), activation=self._activation_name)

    def __repr__(self) -> str:
        return f"Network({self.hidden.out_features:,} {self._activation_name} neurons)"

    @property
    def shape(self) -> NetworkShape:
        """How many neurons, inputs and outputs it has."""
        features, outputs = self.hidden.in_features, self.output.out_features
        return NetworkShape(self.hidden.out_features, features, outputs)

    def __str__(self) -> str:
        return super().__repr__()  # the structure, as torch prints it

    def weights(self) -> Weights:
        """Copy the weights as they are now."""
        copies = [parameter.detach().clone() for parameter in self.parameters()]
        return Weights.from_parameters(copies, self._activation_name, self._scaling)


def forward(
    x: Tensor,
    hidden_weight: Tensor,
    hidden_bias: Tensor,
    output_weight: Tensor,
    output_bias: Tensor,
    *,
    activation: ActivationName,
) -> Tensor:
    """Map (rows, features) to (rows, outputs) with the parameters of a network."""
    active = ACTIVATIONS[activation][1](F.linear(x, hidden_weight, hidden_bias))
    return F.linear(active, output_weight, output_bias)


def _linear(inputs: int, outputs: int, generator: np.random.Generator) -> nn.Linear:
    """Create a layer with numbers uniform between ±1/√inputs, as nn.Linear draws them."""
    # On the meta device nothing is drawn; the layer's own initialisation is global.
    layer = nn.Linear(inputs, outputs, device="meta")
    # torch's kaiming_uniform_ with a = √5 comes to the same bound for weights as for biases.
    bound = 1 / math.sqrt(inputs)
    for name, shape in (("weight", (outputs, inputs)), ("bias", (outputs,))):
        uniform = torch.tensor(generator.random(shape, dtype=np.float32))  # in [0, 1)
        setattr(layer, name, nn.Parameter((2 * uniform - 1) * bound))
    return layer
