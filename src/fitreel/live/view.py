"""A live view: somewhere a training is watched while it runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from fitreel.data.dataset import Dataset
from fitreel.live.controls import Controls
from fitreel.reel.listener import Frame
from fitreel.reel.probes import Probes


class LiveView(Protocol):
    """A listener of a training; its methods are called by the thread that trains.

    ``on_point`` and ``on_frame`` raise KeyboardInterrupt if somebody pressed stop: the training
    ends as by Ctrl-C.
    """

    controls: Controls  # what those who watch ask for
    note: str  # what the controls act on, if that is not the training
    resume: str  # the command that continues a training that was broken off, if there is one

    def start(self, dataset: Dataset, probes: Probes, steps: int | None, name: str) -> None:
        """Show the rows; ``steps`` is the number of the last step, if that is known."""

    def on_point(self, step: int, values: Mapping[str, float]) -> None:
        """Take the values at a step, ``loss`` and other metrics by their names."""

    def on_frame(self, frame: Frame) -> None:
        """Show a frame."""

    def wait(self, seconds: float) -> bool:
        """Wait while nothing comes; return whether it can still be seen."""

    def finish(self, page: Path | None) -> None:
        """Show the end of the training: the finished player, if there is one.

        The file may be gone after the call.
        """

    def close(self) -> None:
        """Close everything; without ``finish`` before, the training was broken off."""
