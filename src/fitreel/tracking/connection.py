"""Reaching a tracking store, and what is told when that fails."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy
from mlflow.exceptions import MlflowException
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    ResponseError,
)

from fitreel.checks.urls import masked, scrubbed
from fitreel.journal.spool import Unavailable
from fitreel.tracking.internals import supported_schemes

BAD_REQUESTS = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
FORBIDDEN = (*BAD_REQUESTS, "PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")
LASTING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
PATIENCE = 4  # seconds for the first answer of a database
NOT_THERE = (NewConnectionError, ConnectTimeoutError)
BUSY = (ReadTimeoutError, ProtocolError, ResponseError)  # silence, a reset, a status as 429 or 503

# A server of databases that is away, or where another process was first: drivers have errors of
# their own, which SQLAlchemy sorts.
DATABASE_ERRORS = (
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.IntegrityError,
)


class WrongAnswer(ConnectionError):
    """An answer that cannot be true: its text names the store."""


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
    if isinstance(error, (WrongAnswer, Unavailable)):
        return error
    cause, seen = _innermost(error), masked(uri)
    if schemes := supported_schemes(error):
        known = ", ".join(schemes)
        return ValueError(f"{seen} is not a tracking store; MLflow knows {known}")
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
        return ValueError(f"'{seen}' is not a tracking store: {scrubbed(str(error), uri)}")
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
    if any(isinstance(each, DATABASE_ERRORS) for each in _causes(error)):
        return True
    return isinstance(cause, (OSError, MlflowException, sqlalchemy.exc.SQLAlchemyError, HTTPError))


def is_absent(error: BaseException) -> bool:
    """Tell whether no server took the request: none is there, or its name is unknown."""
    return any(isinstance(cause, NOT_THERE) for cause in _causes(error))


def answers_badly(error: BaseException) -> bool:
    """Tell whether a server is there that is busy, or whose answers are no good."""
    return any(isinstance(cause, (*BUSY, WrongAnswer)) for cause in _causes(error))


def is_time_out(error: BaseException) -> bool:
    """Tell whether a server took a request and needed longer than it may."""
    return isinstance(_innermost(error), TimeoutError) and not is_absent(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error, what it came from, what that came from."""
    found: BaseException | None = error
    while found:
        yield found
        found = found.__cause__ or found.__context__


def _innermost(error: BaseException) -> BaseException:
    *_, last = _causes(error)
    return last
