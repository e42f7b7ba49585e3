"""The picture of a training in characters: a heading, the fit, and the loss."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rich.cells import set_cell_size

from fitreel.checks.text import shown
from fitreel.live.canvas import Line, text
from fitreel.live.fit_text import POINT, FitText, Predictions
from fitreel.live.panel import LEAST, Axis, Panel
from fitreel.reel.thinning import curve_places

WIDE = 60  # characters from which the fit and the loss stand side by side
TALL = 20  # lines from which they stand one above the other
MOST = (160, 40)  # characters across, and lines: a picture takes time to draw and to send
STEEP = 30  # from this share of the highest to the lowest loss on, its axis is logarithmic


@dataclass(frozen=True, eq=False)
class Shown:
    """What is known of a training when it is drawn."""

    name: str = ""
    end: int | None = None  # the last step, if that is known
    steps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    losses: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    predictions: Predictions | None = None
    others: dict[str, float] = field(default_factory=dict)  # metrics besides the loss, the latest


def picture(training: Shown, fit: FitText, width: int, height: int) -> list[Line]:
    """Return at most ``height`` lines of at most ``width`` characters; always the heading."""
    width, height = min(width, MOST[0]), min(height, MOST[1])
    heading = [[text(set_cell_size(_heading(training), width))]]
    room = height - 1
    if width < LEAST[0] or room < LEAST[1]:
        return heading
    if width >= WIDE:
        left = (width - 1) // 2
        sides = zip(
            fit.lines(training.predictions, left, room),
            _loss(training, width - 1 - left, room),
            strict=True,
        )
        return heading + [[*one, text(" "), *other] for one, other in sides]
    if room >= TALL:
        above = room * 3 // 5
        shown_fit = fit.lines(training.predictions, width, above)
        return heading + shown_fit + _loss(training, width, room - above)
    return heading + fit.lines(training.predictions, width, room)


def _heading(training: Shown) -> str:
    parts = []
    if len(training.steps):
        end = "" if training.end is None else f" of {training.end:,}"
        parts += [f"step {training.steps[-1]:,}{end}", f"loss {training.losses[-1]:.4g}"]
    parts += [shown(training.name)] if training.name else []
    parts += [f"{shown(name, 30)} {value:.4g}" for name, value in training.others.items()]
    return " · ".join(parts)


def _loss(training: Shown, width: int, height: int) -> list[Line]:
    finite = np.isfinite(training.losses)
    steps, losses = training.steps[finite], training.losses[finite]
    low, high = (losses.min(), losses.max()) if len(losses) else (0.0, 1.0)
    is_log = bool(low > 0 and high > STEEP * low)
    first = int(steps[0]) if len(steps) else 0
    last = training.end or (int(steps[-1]) if len(steps) else 1)
    name = "loss, logarithmic" if is_log else "loss"
    panel = Panel(width, height, Axis(first, last, "step"), Axis(low, high, name, is_log))
    if len(losses):
        kept = curve_places(losses, 2 * panel.canvas.dots[0])
        panel.put_line(steps[kept], losses[kept], POINT)
    return panel.lines()
