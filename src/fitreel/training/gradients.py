"""The gradients of a stack: the losses of all its members on all rows, and their slopes."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fitreel.data.dataset import Dataset, Rows, scaled
from fitreel.settings import ActivationName, LossName
from fitreel.training.activations import ACTIVATIONS
from fitreel.training.error_slopes import ERROR_SLOPES, cross_entropy
from fitreel.training.errors import loss_unit
from fitreel.training.memory import rows_at_once
from fitreel.training.stack import Stack


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
    """The losses of the members of a stack, and their gradients.

    Written by hand, as matrices; each line holds for all members at once:

        before = inner · design             inner: input weights and bias of each neuron
        active = activation(before)         design: the features and 1 of each row
        outputs = output · active + output bias
        loss = mean of the errors of the outputs

    and by the chain rule, where error stands for the slope of the loss by the outputs:

        by output bias = sum of error
        by output = error · activeᵀ
        by inner = (outputᵀ · error × slope) · designᵀ
    """

    def __init__(
        self,
        dataset: Dataset,
        dtype: torch.dtype,
        device: torch.device,
        loss: LossName = "mse",
        kept: Sequence[Tensor | None] = (),
        rows: Rows | None = None,
    ) -> None:
        """Prepare the rows of a dataset, or others, in the scaled units of its networks.

        ``kept`` says for each member on which rows it is trained, (rows,) bool; None: on all.
        """
        inputs, targets = scaled(dataset, rows or dataset)
        features = inputs.to(device, dtype).T
        self._design = torch.cat([features, torch.ones_like(features[:1])])  # (features + 1, rows)
        self._targets = targets.to(device) if dataset.classes else targets.to(device, dtype)
        self._error = cross_entropy if dataset.classes else ERROR_SLOPES[loss]
        self._unit = loss_unit(dataset, loss)
        self._kept = None  # (members, rows), 1 where a member is trained on a row, else 0
        if any(each is not None for each in kept):
            every = torch.ones(len(dataset), dtype=torch.bool)
            masks = [every if each is None else each for each in kept]
            self._kept = torch.stack(masks).to(device, dtype)

    def keep(self, members: Tensor) -> None:
        """Drop all members but these."""
        if self._kept is not None:
            self._kept = self._kept[members]

    def __call__(self, stack: Stack, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the losses before the update, (members,), and their gradient, a row a member.

        On all rows, or on those of a batch.
        """
        parts = [self._part(stack, part) for part in self._parts(stack, rows)]
        losses, gradient = parts[0]
        for more_losses, more_gradient in parts[1:]:
            losses += more_losses
            gradient += more_gradient
        return losses if self._unit == 1 else losses * self._unit, gradient

    def losses(self, stack: Stack) -> Tensor:
        """Return the losses on all rows, (members,)."""
        parts = [
            _sums(self._error(self._outputs(stack, part.design)[2], part.targets)[0], part)
            for part in self._parts(stack, None)
        ]
        return torch.stack(parts).sum(dim=0) * self._unit

    @staticmethod
    def _activate(name: ActivationName, before: Tensor) -> Tensor:
        # In place for relu, whose slope needs nothing of before.
        return torch.relu_(before) if name == "relu" else ACTIVATIONS[name][1](before)

    def _outputs(self, stack: Stack, design: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what goes into the neurons, what comes out, and the outputs of the network."""
        input_weight, bias, output, output_bias = stack.shape.split(stack.numbers)
        inner = torch.cat([input_weight, bias.unsqueeze(2)], dim=2)  # (members, hidden, features+1)
        before = inner @ design  # (members, hidden, rows)
        active = self._activate(stack.activation, before)
        # The last: (members, outputs, rows).
        return before, active, output @ active + output_bias.unsqueeze(2)

    def _parts(self, stack: Stack, rows: Tensor | None) -> Iterator["Part"]:
        """Yield rows in parts for which (members, hidden, rows) fits into memory."""
        design, targets, kept = self._design, self._targets, self._kept
        if rows is not None:
            design, targets = design[:, rows], targets[rows]
            kept = None if kept is None else kept[:, rows]
        # A batch may have no row of a member, which then does not move.
        ones = torch.ones_like(design[:1]) if kept is None else kept
        total = ones.sum(dim=1).clamp(min=1)
        most = rows_at_once(len(stack.numbers) * stack.hidden)
        for start in range(0, len(targets), most):
            part = slice(start, start + most)
            mask = None if kept is None else kept[:, part]
            yield Part(design[:, part], targets[part], mask, total)

    def _part(self, stack: Stack, part: "Part") -> tuple[Tensor, Tensor]:
        """Return what some rows add to the losses and to the gradient."""
        output, design = stack.shape.split(stack.numbers)[2], part.design
        before, active, outputs = self._outputs(stack, design)
        errors, error = self._error(outputs, part.targets)  # the slopes: (members, outputs, rows)
        # From here on the slope of the loss by the outputs.
        error *= part.shares

        by_output = error @ active.mT  # (members, outputs, hidden)
        slope = SLOPES[stack.activation](before, active)
        if stack.shape.outputs == 1 and len(design) <= stack.hidden:
            # Sums over the rows with (error × design) as the left factor: no further array of
            # (members, hidden, rows) is needed. (members, features + 1, hidden)
            by_inner = ((error * design) @ slope.mT * output).mT
        else:
            by_inner = slope.mul_(output.mT @ error) @ design.mT  # (members, hidden, features + 1)
        gradient = (
            by_inner[..., :-1],
            by_inner[..., -1],
            by_output * stack.is_neuron.unsqueeze(1),  # the sigmoid of padding is not zero
            error.sum(dim=2),
        )
        flat = torch.cat([each.flatten(1) for each in gradient], dim=1)
        return _sums(errors, part), flat


class Part(NamedTuple):
    """Some rows, and by what their sums are divided."""

    design: Tensor  # (features + 1, rows)
    targets: Tensor  # (rows,)
    kept: Tensor | None  # (members, rows), 1 where a member is trained on a row, else 0
    total: Tensor  # of all rows together, (1,) or (members,)

    @property
    def shares(self) -> Tensor:
        """The share of each row in a mean: (1 or members, 1, 1 or rows)."""
        kept = torch.ones_like(self.design[:1, :1]) if self.kept is None else self.kept
        return (kept / self.total.unsqueeze(1)).unsqueeze(1)


def _sums(errors: Tensor, part: Part) -> Tensor:
    """Return what the errors of some rows, (members, rows), add to the losses, (members,)."""
    kept = errors if part.kept is None else errors * part.kept
    return kept.sum(dim=1) / part.total
