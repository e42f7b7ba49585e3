"""The gradients of a stack: the losses of all its members on all points, and their slopes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from fitreel.data.dataset import Dataset
from fitreel.settings import ActivationName
from fitreel.training.activations import ACTIVATIONS
from fitreel.training.memory import rows_at_once
from fitreel.training.stack import Stack
from fitreel.training.weights import Weights


def _relu_slope(before: Tensor, active: Tensor) -> Tensor:  # noqa: ARG001
    return active.sign_()  # 0 at the kink, as in autograd; in place, which saves a sixth


def _tanh_slope(before: Tensor, active: Tensor) -> Tensor:  # noqa: ARG001
    return 1 - active * active


def _sigmoid_slope(before: Tensor, active: Tensor) -> Tensor:  # noqa: ARG001
    return active * (1 - active)


def _gelu_slope(before: Tensor, active: Tensor) -> Tensor:  # noqa: ARG001
    density = torch.exp(-before.square() / 2) / math.sqrt(2 * math.pi)
    return (1 + torch.erf(before / math.sqrt(2))) / 2 + before * density


# The derivative of each activation, from what goes into it and what comes out of it.
SLOPES: dict[ActivationName, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": _relu_slope,
    "tanh": _tanh_slope,
    "sigmoid": _sigmoid_slope,
    "gelu": _gelu_slope,
}


# Not by autograd: torch.func.vmap, as in PyTorch's tutorial on ensembles, takes three times as long
# (docs/benchmarks.md).
class Gradients:
    """The mean squared errors of the members of a stack, and their gradients.

    Written by hand, as matrices; each line holds for all members at once:

        before = inner · design             inner: input weight and bias of each neuron
        active = activation(before)         design: x and 1 of each point
        error = output · active + output bias - y
        loss = mean of error²

    and by the chain rule, where error stands for 2 / points times itself:

        by output bias = sum of error
        by output = error · activeᵀ
        by inner = output × (error × design) · slopeᵀ
    """

    def __init__(self, dataset: Dataset, dtype: torch.dtype, device: torch.device) -> None:
        x, self._y = dataset.x.to(device, dtype), dataset.y.to(device, dtype)
        self._design = torch.stack([x, torch.ones_like(x)])  # (2, points)

    def __call__(self, stack: Stack) -> tuple[Tensor, Tensor]:
        """Return the losses before the update, (members,), and their gradient, a row a member."""
        # (members, hidden, points) does not fit into memory if there are many points: sum over
        # parts.
        rows = rows_at_once(len(stack.numbers) * stack.hidden)
        x, y = torch.split(self._design, rows, dim=1), torch.split(self._y, rows)
        parts = [self._part(stack, *part) for part in zip(x, y, strict=True)]
        losses, gradient = parts[0]
        for more_losses, more_gradient in parts[1:]:
            losses += more_losses
            gradient += more_gradient
        return losses, gradient

    @staticmethod
    def _activate(name: ActivationName, before: Tensor) -> Tensor:
        # In place for relu, whose slope needs nothing of before.
        return torch.relu_(before) if name == "relu" else ACTIVATIONS[name][1](before)

    def _part(self, stack: Stack, design: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return what some points add to the losses and to the gradient."""
        weight, bias, output, output_bias = Weights.split(stack.numbers)
        inner = torch.stack([weight, bias], dim=2)  # (members, hidden, 2)
        before = inner @ design  # (members, hidden, points)
        active = self._activate(stack.activation, before)
        error = (output.unsqueeze(1) @ active).squeeze(1) + (output_bias - y)  # (members, points)
        losses = error.square().sum(dim=1) / len(self._y)

        error *= 2 / len(self._y)  # from here on the slope of the loss by the prediction
        by_output = (error.unsqueeze(1) @ active.mT).squeeze(1)  # (members, hidden)
        slope = SLOPES[stack.activation](before, active)
        # (members, 2, hidden): sums over the points, with design as the left factor, so that no
        # array of (members, hidden, points) is needed for the product.
        by_inner = (error.unsqueeze(1) * design) @ slope.mT * output.unsqueeze(1)
        gradient = Weights(
            by_inner[:, 0],
            by_inner[:, 1],
            by_output * stack.is_neuron,  # the sigmoid of padding is not zero
            error.sum(dim=1),
            stack.activation,
        )
        return losses, gradient.flat()
