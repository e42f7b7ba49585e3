"""The gradients of a stack: the losses of all its members on all points, and where they point."""

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


class HingeGradients:
    """Compute losses and gradients of relu networks.

    A neuron is active on all points to one side of its kink. On sorted points every sum over the
    active ones is a difference of running sums, so that a member costs points plus neurons, not
    points times neurons. In float64, as differences lose digits.
    """

    dtype = torch.float64

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        self._x, order = dataset.x.to(device, self.dtype).sort()  # (points,)
        self._y = dataset.y.to(device, self.dtype)[order]

    def __call__(self, stack: Stack) -> Tensor:
        """Write the gradient into the stack; give the losses before the update: (members,)."""
        x, points = self._x, len(self._x)
        weight, bias, output, output_bias = Weights.split(stack.numbers)
        rising = weight > 0  # active on the right of its kink, the others on the left
        kink = -bias / weight
        first = torch.searchsorted(x, kink, right=True)
        place = torch.where(rising, first, torch.searchsorted(x, kink))  # (members, hidden)
        flat = weight == 0
        if flat.any():  # active everywhere or nowhere; padding is nowhere
            rising = rising | flat
            place = torch.where(flat, torch.where(bias > 0, 0, points), place)
        # What a neuron adds is a line where it is active: slopes and heights change at the kinks.
        slope, height = output * weight, output * bias
        sign = torch.where(rising, 1.0, -1.0).to(x)
        lines = []
        for change in (slope, height):
            steps = x.new_zeros(len(change), points + 1)
            steps.scatter_add_(1, place, sign * change)
            steps[:, 0] += (change - sign * change).sum(dim=1) / 2  # those active from the left
            lines.append(steps[:, :points].cumsum(dim=1))
        error = lines[0] * x + lines[1] + (output_bias - self._y)  # (members, points)
        losses = error.square().mean(dim=1)

        error *= 2 / points
        total, moment = (self._active(each, place, rising) for each in (error, error * x))
        by_weight, by_bias, by_output, by_output_bias = Weights.split(stack.gradient)
        torch.mul(output, moment, out=by_weight)
        torch.mul(output, total, out=by_bias)
        torch.addcmul(weight * moment, bias, total, out=by_output)
        torch.sum(error, dim=1, keepdim=True, out=by_output_bias)
        return losses

    @staticmethod
    def _active(values: Tensor, place: Tensor, rising: Tensor) -> Tensor:
        """Sum over the points on which each neuron is active: (members, hidden)."""
        running = torch.nn.functional.pad(values.cumsum(dim=1), (1, 0))
        before = running.gather(1, place)
        return torch.where(rising, running[:, -1:] - before, before)


def _tanh_slope(before: Tensor, active: Tensor) -> Tensor:  # noqa: ARG001
    return 1 - active * active


def _sigmoid_slope(before: Tensor, active: Tensor) -> Tensor:  # noqa: ARG001
    return active * (1 - active)


def _gelu_slope(before: Tensor, active: Tensor) -> Tensor:  # noqa: ARG001
    density = torch.exp(-before.square() / 2) / math.sqrt(2 * math.pi)
    return (1 + torch.erf(before / math.sqrt(2))) / 2 + before * density


SLOPES: dict[ActivationName, Callable[[Tensor, Tensor], Tensor]] = {
    "tanh": _tanh_slope,
    "sigmoid": _sigmoid_slope,
    "gelu": _gelu_slope,
}


class SmoothGradients:
    """Compute losses and gradients of networks with any activation but relu."""

    dtype = torch.float32

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        x, self._y = dataset.x.to(device), dataset.y.to(device)
        self._design = torch.stack([x, torch.ones_like(x)])  # (2, points)

    def __call__(self, stack: Stack) -> Tensor:
        """Write the gradient into the stack; give the losses before the update: (members,)."""
        points = rows_at_once(len(stack.numbers) * stack.hidden)
        if points >= len(self._y):
            return self._write(stack, self._design, self._y) / len(self._y)
        parts = zip(
            torch.split(self._design, points, dim=1), torch.split(self._y, points), strict=True
        )
        total, squares = torch.zeros_like(stack.gradient), self._y.new_zeros(len(stack.numbers))
        for part in parts:
            squares += self._write(stack, *part)
            total += stack.gradient
        stack.gradient.copy_(total)
        return squares / len(self._y)

    def _write(self, stack: Stack, design: Tensor, y: Tensor) -> Tensor:
        """Write what some points say of the gradient; give their squared errors: (members,)."""
        weight, bias, output, output_bias = Weights.split(stack.numbers)
        inner = torch.stack([weight, bias], dim=2)  # (members, hidden, 2)
        before = inner @ design  # (members, hidden, points)
        active = ACTIVATIONS[stack.activation][1](before)
        error = (output.unsqueeze(1) @ active).squeeze(1) + (output_bias - y)
        squares = error.square().sum(dim=1)

        error = error * (2 / len(self._y))  # (members, points)
        by_weight, by_bias, by_output, by_output_bias = Weights.split(stack.gradient)
        # The sigmoid of padding is not zero.
        by_output.copy_((active @ error.unsqueeze(2)).squeeze(2) * stack.is_neuron)
        slope = SLOPES[stack.activation](before, active) * error.unsqueeze(1)
        by_inner = (slope @ design.T) * output.unsqueeze(2)  # (members, hidden, 2)
        by_weight.copy_(by_inner[..., 0])
        by_bias.copy_(by_inner[..., 1])
        by_output_bias.copy_(error.sum(dim=1, keepdim=True))
        return squares
