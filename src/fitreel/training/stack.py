"""A stack of networks that train together: one row a member, padded to the widest."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fitreel.settings import ActivationName, TrainingSettings
from fitreel.training.network import Network
from fitreel.training.weights import Weights

MOMENTUM = 0.9
BETAS, EPSILON = (0.9, 0.999), 1e-8  # of adam, as torch has them


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
        self._is_adam = members[0].optimizer == "adam"
        self._updates = 0
        rows = torch.zeros(len(members), Weights.count(self.hidden))
        for row, settings in zip(rows, members, strict=True):
            parts = Weights.split(Network(settings).weights().flat())
            for padded, part in zip(Weights.split(row), parts, strict=True):
                padded[: len(part)] = part
        rates = [[each.lr] for each in members]
        inertia = [[MOMENTUM if each.optimizer == "momentum" else 0.0] for each in members]
        self.numbers = rows.to(device, dtype)
        self._rates = torch.tensor(rates, dtype=dtype, device=device)  # (members, 1)
        self._inertia = torch.tensor(inertia, dtype=dtype, device=device)  # (members, 1)
        self.gradient = torch.zeros_like(self.numbers)
        self._first = torch.zeros_like(self.numbers)
        self._second = torch.zeros_like(self.numbers)
        self.is_neuron = (torch.arange(self.hidden) < torch.tensor(self.widths).unsqueeze(1)).to(
            device
        )  # (members, hidden), False where it is padding

    def update(self) -> None:
        """Move all members along their gradients, each by its own optimizer and rate."""
        self._updates += 1
        if self._is_adam:
            self._first.lerp_(self.gradient, 1 - BETAS[0])
            self._second.mul_(BETAS[1]).addcmul_(self.gradient, self.gradient, value=1 - BETAS[1])
            corrected = (self._second / (1 - BETAS[1] ** self._updates)).sqrt_().add_(EPSILON)
            rates = self._rates / (1 - BETAS[0] ** self._updates)
            self.numbers.sub_(rates * (self._first / corrected))
        else:  # sgd is momentum without inertia
            self._first.mul_(self._inertia).add_(self.gradient)
            self.numbers.sub_(self._rates * self._first)

    def keep(self, kept: Tensor) -> None:
        """Drop all rows but these, and the work with them."""
        for name in ("numbers", "gradient", "_first", "_second", "_rates", "_inertia", "is_neuron"):
            setattr(self, name, getattr(self, name)[kept])
        self.widths = [self.widths[place] for place in kept.tolist()]

    def weights(self, row: int) -> Weights:
        """Copy a member's weights, without its padding."""
        parts = Weights.split(self.numbers[row].float().cpu())
        numbers = torch.cat([part[: self.widths[row]] for part in parts])
        return Weights.from_flat(numbers, self.activation)
