"""A compared run: its losses and its frames, of our own network or of a film of any model."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.reel.of_history import record_frames
from fitreel.reel.recording import Recording
from fitreel.reel.reel import Reel
from fitreel.training.history import History


@dataclass(frozen=True, eq=False)
class ComparedRun(ABC):
    """A run as it is compared; its name and params are text from outside.

    Its steps are the epochs of our own network; of a film they are what its training counted:
    epochs, batches, or the stages of a boosted tree.
    """

    is_film: ClassVar[bool]
    step_name: ClassVar[str]  # what the steps are called

    run_id: str
    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    dataset: Dataset

    @property
    @abstractmethod
    def steps(self) -> NDArray[np.int64]:
        """The steps that have a loss, rising: (steps,)."""

    @property
    @abstractmethod
    def losses(self) -> NDArray[np.float64]:
        """The loss of each step: (steps,). Of a film it may be anything but finite."""

    @property
    @abstractmethod
    def frame_steps(self) -> NDArray[np.int64]:
        """The step of each frame, rising: (frames,); one frame at least."""

    @abstractmethod
    def record(self, frames: NDArray[np.int64]) -> Recording:
        """Record these frames, by their places; a place may be repeated."""

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last step that has a loss or a frame."""
        ends = np.concatenate([each[[0, -1]] for each in (self.steps, self.frame_steps)])
        return int(ends.min()), int(ends.max())


@dataclass(frozen=True, eq=False)
class OwnRun(ComparedRun):
    """A run that trained our own network: its frames are weights."""

    is_film = False
    step_name = "epoch"

    history: History

    @property
    def steps(self) -> NDArray[np.int64]:
        """The epochs: (epochs,)."""
        return np.arange(len(self.history.losses))

    @property
    def losses(self) -> NDArray[np.float64]:
        """The loss before the update of each epoch: (epochs,)."""
        return self.history.losses

    @property
    def frame_steps(self) -> NDArray[np.int64]:
        """The epoch of each frame: (frames,)."""
        return self.history.frame_epochs

    def record(self, frames: NDArray[np.int64]) -> Recording:
        """Record these frames, by their places; a place may be repeated."""
        return record_frames(self.dataset, self.history, frames)


@dataclass(frozen=True, eq=False)
class FilmedRun(ComparedRun):
    """A run that filmed any model: its frames are predictions."""

    is_film = True
    step_name = "step"

    reel: Reel  # with one loss and one frame at least

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """The steps that have a loss: (steps,)."""
        return self.reel.steps

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        """The loss of each step: (steps,)."""
        return self.reel.losses

    @property
    def frame_steps(self) -> NDArray[np.int64]:
        """The step of each frame: (frames,)."""
        return self._recording.epochs

    def record(self, frames: NDArray[np.int64]) -> Recording:
        """Record these frames, by their places; a place may be repeated."""
        every = self._recording
        return replace(
            every,
            predictions=every.predictions[frames],
            epochs=every.epochs[frames],
            losses=every.losses[frames],
        )

    @cached_property
    def _recording(self) -> Recording:
        return self.reel.recording()


def first_with_points(runs: Iterable[ComparedRun]) -> list[int]:
    """Return for every run the place of the first run that has the same points."""
    first: dict[bytes, int] = {}
    return [first.setdefault(_digest(run.dataset), place) for place, run in enumerate(runs)]


def _digest(dataset: Dataset) -> bytes:
    digest = hashlib.sha256(dataset.x.numpy().tobytes())
    digest.update(dataset.y.numpy().tobytes())
    return digest.digest()
