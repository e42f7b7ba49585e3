"""A stack of networks that train together: one row a member, padded to the widest."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fitreel.settings import ActivationName, TrainingSettings
from fitreel.training.network import Network
from fitreel.training.optimizers import StackOptimizer
from fitreel.training.weights import Weights


class Stack:
    """The numbers of many networks, and their optimizers.

    A row is a flat network. Padding is zero and stays so. Members share the activation and
    whether adam moves them.
    """

    def __init__(
        self, members: Sequence[TrainingSettings], dtype: torch.dtype, device: torch.device
    ) -> None:
        self.hidden = max(each.hidden for each in members)
        self.activation: ActivationName = members[0].activation
        self._widths = torch.tensor([each.hidden for each in members])  # (members,)
        # Padding of zeros has no effect: its output weight is zero and gets no gradient.
        rows = torch.zeros(len(members), Weights.count(self.hidden))
        for row, settings in zip(rows, members, strict=True):
            # Drawn by Network, so that a member starts with the weights that it would have alone.
            parts = Weights.split(Network(settings).weights().flat())
            for padded, part in zip(Weights.split(row), parts, strict=True):
                padded[: len(part)] = part
        self.numbers = rows.to(device, dtype)  # (members, numbers of the widest)
        self._optimizer = StackOptimizer(members, self.numbers)
        neurons = torch.arange(self.hidden) < self._widths.unsqueeze(1)
        self.is_neuron = neurons.to(device)  # (members, hidden), False where it is padding

    def update(self, gradient: Tensor) -> None:
        """Move all members along their gradients, each by its own optimizer and rate."""
        self._optimizer.update(self.numbers, gradient)

    def keep(self, rows: Tensor) -> None:
        """Drop all members but these, and the work with them."""
        self.numbers, self.is_neuron = self.numbers[rows], self.is_neuron[rows]
        self._widths = self._widths[rows]
        self._optimizer.keep(rows)

    def weights(self, row: int) -> Weights:
        """Copy a member's weights, without its padding."""
        return self.unpadded(row, self.numbers[row].float().cpu())

    def unpadded(self, row: int, numbers: Tensor) -> Weights:
        """Copy weights that a member has or had, (..., padded numbers), without its padding."""
        width = int(self._widths[row])
        parts = [part[..., :width] for part in Weights.split(numbers)]
        return Weights.from_flat(torch.cat(parts, dim=-1), self.activation)
