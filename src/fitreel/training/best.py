"""The best weights of a training that looks at validation rows, and when to stop it."""

import math

import torch
from torch import Tensor

from fitreel.training.weights import Weights


class Best:
    """The weights with the least validation loss so far."""

    def __init__(self, weights: Weights) -> None:
        """Watch a training, whose weights change in their own memory."""
        self._weights = weights
        self._numbers = weights.flat().clone()
        self._loss_and_epoch = torch.tensor([math.inf, 0.0])

    @property
    def memory(self) -> list[Tensor]:
        """The numbers that it keeps from one epoch to the next, as it changes them."""
        return [self._numbers, self._loss_and_epoch]

    @property
    def epoch(self) -> int:
        """After how many updates they were the weights."""
        return int(self._loss_and_epoch[1].item())

    def is_over(self, epoch: int, loss: float, patience: int) -> bool:
        """Keep the weights if their loss is the least; return whether none was for so long."""
        least, at = self._loss_and_epoch.tolist()
        if loss < least:
            self._numbers.copy_(self._weights.flat())
            self._loss_and_epoch.copy_(torch.tensor([loss, float(epoch)]))
            return False
        return bool(epoch - at >= patience)

    def restore(self) -> None:
        """Set the weights of the training to the best ones."""
        parts = self._weights.shape.split(self._numbers)
        for mine, best in zip(self._weights.parameters(), parts, strict=True):
            mine.copy_(best)
