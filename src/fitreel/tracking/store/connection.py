"""Errors of a tracking store: one line for each, and whether retrying helps."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy
from mlflow.exceptions import MlflowException
from requests.exceptions import JSONDecodeError
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
from fitreel.tracking.store.internals import supported_schemes

BAD_REQUESTS = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
FORBIDDEN = (*BAD_REQUESTS, "PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")
LASTING = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)
FIRST_ANSWER = 4  # seconds that a database may take for it
NOT_THERE = (NewConnectionError, ConnectTimeoutError)
BUSY = (
    ReadTimeoutError,
    ProtocolError,
    ResponseError,
    JSONDecodeError,
)  # silence, a reset, a status such as 429 or 503, an answer without a body

# A database server that is away, or where another process was first. Each driver has errors of
# its own, which SQLAlchemy sorts into these.
DATABASE_ERRORS = (
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.IntegrityError,
)


class WrongAnswer(ConnectionError):
    """An answer that cannot be true; the message names the store."""


@contextmanager
def plain_errors(uri: str) -> Iterator[None]:
    """Turn exceptions of MLflow and of the database into built-in ones that fit on a line.

    ``uri`` is that of the store, secrets included: these are removed from the messages.
    """
    try:
        yield
    except (MlflowException, sqlalchemy.exc.SQLAlchemyError) as error:
        raise plain(error, uri) from error


def plain(error: Exception, uri: str) -> Exception:
    """Return a built-in exception that says in one line what went wrong with a store.

    Secrets of ``uri`` are removed from its text, wherever that comes from.
    """
    if isinstance(error, (WrongAnswer, Unavailable)):
        return error
    cause, seen = _innermost(error), masked(uri)
    if schemes := supported_schemes(error):
        known = ", ".join(schemes)
        return ValueError(f"{seen} is not a tracking store; MLflow knows {known}")
    if _is_unreadable(error):
        return WrongAnswer(f"tracking store {seen}: its answer cannot be read")
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
    """Return whether a store refused a request, and would refuse it again."""
    return isinstance(error, MlflowException) and error.error_code in BAD_REQUESTS


def is_passing(error: BaseException) -> bool:
    """Return whether waiting may help: with a store that is away or busy, not with a full disk."""
    cause = _innermost(error)
    if isinstance(error, MlflowException) and error.error_code in FORBIDDEN:
        return False
    if isinstance(cause, OSError) and cause.errno in LASTING:
        return False
    # Before the errors of servers: SQLAlchemy wraps these in the same classes.
    if isinstance(cause, sqlite3.Error):
        # Another process may have written the same row first; a second look finds it.
        return isinstance(cause, sqlite3.IntegrityError) or "locked" in str(cause)
    if any(isinstance(each, DATABASE_ERRORS) for each in _causes(error)) or _is_unreadable(error):
        return True
    return isinstance(cause, (OSError, MlflowException, sqlalchemy.exc.SQLAlchemyError, HTTPError))


def is_absent(error: BaseException) -> bool:
    """Return whether no server took the request: it is not there, or its name is unknown."""
    return any(isinstance(cause, NOT_THERE) for cause in _causes(error))


def answers_badly(error: BaseException) -> bool:
    """Return whether the server is busy, or its answers are useless."""
    return any(isinstance(cause, (*BUSY, WrongAnswer)) for cause in _causes(error))


def _is_unreadable(error: BaseException) -> bool:
    """Return whether an answer is not JSON; a local file that is not raises another error."""
    return any(isinstance(cause, JSONDecodeError) for cause in _causes(error))


def is_time_out(error: BaseException) -> bool:
    """Return whether a server took a request but needed too long for it."""
    return isinstance(_innermost(error), TimeoutError) and not is_absent(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its cause, the cause of that, and so on."""
    found: BaseException | None = error
    while found:
        yield found
        found = found.__cause__ or found.__context__


def _innermost(error: BaseException) -> BaseException:
    *_, last = _causes(error)
    return last
