"""The state of a training: its arrays, and the checkpoint that restores them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.settings import TrainingSettings
from fitreel.training.best import Best
from fitreel.training.history import History, check_frames, frame_count, frames_before
from fitreel.training.network import Network
from fitreel.training.optimizers import Optimizer
from fitreel.training.weights import Weights


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a training needs to resume before the update of ``epoch``."""

    epoch: int
    losses: NDArray[np.float64]  # (epoch,)
    frames: NDArray[np.float32]  # (frames so far, numbers of the network)
    state: NDArray[np.float32]  # (numbers of the network and of the optimizer's memory,)


class Training:
    """A training that runs, as the hook sees it: the network, its losses and its frames."""

    def __init__(
        self,
        settings: TrainingSettings,
        start: Checkpoint | None = None,
        dataset: Dataset | None = None,
    ) -> None:
        """Start a training, or resume it from a checkpoint; without a dataset one x and one y.

        Raises ValueError if the checkpoint belongs to another training, or if the frames are
        more than the memory should hold.
        """
        check_frames(settings, dataset)
        self.settings = settings
        self.network = Network(settings, dataset)
        parameters = [each.detach() for each in self.network.parameters()]  # the same memory
        scaling = dataset.scaling if dataset else None
        self.weights = Weights.from_parameters(parameters, settings.activation, scaling)  # too
        self.best = Best(self.weights) if settings.patience_epochs else None
        self.optimizer = Optimizer(settings, parameters)
        self._state = [*parameters, *self.optimizer.memory]
        if self.best:
            self._state += self.best.memory
        self.losses = np.empty(settings.epochs)
        # A row a frame; as tensors of their own the frames of a long training take gigabytes.
        self.frames = torch.empty(frame_count(settings), self.weights.shape.size)
        self.epoch = 0  # those before are done
        self.trained_loss: float | None = None
        if start:
            self._restore(start)

    def _restore(self, start: Checkpoint) -> None:
        sizes = [each.numel() for each in self._state]
        frames = self.frames[: frames_before(start.epoch, self.settings.frame_every)]
        found = (len(start.losses), start.frames.shape, start.state.shape)
        if found != (start.epoch, frames.shape, (sum(sizes),)):
            raise ValueError(f"the checkpoint of epoch {start.epoch} belongs to another training")
        # not strict: np.split adds an empty part behind the last size.
        for mine, kept in zip(self._state, np.split(start.state, np.cumsum(sizes)), strict=False):
            # In place: network and optimizer share this memory. torch.tensor copies, because the
            # arrays of a checkpoint are views of bytes that cannot be written.
            mine.copy_(torch.tensor(kept).view(mine.shape))
        self.losses[: start.epoch] = start.losses
        frames.copy_(torch.tensor(start.frames))
        self.epoch = start.epoch

    def state(self) -> NDArray[np.float32]:
        """Copy the numbers of the network and the optimizer's memory, for a Checkpoint.

        From the hook it is the state before the update of the epoch.
        """
        numbers: NDArray[np.float32] = torch.cat([each.flatten() for each in self._state]).numpy()
        return numbers

    def finish(self, loss: float) -> None:
        """Keep the trained network as the last frame, with its loss."""
        self.frames[frames_before(self.epoch, self.settings.frame_every)] = self.weights.flat()
        self.trained_loss = loss

    def history(self) -> History | None:
        """Return the history so far; None before the first epoch is done."""
        if not self.epoch:
            return None
        frame_epochs = np.arange(0, self.epoch, self.settings.frame_every)
        if self.trained_loss is not None:
            frame_epochs = np.append(frame_epochs, self.epoch)
        rows = self.frames[: len(frame_epochs)]
        trained = self.weights
        weights = Weights.from_flat(rows, trained.activation, trained.shape, trained.scaling)
        best = self.best.epoch if self.best else None
        return History(self.losses[: self.epoch], frame_epochs, weights, self.trained_loss, best)


# Called in every epoch before its update; it may read everything, and changes nothing.
Hook = Callable[[int, float, Training], None]
