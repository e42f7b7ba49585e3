"""The filming of a callback: one film, from the start of a training to its end, however it ends."""

import atexit
import logging
import re
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

import numpy as np
from torch import Tensor, nn

import fitreel
from fitreel.data.column import Numbers
from fitreel.reel.predicting import Model
from fitreel.reel.reel import Reel

LOG = logging.getLogger("fitreel")
# In a run of somebody else, who logs losses as well, and maybe at other steps.
PREFIX = "film/"


class Filming:
    """The film of a training, which other code runs; a copy of it, or a pickle, has no film."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Take the options of ``fitreel.film``."""
        self._options = dict(options)
        self._film: ExitStack | None = None
        self._reel: Reel | None = None

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Any]]]:
        return type(self), (self._options,)

    def start(self, x: Numbers, y: Numbers, model: Model | None = None, **own: Any) -> Reel:
        """Open the film and return its reel; ``own`` options yield to the given ones.

        Raises as ``fitreel.film`` does, and ValueError if what the model predicts does not fit.
        """
        self.end(RuntimeError("the training was broken off, as the next one started"))
        film = ExitStack()
        options = {"guest_prefix": PREFIX} | own | self._options
        reel = film.enter_context(fitreel.film(x, y, **options))
        self._reel, self._film = reel, film
        _OPEN.add(self)
        if model is not None:
            try:
                reel.check(model)
            except BaseException as error:
                self.end(error)
                raise
        return reel

    def frame(
        self, step: int, loss: Any, model: Model, metrics: Mapping[str, Any] | None = None
    ) -> None:
        """Log a step as ``Reel.frame`` does, if the film is open; an error ends only the film."""
        if self._reel:
            with self._ending_the_film():
                self._reel.frame(step, loss, model, _numbers(metrics or {}))

    def point(self, step: int, values: Mapping[str, Any]) -> None:
        """Log values of a step without a frame; those of a step that has some are left out."""
        if self._reel:
            with self._ending_the_film():
                known = self._reel.curves
                new = {
                    name: value
                    for name, value in _numbers(values).items()
                    if name not in known or not len(known[name]) or known[name].last < step
                }
                self._reel.point(step, new)

    def give_up(self, error: Exception) -> None:
        """End the film and warn why; the training goes on."""
        LOG.warning("the film ends, the training goes on: %s", error)
        self.end(error)

    @contextmanager
    def _ending_the_film(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.give_up(error)
        except BaseException as error:  # somebody stopped it
            self.end(error)
            raise

    def end(self, error: BaseException | None = None) -> None:
        """Close the film, if it is open, as the training ended; a failure is only a warning."""
        film, self._film, self._reel = self._film, None, None
        if film is None:
            return
        _OPEN.discard(self)
        raised = (type(error), error, error.__traceback__) if error else (None, None, None)
        try:
            film.__exit__(*raised)
        except Exception as failure:
            LOG.warning("the film could not be made: %s", failure)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end(error)

    def __del__(self) -> None:
        # Its callback is gone, and nobody said how the training ended.
        self.end(RuntimeError("the training was broken off"))


class EndsWithBlock:
    """A callback of a framework that reports no exceptions: as a context manager it gets them.

    Without the block a film whose training raised ends when the callback is used again, when it is
    gone, or with the process.
    """

    filming_: Filming

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.filming_.__exit__(kind, error, trace)


class Predicting(nn.Module):
    """A module that predicts by a function of another module and its inputs."""

    def __init__(self, module: nn.Module, predict: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.module = module
        self._predict = predict

    def forward(self, x: Tensor) -> Any:
        """Return what the function returns."""
        return self._predict(self.module, x)


def predicting(module: nn.Module, predict: Callable[[Any, Tensor], Any] | None) -> nn.Module:
    """Return a module that predicts by a function, if there is one."""
    return Predicting(module, predict) if predict else module


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the values that are numbers, by names that MLflow allows: not all of them are."""
    found = {name: value for name, value in values.items() if np.ndim(value) == 0}
    return {
        re.sub(r"[^\w/.\- :]", "_", name): float(value)
        for name, value in found.items()
        if not isinstance(value, str | None)
    }


_OPEN: weakref.WeakSet[Filming] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """End the films whose training ends with the process: as its error says, or as killed."""
    for each in list(_OPEN):
        each.end(getattr(sys, "last_value", None) or SystemExit())
