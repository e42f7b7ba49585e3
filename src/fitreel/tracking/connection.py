"""Reaching a tracking store, and what is told when that fails."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy
from mlflow.environment_variables import (
    MLFLOW_ALLOW_FILE_STORE,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
)
from mlflow.exceptions import MlflowException
from mlflow.tracking.registry import UnsupportedModelRegistryStoreURIException

from fitreel.text import check_uri

BAD_REQUESTS = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
PATIENCE = 4  # seconds for the first answer of a tracking server


def without_password(uri: str) -> str:
    """Write a tracking URI as others may read it."""
    parts = urlsplit(uri)
    return uri.replace(f":{parts.password}@", ":***@") if parts.password else uri


def check_database(uri: str) -> None:
    """Open a database once: MLflow would try for minutes and print a page."""
    kind = urlsplit(check_uri(uri)).scheme.partition("+")[0]
    named = uri in ("databricks", "databricks-uc", "uc")
    if kind in ("", "file") and not named and not MLFLOW_ALLOW_FILE_STORE.get():  # type: ignore[no-untyped-call]
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
    with engine.connect() as connection:
        sqlalchemy.inspect(connection).get_table_names()
    engine.dispose()


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
    except UnsupportedModelRegistryStoreURIException as error:
        known = ", ".join(filter(None, error.supported_uri_schemes))
        raise ValueError(f"{uri} is no tracking store; MLflow knows {known}") from error
    except MlflowException as error:
        cause = _innermost(error)
        if uri.startswith("http") and isinstance(cause, OSError):
            raise ConnectionError(
                f"tracking server {uri} does not answer ({cause}); "
                "start it, or name another with --tracking-uri"
            ) from error
        if error.error_code in BAD_REQUESTS:
            raise ValueError(f"tracking store {uri}: {error.message}") from error
        reason = error.message if cause is error else cause
        raise ConnectionError(f"tracking store {uri}: {reason}") from error
    except sqlalchemy.exc.ArgumentError as error:
        raise ValueError(f"{uri!r} is no tracking store: {error}") from error
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise ConnectionError(
            f"tracking store {uri} cannot be opened ({_innermost(error)})"
        ) from error


def _innermost(error: BaseException) -> BaseException:
    while inner := error.__cause__ or error.__context__:
        error = inner
    return error
