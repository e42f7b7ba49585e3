"""Outcomes: what a store has of each run that must be the same whatever was interrupted."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from mlflow.entities import LoggedModelStatus

from fitreel.tracking.names import TRIAL_TAG

# Of a run. What took how long is never the same, and neither are ids, processes and times.
VALUES = {
    "params": "SELECT key, value FROM params WHERE run_uuid = ? ORDER BY key",
    "note": "SELECT value FROM tags WHERE run_uuid = ? AND key = 'mlflow.note.content'",
    "metrics": "SELECT key, step, value FROM metrics WHERE run_uuid = ?"
    " AND key NOT LIKE '%seconds%' ORDER BY key, timestamp, step, value",
    "inputs": "SELECT name, digest FROM inputs JOIN datasets ON source_id = dataset_uuid"
    " WHERE destination_id = ? ORDER BY name",
}
RUNS = (
    "SELECT runs.run_uuid, status, artifact_uri, coalesce(tags.value, '') FROM runs"
    f" LEFT JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.key = '{TRIAL_TAG}'"
)
MODELS = "SELECT status, artifact_location FROM logged_models WHERE source_run_id = ?"


def outcomes(store: Path) -> dict[str, dict[str, Any]]:
    """Return what the store in a folder has of each run, by its id."""
    with closing(sqlite3.connect(store / "mlflow.db")) as database:
        return {
            run_id: {
                "status": status,
                "trial": trial,
                "files": dict(_sums(artifacts)),
                "models": [
                    (LoggedModelStatus.from_int(status).value, dict(_sums(place)))
                    for status, place in database.execute(MODELS, [run_id])
                ],
            }
            | {
                name: [
                    tuple(_without(run_id, each) for each in row)
                    for row in database.execute(query, [run_id])
                ]
                for name, query in VALUES.items()
            }
            for run_id, status, artifacts, trial in database.execute(RUNS).fetchall()
        }


def _without(run_id: str, value: object) -> object:
    return value.replace(run_id, "RUN") if isinstance(value, str) else value


def _sums(address: str) -> Iterator[tuple[str, str]]:
    """Yield the SHA-256 of each file below an address; MLmodel holds ids and times."""
    place = Path(address.removeprefix("file://"))
    for path in place.rglob("*"):
        if path.is_file() and path.name != "MLmodel":
            yield path.relative_to(place).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()
