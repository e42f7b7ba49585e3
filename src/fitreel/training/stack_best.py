"""The best weights of a stack's members by their validation losses, and which of them stop."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitreel.settings import TrainingSettings
from fitreel.training.gradients import Gradients
from fitreel.training.stack import Stack

GOING = -1  # stands for the epoch at which a member stops


class StackBest:
    """The best weights of each member so far: what ``Best`` is for one training."""

    def __init__(
        self, validation: Gradients, members: Sequence[TrainingSettings], stack: Stack
    ) -> None:
        """Watch a stack, with the losses on the validation rows."""
        self._validation = validation
        numbers = stack.numbers
        self._patience = numbers.new_tensor([each.patience_epochs for each in members])
        self._numbers = numbers.clone()  # (members, numbers)
        self._least = torch.full_like(self._patience, torch.inf)  # (members,), as those below
        self._at = torch.zeros_like(self._patience)
        self._stops = torch.full_like(self._patience, GOING)

    def look(self, epoch: int, stack: Stack) -> None:
        """Keep the weights of members whose loss is the least, and note which have to stop."""
        # A member that stopped trains on until the next look at all, and is not kept again.
        losses, going = self._validation.losses(stack), self._stops == GOING
        better = going & (losses < self._least)
        self._least = torch.where(better, losses, self._least)
        self._at = torch.where(better, epoch, self._at)
        self._numbers = torch.where(better.unsqueeze(1), stack.numbers, self._numbers)
        over = going & ~better & (epoch - self._at >= self._patience)
        self._stops = torch.where(over, epoch, self._stops)

    def stops(self) -> NDArray[np.int64]:
        """Return at which epoch each member stops, GOING if it does not: (members,)."""
        found: NDArray[np.int64] = self._stops.cpu().numpy().astype(np.int64)
        return found

    def restore(self, stack: Stack, rows: NDArray[np.bool_]) -> None:
        """Set members of the stack to their best weights."""
        chosen = torch.from_numpy(np.flatnonzero(rows))
        stack.numbers[chosen] = self._numbers[chosen]

    def keep(self, rows: Tensor) -> None:
        """Drop all members but these."""
        for name in ("_patience", "_numbers", "_least", "_at", "_stops"):
            setattr(self, name, getattr(self, name)[rows])
