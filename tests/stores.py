"""Empty stores: MLflow takes a second and a thousand synced writes for the tables of one."""

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults import client


def new_store(directory: Path, artifacts: str = "") -> Path:
    """Write an empty mlflow.db, as MLflow creates it, into a directory; return its path.

    ``artifacts`` is where those of the first experiment go; by default into the directory.
    """
    path = directory / "mlflow.db"
    path.write_bytes(_empty())
    with closing(sqlite3.connect(path)) as database, database:
        # MLflow puts the artifacts into the directory in which it creates a store.
        place = artifacts or str(directory / "mlruns/0")
        database.execute("UPDATE experiments SET artifact_location = ?", [place])
    return path


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as place:
        client(Path(place)).search_experiments()
        return (Path(place) / "mlflow.db").read_bytes()
