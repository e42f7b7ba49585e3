"""Reaching a tracking store, and what is told when that fails."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy
from mlflow.environment_variables import (
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
)
from mlflow.exceptions import MlflowException
from mlflow.tracking.registry import UnsupportedModelRegistryStoreURIException
from urllib3.exceptions import HTTPError

from fitreel.urls import masked, scrubbed

BAD_REQUESTS = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
FORBIDDEN = (*BAD_REQUESTS, "PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")
LASTING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
PATIENCE = 4  # seconds for the first answer of a tracking server


def be_brief() -> None:
    """Have MLflow's client try a request once, for 10 seconds: the courier tries again."""
    os.environ.setdefault(MLFLOW_HTTP_REQUEST_MAX_RETRIES.name, "0")
    os.environ.setdefault(MLFLOW_HTTP_REQUEST_TIMEOUT.name, "10")


@contextmanager
def impatient() -> Iterator[None]:
    """Let MLflow try once, for PATIENCE seconds, instead of its four minutes."""
    wanted = {
        MLFLOW_HTTP_REQUEST_MAX_RETRIES.name: "0",
        MLFLOW_HTTP_REQUEST_TIMEOUT.name: str(PATIENCE),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def plain_errors(uri: str) -> Iterator[None]:
    """Turn MLflow's and the database's exceptions into built-in ones that fit on a line.

    ``uri`` is that of the store as it is: its secrets are looked for in their texts.
    """
    try:
        yield
    except (MlflowException, sqlalchemy.exc.SQLAlchemyError) as error:
        raise plain(error, uri) from error


def plain(error: Exception, uri: str) -> Exception:
    """Give the built-in exception that says on a line what went wrong with a store.

    What is secret in ``uri`` is not in it, whoever wrote the error's text.
    """
    cause, seen = _innermost(error), masked(uri)
    if isinstance(error, UnsupportedModelRegistryStoreURIException):
        known = ", ".join(filter(None, error.supported_uri_schemes))
        return ValueError(f"{seen} is no tracking store; MLflow knows {known}")
    reason = scrubbed(str(cause), uri)
    if uri.startswith("http") and isinstance(cause, OSError):
        return ConnectionError(
            f"tracking server {seen} does not answer ({reason}); "
            "start it, or name another with --tracking-uri"
        )
    if isinstance(error, MlflowException):
        message = scrubbed(str(error.message), uri)
        if is_refusal(error):
            return ValueError(f"tracking store {seen}: {message}")
        return ConnectionError(f"tracking store {seen}: {message if cause is error else reason}")
    if isinstance(error, sqlalchemy.exc.ArgumentError):
        return ValueError(f"'{seen}' is no tracking store: {scrubbed(str(error), uri)}")
    if isinstance(error, sqlalchemy.exc.SQLAlchemyError):
        return ConnectionError(f"tracking store {seen} cannot be opened ({reason})")
    return error


def is_refusal(error: BaseException) -> bool:
    """Tell whether a store will answer the same however often it is asked."""
    return isinstance(error, MlflowException) and error.error_code in BAD_REQUESTS


def is_passing(error: BaseException) -> bool:
    """Tell whether it is worth to wait: a store that is away or busy, no disk that is full."""
    cause = _innermost(error)
    if isinstance(error, MlflowException) and error.error_code in FORBIDDEN:
        return False
    if isinstance(cause, OSError) and cause.errno in LASTING:
        return False
    if isinstance(cause, sqlite3.Error):
        # Where another process was first with the same row, a second look finds it.
        return isinstance(cause, sqlite3.IntegrityError) or "locked" in str(cause)
    return isinstance(cause, (OSError, MlflowException, sqlalchemy.exc.SQLAlchemyError, HTTPError))


def _innermost(error: BaseException) -> BaseException:
    while inner := error.__cause__ or error.__context__:
        error = inner
    return error
