"""A stack of networks that train together: one row a member, padded to the widest."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fitreel.data.dataset import Dataset
from fitreel.settings import ActivationName, TrainingSettings
from fitreel.training.history import shape_of
from fitreel.training.network import Network
from fitreel.training.optimizers import StackOptimizer
from fitreel.training.weights import Weights


class Stack:
    """The numbers of many networks, and their optimizers.

    A row is a flat network. Padding is zero and stays so. Members share the activation and
    whether adam moves them.
    """

    def __init__(
        self,
        members: Sequence[TrainingSettings],
        dtype: torch.dtype,
        device: torch.device,
        dataset: Dataset | None = None,
    ) -> None:
        self.hidden = max(each.hidden for each in members)
        self.shape = shape_of(members[0], dataset)._replace(hidden=self.hidden)
        self._scaling = dataset.scaling if dataset else None
        self.activation: ActivationName = members[0].activation
        self._widths = torch.tensor([each.hidden for each in members])  # (members,)
        # Padding of zeros has no effect: its output weight is zero and gets no gradient.
        rows = torch.zeros(len(members), self.shape.size)
        for row, settings in zip(rows, members, strict=True):
            # Drawn by Network, so that a member starts with the weights that it would have alone.
            parts = Network(settings, dataset).weights().parameters()
            for padded, part in zip(self.shape.split(row), parts, strict=True):
                padded[tuple(map(slice, part.shape))] = part
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
        input_weight, bias, output_weight, output_bias = self.shape.split(numbers)
        kept = (
            input_weight[..., :width, :],
            bias[..., :width],
            output_weight[..., :width],
            output_bias,
        )
        copies = [part.clone(memory_format=torch.contiguous_format) for part in kept]
        return Weights.from_parameters(copies, self.activation, self._scaling)
