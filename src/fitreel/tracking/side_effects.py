"""What a library call leaves as it was: random numbers, and what is set for the whole process."""

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import mlflow
from mlflow.environment_variables import (
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT,
    MLFLOW_TRACKING_URI,
)

from fitreel.reel.restoring import same_random_numbers
from fitreel.tracking.store.limits import request_limit

VARIABLES = (
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.name,
    # Without MLflow's retries the training's own calls would fail where they need not.
    MLFLOW_HTTP_REQUEST_MAX_RETRIES.name,
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.name,
    MLFLOW_TRACKING_URI.name,
)
LOGGERS = ("mlflow", "sqlalchemy")
Value = TypeVar("Value")


@contextmanager
def without_side_effects() -> Iterator[None]:
    """Restore MLflow's URI, levels of loggers, variables and random numbers after the block.

    MLflow draws the name of a run from Python's random numbers, which are the training's.
    """
    uri = mlflow.get_tracking_uri()
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    variables = {name: os.environ.get(name) for name in VARIABLES}
    with same_random_numbers():
        try:
            yield
        finally:
            if mlflow.get_tracking_uri() != uri:
                # The variable, restored below, says the same: MLflow sets both.
                mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
            request_limit.release()
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
            for name, value in variables.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@contextmanager
def apart(context: AbstractContextManager[Value]) -> Iterator[Value]:
    """Enter and leave a context without side effects; what the block does is its own."""
    with without_side_effects():
        value = context.__enter__()
    try:
        yield value
    except BaseException as error:
        with without_side_effects():
            if not context.__exit__(type(error), error, error.__traceback__):
                raise
    else:
        with without_side_effects():
            context.__exit__(None, None, None)
