"""The frames of a stack: the weights of all its members every few epochs, kept on request."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fitreel.data.dataset import Dataset
from fitreel.settings import TrainingSettings
from fitreel.training.history import MOST_FRAME_NUMBERS, frame_count, frames_before, shape_of


class StackFrames:
    """The numbers of a stack's members at the epochs of their frames, in the processor's memory."""

    def __init__(self, every: int, epochs: int, numbers: Tensor) -> None:
        members, count = numbers.shape
        self._every = every
        self._numbers = torch.empty(members, frames_before(epochs, every), count)

    def add(self, epoch: int, numbers: Tensor) -> None:
        """Copy the numbers of all members, (members, numbers), if the epoch has a frame."""
        if epoch % self._every == 0:
            self._numbers[:, epoch // self._every] = numbers

    def member(self, row: int, epochs: int) -> tuple[Tensor, Tensor]:
        """Return the epochs of a member's frames up to its end, and its numbers at each."""
        frame_epochs = torch.arange(0, epochs, self._every)
        return frame_epochs, self._numbers[row, : len(frame_epochs)]

    def keep(self, rows: Tensor) -> None:
        """Drop all members but these."""
        self._numbers = self._numbers[rows]


def with_frames(
    settings: Sequence[TrainingSettings], every: int, dataset: Dataset | None = None
) -> list[TrainingSettings]:
    """Return settings of many trainings with another ``frame_every``.

    Raises ValueError if all frames together are more than the memory should hold.
    """
    settings = [replace(each, frame_every=every) for each in settings]
    numbers = sum(frame_count(each) * shape_of(each, dataset).size for each in settings)
    if numbers > MOST_FRAME_NUMBERS:
        raise ValueError(
            f"the frames of {len(settings):,} trainings are {numbers:,} numbers, more than "
            f"{MOST_FRAME_NUMBERS:,}; raise frame_every (it is {every:,})"
        )
    return settings
