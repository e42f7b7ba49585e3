"""The weights: the numbers of a network as plain tensors, or of many stacked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from fitreel.data.scaling import Scaling
from fitreel.settings import ActivationName
from fitreel.training.activations import ACTIVATIONS
from fitreel.training.memory import rows_at_once
from fitreel.training.shape import NetworkShape


# eq=False: == of two tensors is a tensor, which has no truth value.
@dataclass(frozen=True, eq=False)
class Weights:
    """The numbers of a network, or of many stacked along leading dimensions.

    The four tensors have the shapes of a torch module's parameters. Flat, a network is one row:
    these parameters, one after the other. A network with one output predicts numbers, one with more
    the probabilities of classes.
    """

    input_weight: Tensor  # (..., hidden, features)
    bias: Tensor  # (..., hidden)
    output_weight: Tensor  # (..., outputs, hidden)
    output_bias: Tensor  # (..., outputs)
    activation: ActivationName
    scaling: Scaling | None = None  # one for all of a stack

    def __post_init__(self) -> None:
        *stack, hidden = self.bias.shape or (0,)
        features, outputs = self.input_weight.shape[-1:], self.output_bias.shape[-1:]
        wanted = ((hidden, *features), (hidden,), (*outputs, hidden), outputs)
        if [each.shape for each in self.parameters()] != [(*stack, *each) for each in wanted]:
            shapes = ", ".join(str(tuple(each.shape)) for each in self.parameters())
            raise ValueError(f"the shapes of the weights do not fit: {shapes}")

    def __repr__(self) -> str:
        *stack, hidden = self.bias.shape
        many = " × ".join(f"{size:,}" for size in stack)
        return (
            f"Weights({f'{many} networks of ' if many else ''}{hidden:,} {self.activation} neurons)"
        )

    @property
    def shape(self) -> NetworkShape:
        """How many neurons, inputs and outputs each network has."""
        return NetworkShape(
            self.bias.shape[-1], self.input_weight.shape[-1], self.output_bias.shape[-1]
        )

    @property
    def is_classifier(self) -> bool:
        """Whether it predicts the probabilities of classes."""
        return self.shape.outputs > 1

    @classmethod
    def from_flat(
        cls,
        rows: Tensor,
        activation: ActivationName,
        shape: NetworkShape | None = None,
        scaling: Scaling | None = None,
    ) -> Self:
        """Copy the weights of flat networks, (..., size); ``shape`` is left out for one x and y."""
        shape = shape or NetworkShape((rows.shape[-1] - 1) // 3)
        # Parts in memory of their own, aligned: sums over slices differ in the last bit.
        parts = [part.clone(memory_format=torch.contiguous_format) for part in shape.split(rows)]
        return cls.from_parameters(parts, activation, scaling)

    def flat(self) -> Tensor:
        """Return the networks as flat rows: (..., size)."""
        stack = self.bias.shape[:-1]
        return torch.cat([part.reshape(*stack, -1) for part in self.parameters()], dim=-1)

    @classmethod
    def from_parameters(
        cls,
        parameters: Sequence[Tensor],
        activation: ActivationName,
        scaling: Scaling | None = None,
    ) -> Self:
        """View the parameters of a network as torch keeps them, or stacked ones of many."""
        input_weight, bias, output_weight, output_bias = parameters
        return cls(input_weight, bias, output_weight, output_bias, activation, scaling)

    def parameters(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """View the weights as torch keeps the parameters of a network."""
        return self.input_weight, self.bias, self.output_weight, self.output_bias

    def __getitem__(self, members: int | slice | Tensor) -> "Weights":
        """Return one network of a stack, or some as a stack."""
        parts = [each[members] for each in self.parameters()]
        return Weights.from_parameters(parts, self.activation, self.scaling)

    def with_scaling(self, scaling: Scaling | None) -> "Weights":
        """Return the same networks with the scaling of the rows that they were trained on."""
        return replace(self, scaling=scaling)

    def hidden_inputs(self, x: Tensor) -> Tensor:
        """Return the neurons' values before activation: (..., rows, hidden).

        ``x`` are inputs in raw units: (rows,), or (rows, features).
        """
        return self._before(self._scaled(x))

    def predict(self, x: Tensor) -> Tensor:
        """Return the predictions for inputs in raw units: (rows,), or (rows, features).

        Numbers in raw units, (..., rows), or the probabilities of classes, (..., rows, classes).
        One network of scaled rows computes in float64 and rounds once.
        """
        if self.scaling and self.bias.ndim == 1:
            # So that numpy, which serves it, rounds to the same float32: float32 sums in another
            # order differ in their last bits. Stacks, for films, need the speed.
            return self._predict_precisely(x, self.scaling).float()
        outputs = self.outputs(x)
        if self.is_classifier:
            return outputs.softmax(dim=-1)
        predictions = outputs[..., 0]
        return self.scaling.raw_targets(predictions) if self.scaling else predictions

    def _predict_precisely(self, x: Tensor, scaling: Scaling) -> Tensor:
        parts = [part.double() for part in self.parameters()]
        precise = Weights.from_parameters(parts, self.activation)
        inputs, rows = self._scaled(x), rows_at_once(self.bias.numel())
        # Scaled in float32, as in the training; in float64 part by part, for the memory.
        outputs = torch.cat([precise._outputs(some.double()) for some in torch.split(inputs, rows)])
        if self.is_classifier:
            return outputs.softmax(dim=-1)
        return outputs[:, 0] * scaling.target_deviation.double() + scaling.target_mean.double()

    def outputs(self, x: Tensor) -> Tensor:
        """Return what the output layer computes: (..., rows, outputs), not yet in raw units."""
        inputs, rows = self._scaled(x), rows_at_once(self.bias.numel())
        # In parts: (..., rows, hidden) of many rows does not fit into memory.
        return torch.cat([self._outputs(some) for some in torch.split(inputs, rows)], dim=-2)

    def _scaled(self, x: Tensor) -> Tensor:
        inputs = x.unsqueeze(-1) if x.ndim == 1 else x
        return self.scaling.inputs(inputs) if self.scaling else inputs

    def _before(self, inputs: Tensor) -> Tensor:
        return inputs @ self.input_weight.mT + self.bias.unsqueeze(-2)

    def _outputs(self, inputs: Tensor) -> Tensor:
        active = ACTIVATIONS[self.activation][1](self._before(inputs))
        weight = self.output_weight.mT.clone(memory_format=torch.contiguous_format)
        return active @ weight + self.output_bias.unsqueeze(-2)

    def dead(self, x: Tensor) -> Tensor:
        """Return which neurons no row of x activates: (..., hidden) bool. Only relu can be silent.

        ``x`` are inputs in raw units: (rows,), or (rows, features).
        """
        if self.activation != "relu":
            return torch.zeros(self.bias.shape, dtype=torch.bool)
        if x.ndim == 1:  # a neuron's input rises or falls with x, also when rounded: the two ends
            x = torch.stack([x.min(), x.max()])
        silent = torch.ones(self.bias.shape, dtype=torch.bool)
        for some in torch.split(x, rows_at_once(self.bias.numel())):
            silent &= (self.hidden_inputs(some) <= 0).all(dim=-2)
        return silent
