"""The input of a run as MLflow shows it: points or a table, with name, digest and address."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import mlflow.data
import pandas
from mlflow.data.dataset_source import DatasetSource
from mlflow.entities import Dataset, DatasetInput, InputTag

from fitreel.checks.files import sha256
from fitreel.checks.urls import masked
from fitreel.data.dataset import Dataset as Points
from fitreel.data.files import load_dataset
from fitreel.data.schema import Schema
from fitreel.data.table.kept import KeptTable
from fitreel.journal.records import Record
from fitreel.reel.files import load_rows
from fitreel.tracking.names import DATA, ROWS_FILE, TABLE_FILE
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.repository import below

WITH_USER = ("http", "https", "ftp", "sftp")  # schemes of artifacts whose address may have a login
Source = str | DatasetSource
DIGITS = 8  # of a digest, as many as MLflow computes
CONTEXT_TAG = "mlflow.data.context"  # which MLflow documents


def log_dataset(client: Client, run_id: str, record: Record, file: Path) -> None:
    """Log a file of points, or the table that a record describes, as an input of a run."""
    address = partial(_source, client, run_id)
    describe = {TABLE_FILE: _table, ROWS_FILE: _rows}.get(file.name, _points)
    described = describe(record, file, address)
    tags = [InputTag(CONTEXT_TAG, record.get("context", "training"))]
    client.log_inputs(run_id, [DatasetInput(Dataset(**described), tags)])


def _points(record: Record, file: Path, address: Callable[[str], Source]) -> dict[str, str]:
    return _numbers(load_dataset(file), record, file, address)


def _rows(record: Record, file: Path, address: Callable[[str], Source]) -> dict[str, str]:
    rows, _ = load_rows(file)
    return _numbers(rows, record, file, address)


def _numbers(
    points: Points, record: Record, file: Path, address: Callable[[str], Source]
) -> dict[str, str]:
    described: dict[str, str] = mlflow.data.from_numpy(  # type: ignore[attr-defined]
        points.x.numpy(),
        address(record["path"]),
        targets=points.y.numpy(),
        name=record["name"],
        digest=sha256(file)[:DIGITS],
    ).to_dict()
    return described


def _table(record: Record, file: Path, address: Callable[[str], Source]) -> dict[str, str]:
    """Describe a table by a frame without rows: its types are the schema that MLflow shows."""
    kept = KeptTable.load(file)
    rows = kept.files[0]
    described: dict[str, str] = mlflow.data.from_pandas(  # type: ignore[attr-defined]
        _frame(kept.schema),
        address(f"{DATA}/{rows.name}") if rows.name else masked(rows.address),
        targets=kept.schema.target,
        name=record["name"],
        digest=rows.sha256[:DIGITS],
    ).to_dict()
    columns = len(kept.schema.columns) + 1
    count = sum(kept.rows.values())
    profile = {"num_rows": count, "num_elements": count * columns} | {
        f"{part}_rows": number for part, number in kept.rows.items()
    }
    return described | {"profile": json.dumps(profile)}


def _frame(schema: Schema) -> pandas.DataFrame:
    """Return two rows with the types of a table's columns."""
    examples: dict[str, list[Any]] = {
        "number": [0.0, 0.5],
        "boolean": [False, True],
        "category": ["", ""],
    }
    columns = {column.name: examples[column.kind] for column in schema.columns}
    return pandas.DataFrame(columns | {schema.target: ["", ""] if schema.classes else [0.0, 0.5]})


def _source(client: Client, run_id: str, artifact: str) -> Source:
    """Return where an artifact is: an address, or what MLflow makes of that of a local file.

    MLflow registers the class of local sources twice, and warns that it cannot decide. No warning
    may be caught here: the filters of warnings belong to all threads, that of the training, too.
    """
    address = _address(client, run_id, artifact)
    if urlsplit(address).scheme not in {"", "file"}:
        return address
    found = Dataset("", "", "local", json.dumps({"uri": address}))
    return mlflow.data.get_source(found)


def _address(client: Client, run_id: str, artifact: str) -> str:
    root = client.get_run(run_id).info.artifact_uri
    if urlsplit(root).scheme == "mlflow-artifacts":
        # MLflow has no dataset source for what its server keeps, but one for web addresses.
        query = urlencode({"path": artifact, "run_uuid": run_id})
        return f"{masked(client.tracking_uri)}/get-artifact?{query}"
    # All who reach the store read it. Elsewhere an @ is a part of a name, as in wasbs://.
    has_user = urlsplit(root).scheme in WITH_USER
    return below(masked(root) if has_user else root, artifact)
