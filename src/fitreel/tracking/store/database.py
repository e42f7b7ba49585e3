"""The database of a tracking store: checked before MLflow opens it, created by one at a time.

MLflow itself tries for minutes and prints a page of text if a database does not answer, and fails
if two processes create the same tables at once. It leaves half a database if it is killed then.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy
from mlflow.tracking import MlflowClient
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from fitreel.checks.databases import read_url, remedy, time_limit
from fitreel.checks.text import check_uri, shortened
from fitreel.checks.urls import masked
from fitreel.tracking.delivery.tables import EXPERIMENTS
from fitreel.tracking.store.connection import FIRST_ANSWER
from fitreel.tracking.store.internals import create_engine
from fitreel.tracking.store.new_database import check_place, create_database

KINDS = ("sqlite", "postgresql", "mysql", "mssql")
DATABRICKS = ("databricks", "databricks-uc", "uc")  # URIs without a scheme
MAKING = 60  # seconds that another process may take to create the tables
# Locks that end with the connection, so that a dead process holds none. The number is our own.
LOCKS = {
    "postgresql": "SELECT pg_try_advisory_xact_lock(6617260719)",
    # MySQL's locks are those of the whole server: the name says which database is meant.
    "mysql": "SELECT GET_LOCK(CONCAT('fitreel ', DATABASE()), 0)",
}


def is_database(uri: str) -> bool:
    """Return whether a store is a database that this process writes itself."""
    return _kind(uri) in KINDS


def _kind(uri: str) -> str:
    return uri.partition(":")[0].partition("+")[0]


def open_engine(uri: str, **arguments: object) -> sqlalchemy.Engine:
    """Open a database as MLflow does, with its variables for pools and certificates.

    ``arguments`` are for the driver. Raises ConnectionError if that is not installed.
    """
    try:
        engine = create_engine(uri)
    except ModuleNotFoundError as error:
        raise ConnectionError(f"{masked(uri)} {remedy(error)}") from None

    # MLflow's function takes no arguments for the driver: they are added when it connects.
    @sqlalchemy.event.listens_for(engine, "do_connect")
    def _add(_dialect: object, _record: object, _words: object, options: dict[str, object]) -> None:
        options.update(arguments)

    return engine


def check_store(uri: str, may_create: bool) -> None:
    """Check that a store can be opened; create it if it is missing and may be created.

    Raises FileNotFoundError if it is missing, PermissionError if it cannot be written, ValueError
    if it is not a database.
    """
    kind = _kind(check_uri(uri))
    _check_scheme(uri)
    if kind not in KINDS:
        return
    url = read_url(uri)
    limits = {} if kind == "sqlite" else time_limit(url, FIRST_ANSWER)
    engine = open_engine(uri, **limits)  # before anything is created: its driver may be missing
    if kind == "sqlite":
        _check_file(Path(url.database or ""), may_create)
    try:
        if not (may_create or sqlalchemy.inspect(engine).has_table(EXPERIMENTS.name)):
            raise FileNotFoundError(
                f"no tracking store in {masked(uri)}: the database lacks MLflow's tables; "
                "name another with --tracking-uri, or create them with fitreel run"
            )
        with engine.connect() as connection, _alone(connection, kind):
            # MLflow creates its tables when it is asked for the first time.
            MlflowClient(uri).search_experiments(max_results=1)
    finally:
        engine.dispose()


def _check_scheme(uri: str) -> None:
    """Raise ValueError for a store of files, unless MLflow's variable allows it."""
    parts = urlsplit(uri)
    # MLflow has a Python name for this variable from 3.13 on.
    allowed = os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1")
    if parts.scheme in ("", "file") and uri not in DATABRICKS and not allowed:
        place = masked(f"sqlite:///{parts.path.rstrip('/')}/mlflow.db")
        raise ValueError(f"{masked(uri)} is not a database; name one, as in {place}")


def _check_file(path: Path, may_create: bool) -> None:
    """Check the file of an SQLite store; create it if it is missing and may be created."""
    if path.exists():
        check_place(path)
    elif may_create:
        create_database(path)
    else:
        is_here = path.parent.absolute() == Path.cwd()
        where = "here" if is_here else f"in {shortened(str(path.parent), 300)}"
        raise FileNotFoundError(
            f"no tracking store {where}: {shortened(path.name)} is missing; "
            "run fitreel where it is, or name one with --tracking-uri"
        )


@contextmanager
def _alone(connection: sqlalchemy.Connection, kind: str) -> Iterator[None]:
    """Keep all others from creating the tables; ConnectionError if one of them hangs.

    The connection must not be used in this block: what it reads it locks, and MLflow alters tables.
    """
    if kind in LOCKS:
        # Polled, because drivers wait for no answer longer than they may for the first.
        waiting = Retrying(
            retry=retry_if_result(lambda taken: not taken),
            wait=wait_fixed(0.1),
            stop=stop_after_delay(MAKING),
        )
        try:
            waiting(connection.scalar, sqlalchemy.text(LOCKS[kind]))
        except RetryError:
            raise ConnectionError(
                f"another process has been creating the tables for {MAKING} s; try again"
            ) from None
    yield


def absolute(uri: str) -> str:
    """Return a tracking URI that names the same store from any directory."""
    parts = urlsplit(uri)
    if parts.scheme.startswith("sqlite"):
        url = read_url(uri)
        path = str(Path(url.database or "").absolute())
        return url.set(database=path).render_as_string(hide_password=False)
    return uri if parts.scheme else str(Path(uri).absolute())
