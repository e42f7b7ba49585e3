"""A stage: work that a run does once; a resumed run reads its result instead."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeAlias, TypeVar

if TYPE_CHECKING:
    from fitreel.tracking import Run

Options = ParamSpec("Options")
Result = TypeVar("Result")
Work: TypeAlias = "Callable[Concatenate[Run, Options], Result]"


def stage(
    name: str, restore: "Callable[[Run], Result]"
) -> "Callable[[Work[Options, Result]], Work[Options, Result]]":
    """Return a decorator that makes a stage of a function, whose first argument is the run.

    A resumed run that has done the stage skips it: ``restore`` reads the result from the run.
    The seconds that the stage took become the metric ``system/<name>_seconds``.
    """

    def decorate(work: "Work[Options, Result]") -> "Work[Options, Result]":
        @functools.wraps(work)
        def once(run: "Run", /, *values: Options.args, **named: Options.kwargs) -> Result:
            if run.has_done(name):
                return restore(run)
            with run.stage(name):
                return work(run, *values, **named)

        return once

    return decorate


def nothing(run: "Run") -> None:
    """Return nothing: no later stage needs what this one logged."""
