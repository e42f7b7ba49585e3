"""The slopes of the errors of a stack: what the chain rule begins with."""

from collections.abc import Callable

import torch
from torch import Tensor

from fitreel.settings import LossName


# From outputs, (members, outputs, rows), and targets, (rows,), to the errors, (members,
# rows), and their slopes by the outputs.
def _squares(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    error = outputs - targets
    return error.square().sum(dim=1), error * 2


def _absolute(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    error = outputs - targets
    return error.abs().sum(dim=1), error.sign()


def _huber(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    error = outputs - targets
    slope = error.clamp(-1, 1)  # straight from 1, one deviation of scaled targets
    return (slope * (error - slope / 2)).sum(dim=1), slope


def cross_entropy(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropies of classes, and their slopes."""
    logarithms = torch.log_softmax(outputs, dim=1)
    rows = torch.arange(len(targets), device=targets.device)
    errors = -logarithms[:, targets, rows]  # (members, rows)
    slopes = logarithms.exp()
    slopes[:, targets, rows] -= 1
    return errors, slopes


ERROR_SLOPES: dict[LossName, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "mse": _squares,
    "mae": _absolute,
    "huber": _huber,
}
