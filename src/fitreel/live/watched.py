"""The watched training: what a page shows of it, kept for those that open later."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from fitreel.data.dataset import Dataset
from fitreel.live.controls import Controls
from fitreel.reel.curve import Curve
from fitreel.reel.listener import Frame
from fitreel.reel.probes import Probes

MOST_FRAMES = 200  # kept for a page that opens later; above, every second one is dropped

Phase = Literal["waiting", "training", "ended", "finished", "stopped"]
ENDS: Final = ("ended", "finished", "stopped")


@dataclass(frozen=True)
class Shown:
    """What a training shows: its rows, the probes of its frames, its name, and its last step."""

    dataset: Dataset
    probes: Probes
    steps: int | None
    name: str


@dataclass(frozen=True)
class State:
    """How a training goes: its phase, what was asked for, and what a page says of that."""

    phase: Phase
    paused: bool
    pace: float
    note: str
    resume: str

    def as_dict(self) -> dict[str, Any]:
        """Return the state for a page."""
        return asdict(self)


class Watched:
    """A training as one thread writes it and others read it.

    No lock: the thread that trains only appends, or replaces a whole list by another.
    """

    def __init__(self, controls: Controls) -> None:
        self.controls = controls
        self.shown: Shown | None = None
        self.phase: Phase = "waiting"
        self.note = self.resume = ""
        self.curves: dict[str, Curve] = {}
        self.frames: list[Frame] = []
        self.page: bytes | None = None  # the finished player

    def start(self, shown: Shown) -> None:
        """Show a training before its first step."""
        self.shown, self.phase = shown, "training"

    def add_point(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values at a step, by their names."""
        for name, value in values.items():
            if name not in self.curves:
                self.curves = {**self.curves, name: Curve()}
            self.curves[name].append(step, value)

    def add_frame(self, frame: Frame) -> None:
        """Add a frame behind all others."""
        kept = self.frames[::2] if len(self.frames) >= MOST_FRAMES else self.frames
        self.frames = [*kept, frame]

    def state(self) -> State:
        """Return how the training goes now."""
        controls = self.controls
        return State(self.phase, controls.is_paused, controls.pace, self.note, self.resume)
