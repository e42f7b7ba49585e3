"""Warm a process that forks: import everything, and run commands once.

The first command of a process imports torch and MLflow, and makes its first figure, statement and
model: several seconds, which a fork of a process that did so does not need.
"""

import gc
import importlib
import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from tempfile import TemporaryDirectory

from tests.conftest import environment

MODULES = (
    "fitreel.comparison.figure",
    "fitreel.comparison.grid",
    "fitreel.training.evaluation",
    "fitreel.pictures.figures",
    "fitreel.pictures.film",
    "fitreel.tracking.tracker",
    "fitreel.training.loop",
    "matplotlib.backends.backend_agg",
    "mlflow.store.tracking.sqlalchemy_store",
)
SMALL = ("--epochs", "20", "--samples", "20")
COMMANDS = (
    ("run", *SMALL, "--max-frames", "4"),
    ("run", *SMALL, "--max-frames", "4", "--lr", "0.2"),
    ("compare", "--best", "2"),
    ("sweep", *SMALL, "--trials", "2"),
    ("sync",),
    ("reap",),
    ("list",),
)


def warm_command_line() -> None:
    """Import what the command line imports late: enough for input that is refused at once."""
    from pipeline.app import app

    with suppress(Exception):
        app(["run", "--lr", "nan"], standalone_mode=False)
    gc.freeze()  # otherwise every child would copy the memory that its garbage collector touches


def warm() -> None:
    """Import everything that commands need, and run some in a directory of their own."""
    for name in MODULES:
        importlib.import_module(name)
    from fitreel.tracking.side_effects import without_side_effects
    from pipeline.app import app

    variables = dict(os.environ)
    with TemporaryDirectory() as place, _silence(), chdir(place), without_side_effects():
        _set_environment(environment(FITREEL_SPOOL=f"{place}/spool"))
        for command in COMMANDS:
            app(command, standalone_mode=False)
    _set_environment(variables)
    warm_command_line()


@contextmanager
def _silence() -> Iterator[None]:
    """Write output to nowhere: that of file descriptors, which loggers keep for later."""
    kept = {number: os.dup(number) for number in (1, 2)}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in kept:
        os.dup2(nowhere, number)
    os.close(nowhere)
    try:
        yield
    finally:
        for number, before in kept.items():
            os.dup2(before, number)
            os.close(before)


def _set_environment(variables: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)
