"""The private names of MLflow: all of them, each with a public fallback.

Each one is imported where it is used, and checked there. Where this version of MLflow lacks it, or
it is not what we know, the public way is taken; tests/test_internals.py compares both ways.
"""

import getpass
import inspect
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

Sessions = Callable[[], AbstractContextManager[Session]]


def context_tags() -> dict[str, str]:
    """Return the tags that MLflow gives a run for where it was started.

    They include those of plugins and of notebooks; the public way knows the user and the program.
    """
    try:
        from mlflow.tracking.context.git_context import GitRunContext
        from mlflow.tracking.context.registry import resolve_tags
    except ImportError:
        user = os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
        # System tags that MLflow documents.
        return {
            "mlflow.user": user,
            "mlflow.source.name": sys.argv[0] or "<console>",
            "mlflow.source.type": "LOCAL",
        }
    # Its provider of git's commit takes 40 ms to be imported.
    tags: dict[str, str] = resolve_tags({}, ignore=[GitRunContext])  # type: ignore[list-item]
    return tags


def is_generated_name(name: str) -> bool:
    """Return whether MLflow generated this name of a run, as in bright-shark-123.

    Without MLflow's lists of words any two lower-case words and a number count.
    """
    predicate, _, rest = name.partition("-")
    noun, _, number = rest.partition("-")
    try:
        from mlflow.utils.name_utils import _GENERATOR_NOUNS, _GENERATOR_PREDICATES
    except ImportError:
        is_known = all(word.isalpha() and word.islower() for word in (predicate, noun))
    else:
        is_known = predicate in _GENERATOR_PREDICATES and noun in _GENERATOR_NOUNS
    return is_known and number.isdigit()


def artifact_repository(address: str, tracking_uri: str) -> "ArtifactRepository | None":
    """Return what reads and writes the artifacts of an address, or None: then public functions do.

    These ask a server for the run again with each upload, and believe an empty answer: the files
    then end up in the working directory. Raises MlflowException if the address is not valid.
    """
    try:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    except ImportError:
        return None
    return get_artifact_repository(address, tracking_uri)


def supported_schemes(error: Exception) -> list[str] | None:
    """Return the schemes of URIs that MLflow knows, if the error is about another one."""
    found = getattr(error, "supported_uri_schemes", None)
    return [each for each in found if each] if isinstance(found, list) else None


def create_engine(uri: str) -> sqlalchemy.Engine:
    """Open a database with MLflow's variables for pools and certificates.

    The public way opens it without them. Raises ModuleNotFoundError if the driver is missing.
    """
    try:
        from mlflow.store.db.utils import create_sqlalchemy_engine
    except ImportError:
        return sqlalchemy.create_engine(uri, pool_pre_ping=True)
    engine: sqlalchemy.Engine = create_sqlalchemy_engine(uri)  # type: ignore[no-untyped-call]
    return engine


def database_sessions(uri: str) -> Sessions | None:
    """Return what opens a transaction as MLflow's own store does, or None if that is unknown.

    The engine is the store's: its pool, its certificates, its settings of SQLite.
    """
    try:
        from mlflow.tracking._tracking_service.utils import _get_store
    except ImportError:
        return None
    store: Any = _get_store(uri)  # type: ignore[no-untyped-call]
    make = getattr(store, "ManagedSessionMaker", None)
    if make is None:
        return None
    # In newer versions a session may go to a replica, unless it says that it writes.
    options = {"read_only": False} if "read_only" in inspect.signature(make).parameters else {}
    return lambda: make(**options)
