"""A stack of networks that train together: one row a member, padded to the widest."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fitreel.settings import ActivationName, TrainingSettings
from fitreel.training.network import Network
from fitreel.training.optimizers import StackOptimizer
from fitreel.training.weights import Weights


class Stack:
    """Hold the numbers of many networks, their gradient and what their optimizers remember.

    A row is a flat network. Padding is zero and stays so.
    Members share the activation and whether adam moves them.
    """

    def __init__(
        self, members: Sequence[TrainingSettings], dtype: torch.dtype, device: torch.device
    ) -> None:
        self.hidden = max(each.hidden for each in members)
        self.activation: ActivationName = members[0].activation
        self.widths = [each.hidden for each in members]
        rows = torch.zeros(len(members), Weights.count(self.hidden))
        for row, settings in zip(rows, members, strict=True):
            parts = Weights.split(Network(settings).weights().flat())
            for padded, part in zip(Weights.split(row), parts, strict=True):
                padded[: len(part)] = part
        self.numbers = rows.to(device, dtype)
        self.gradient = torch.zeros_like(self.numbers)
        self._optimizer = StackOptimizer(members, self.numbers)
        self.is_neuron = (torch.arange(self.hidden) < torch.tensor(self.widths).unsqueeze(1)).to(
            device
        )  # (members, hidden), False where it is padding

    def update(self) -> None:
        """Move all members along their gradients, each by its own optimizer and rate."""
        self._optimizer.update(self.numbers, self.gradient)

    def keep(self, kept: Tensor) -> None:
        """Drop all rows but these, and the work with them."""
        for name in ("numbers", "gradient", "is_neuron"):
            setattr(self, name, getattr(self, name)[kept])
        self._optimizer.keep(kept)
        self.widths = [self.widths[place] for place in kept.tolist()]

    def weights(self, row: int) -> Weights:
        """Copy a member's weights, without its padding."""
        parts = Weights.split(self.numbers[row].float().cpu())
        numbers = torch.cat([part[: self.widths[row]] for part in parts])
        return Weights.from_flat(numbers, self.activation)
