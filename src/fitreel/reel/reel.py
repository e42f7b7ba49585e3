"""The reel: what a film is made from, of any model; it grows while the model is trained."""

import math
import operator
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self, SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray

import fitreel
from fitreel.data.column import Numbers, matrix
from fitreel.data.dataset import Dataset
from fitreel.reel.curve import Curve
from fitreel.reel.listener import Frame, Listener
from fitreel.reel.predicting import Model, Prober
from fitreel.reel.probes import Probes, kind_of, probes_of, shape_of_frame
from fitreel.reel.recording import Recording
from fitreel.reel.rows import dataset_of, shaped
from fitreel.reel.thinning import thinned
from fitreel.settings import FilmSettings

if TYPE_CHECKING:
    from fitreel.pages.page import Page
    from fitreel.pictures.film import Film

EVERY = 5  # as frame_every of our own training
LOSS = "loss"


class Reel:
    """The losses of a training, and what its model predicts on fixed probes in every frame."""

    def __init__(
        self,
        x: Numbers,
        y: Numbers,
        *,
        names: Sequence[str] = (),
        target: str = "",
        classes: Sequence[Any] = (),
        probes: Numbers | None = None,
        every: int = EVERY,
        seconds: float | None = None,
        max_frames: int = FilmSettings.max_frames,
    ) -> None:
        """Take the training rows, which the film shows; the probes follow from them.

        ``names`` are those of the features, ``target`` that of y; with ``classes``, or if y are
        texts, classes are predicted. ``probes`` are own inputs for the line of one feature. Every
        fifth call of ``frame`` predicts, or every ``every``-th, or one every so many ``seconds``.
        When there are ``max_frames``, every second one is dropped, and from then on half as many
        are kept. Raises ValueError for what does not fit.
        """
        dataset = dataset_of(x, y, names=names, target=target, classes=classes)
        self._start(dataset, _probes(dataset, probes), every, seconds, max_frames)
        inputs = shaped(self.probes.inputs, x)
        self._prober = Prober(inputs, len(dataset.classes))

    def _start(
        self,
        dataset: Dataset,
        probes: Probes,
        every: int = EVERY,
        seconds: float | None = None,
        max_frames: int = FilmSettings.max_frames,
    ) -> None:
        for name, value, least in (("every", every, 1), ("max_frames", max_frames, 2)):
            if isinstance(value, bool) or operator.index(value) < least:
                raise ValueError(f"{name} must be {least} or more; got {value}")
        if seconds is not None and not 0 < seconds < math.inf:
            raise ValueError(f"seconds must be above 0; got {seconds}")
        self.dataset, self.probes = dataset, probes
        self.curves: dict[str, Curve] = {LOSS: Curve()}
        self.frames: list[Frame] = []
        self.listeners: list[Listener] = []
        self._every, self._seconds, self._most = every, seconds, max_frames
        self._calls, self._kept_at = 0, -math.inf
        self._last: tuple[int, float, Model] | None = None  # a call that no frame was kept of

    @classmethod
    def of(cls, dataset: Dataset, probes: Probes) -> Self:
        """Return a reel of rows and probes that are known, as to be read from files."""
        reel = cls.__new__(cls)
        reel._start(dataset, probes)
        return reel

    def frame(
        self,
        step: SupportsIndex,
        loss: Any,
        model: Model,
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        """Log the loss of a step, and keep what the model predicts on the probes if that is due.

        ``model`` is a module, or a function of inputs of the shape of x, with as many rows as
        there are probes, to predictions. ``metrics`` are other values of the step. Raises
        ValueError if the steps do not rise, or the predictions do not fit.
        """
        at = operator.index(step)
        values = {str(name): _number(name, value) for name, value in (metrics or {}).items()}
        values[LOSS] = _number(LOSS, loss)
        self.point(at, values)
        if self._is_due():
            self._keep(at, values[LOSS], model)
        else:
            self._last = (at, values[LOSS], model)

    def check(self, model: Model) -> None:
        """Raise ValueError if what a model predicts on the probes does not fit; keep no frame."""
        self._prober.predict(model)

    def point(self, step: int, values: Mapping[str, float]) -> None:
        """Log values of a step without a frame; ValueError if the steps of a name do not rise."""
        for name in values:
            curve = self.curves.get(name)
            if curve and len(curve) and step <= curve.last:
                raise ValueError(f"the steps of {name} must rise; got {step} after {curve.last}")
        for name, value in values.items():
            self.curves.setdefault(name, Curve()).append(step, value)
        for listener in self.listeners:
            listener.on_point(step, values)

    def _is_due(self) -> bool:
        calls, self._calls = self._calls, self._calls + 1
        if self._seconds is None:
            return calls % self._every == 0
        return time.monotonic() - self._kept_at >= self._seconds

    def _keep(self, step: int, loss: float, model: Model) -> None:
        self._last, self._kept_at = None, time.monotonic()
        predictions = self._prober.predict(model)
        # No picture can show what is not a number; its loss is on the curve.
        if math.isfinite(loss) and np.isfinite(predictions).all():
            self.add(Frame(step, loss, predictions))

    def add(self, frame: Frame) -> None:
        """Add a frame behind all others; if there are too many, every second one is dropped."""
        self.frames.append(frame)
        for listener in self.listeners:
            listener.on_frame(frame)
        if len(self.frames) > self._most:
            del self.frames[1::2]
            self._every *= 2
            self._seconds = self._seconds and 2 * self._seconds

    def finish(self) -> None:
        """Keep a last frame of the last call, unless it has one."""
        if self._last:
            self._keep(*self._last)

    def recording(self, most_frames: int | None = None) -> Recording:
        """Return the frames as plain arrays, thinned evenly if there are more than asked for.

        Raises ValueError if it has no frame.
        """
        if not self.frames:
            raise ValueError("the reel has no frame yet")
        kept = thinned(len(self.frames), most_frames or len(self.frames))
        frames = [self.frames[place] for place in kept]
        return Recording(
            self.dataset,
            self.probes,
            np.stack([frame.predictions for frame in frames]),
            np.array([frame.step for frame in frames], np.int64),
            np.array([frame.loss for frame in frames], np.float64),
            step_name="step",
        )

    def extend(self, name: str, steps: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Add points behind all others to a curve, as they were read; no listener gets them."""
        self.curves.setdefault(name, Curve()).extend(steps, values)

    @property
    def shape_of_frame(self) -> tuple[int, ...]:
        """The shape of a frame's predictions: (probes,), or (probes, classes)."""
        return shape_of_frame(self.dataset, self.probes)

    @property
    def steps(self) -> NDArray[np.int64]:
        """The steps that have a loss: (steps,)."""
        return self.curves[LOSS].steps

    @property
    def losses(self) -> NDArray[np.float64]:
        """The loss at each step: (steps,)."""
        return self.curves[LOSS].values

    def render(self, path: Path | str, **keywords: Any) -> "Film":
        """Write the film, a gif or an mp4; keywords are the settings of ``fitreel.render``."""
        self.finish()
        return fitreel.render_reel(self, path, **keywords)

    def write_player(self, path: Path | str, name: str = "") -> "Page":
        """Write a page that plays the training; ``name`` is its title."""
        self.finish()
        return fitreel.write_reel_player(self, path, name)

    def _repr_html_(self) -> str | None:
        """Return the player for a notebook; None if there is no frame yet."""
        if not self.frames:
            return None
        with TemporaryDirectory() as folder:
            # By its public name: pages are made from reels, so no module here imports them.
            page = fitreel.write_reel_player(self, Path(folder) / "player.html")
            return page._repr_html_()

    def __repr__(self) -> str:
        return f"Reel({len(self.curves[LOSS]):,} steps, {len(self.frames):,} frames)"


def _number(name: str, value: Any) -> float:
    try:
        # A tensor that has a gradient warns when it becomes a float.
        return float(value.item() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} must be a number; got {value!r}") from None


def _probes(dataset: Dataset, own: Numbers | None) -> Probes:
    if own is None:
        return probes_of(dataset)
    if kind_of(dataset) != "curve":
        raise ValueError("probes are for one feature; with more the rows are shown")
    x = matrix("probes", own)
    if x.shape[1] != 1 or len(x) < 2:
        raise ValueError(f"probes must be two or more x; got shape {tuple(x.shape)}")
    none = np.zeros(0, np.int64)
    return Probes(torch.sort(x, dim=0).values, len(x), none, none)
