"""Reaching a tracking store, and what is told when that fails."""

import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy
from mlflow.environment_variables import (
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
)
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.tracking.registry import UnsupportedModelRegistryStoreURIException
from urllib3.exceptions import HTTPError

from fitreel.text import check_uri

BAD_REQUESTS = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
FORBIDDEN = (*BAD_REQUESTS, "PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED")
LASTING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
PATIENCE = 4  # seconds for the first answer of a tracking server


def without_password(uri: str) -> str:
    """Write a tracking URI as others may read it."""
    parts = urlsplit(uri)
    return uri.replace(f":{parts.password}@", ":***@") if parts.password else uri


def check_database(uri: str) -> None:
    """Open a database once: MLflow would try for minutes and print a page."""
    kind = urlsplit(check_uri(uri)).scheme.partition("+")[0]
    named = uri in ("databricks", "databricks-uc", "uc")
    # MLflow has a Python name for this variable from 3.13 on.
    allowed = os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1")
    if kind in ("", "file") and not named and not allowed:
        folder = urlsplit(uri).path.rstrip("/")
        raise ValueError(f"{uri} is no database; name one, as in sqlite:///{folder}/mlflow.db")
    if kind not in ("sqlite", "postgresql", "mysql", "mssql"):
        return
    path = Path(sqlalchemy.make_url(uri).database or "")
    if kind == "sqlite" and path.name:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PermissionError(f"cannot make the directory of {path}: {error}") from None
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise PermissionError(f"cannot write {path}; name another place with --tracking-uri")
    timeout = {"connect_timeout": PATIENCE} if kind in ("postgresql", "mysql") else {}
    try:
        engine = sqlalchemy.create_engine(uri, connect_args=timeout)
    except ModuleNotFoundError as error:
        raise ConnectionError(f"{without_password(uri)} needs a package: {error}") from None
    if kind == "sqlite" and path.name and not path.exists():
        create_database(path)
    with engine.connect() as connection:
        sqlalchemy.inspect(connection).get_table_names()
    engine.dispose()


def create_database(path: Path) -> None:
    """Make a new SQLite store aside and move it to its place whole.

    MLflow fails where two make the same one at once, and leaves half of one where it is killed.
    """
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        MlflowClient(f"sqlite:///{draft}").search_experiments(max_results=1)
        with suppress(FileExistsError):  # another process was first: theirs is as good
            path.hardlink_to(draft)


def absolute(uri: str) -> str:
    """Write a tracking URI so that it is the same store from any directory."""
    parts = urlsplit(uri)
    if parts.scheme.startswith("sqlite"):
        url = sqlalchemy.make_url(uri)
        path = str(Path(url.database or "").absolute())
        return url.set(database=path).render_as_string(hide_password=False)
    return uri if parts.scheme else str(Path(uri).absolute())


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
    """Turn MLflow's and the database's exceptions into built-in ones that fit on a line."""
    try:
        yield
    except (MlflowException, sqlalchemy.exc.SQLAlchemyError) as error:
        raise plain(error, uri) from error


def plain(error: Exception, uri: str) -> Exception:
    """Give the built-in exception that says on a line what went wrong with a store."""
    cause = _innermost(error)
    if isinstance(error, UnsupportedModelRegistryStoreURIException):
        known = ", ".join(filter(None, error.supported_uri_schemes))
        return ValueError(f"{uri} is no tracking store; MLflow knows {known}")
    if uri.startswith("http") and isinstance(cause, OSError):
        return ConnectionError(
            f"tracking server {uri} does not answer ({cause}); "
            "start it, or name another with --tracking-uri"
        )
    if isinstance(error, MlflowException):
        if is_refusal(error):
            return ValueError(f"tracking store {uri}: {error.message}")
        return ConnectionError(
            f"tracking store {uri}: {error.message if cause is error else cause}"
        )
    if isinstance(error, sqlalchemy.exc.ArgumentError):
        return ValueError(f"{uri!r} is no tracking store: {error}")
    if isinstance(error, sqlalchemy.exc.SQLAlchemyError):
        return ConnectionError(f"tracking store {uri} cannot be opened ({cause})")
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
