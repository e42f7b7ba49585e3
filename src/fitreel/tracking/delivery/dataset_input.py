"""The points of a run as MLflow shows them: an input with a name, a digest and an address."""

import warnings
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import mlflow.data
from mlflow.entities import Dataset, DatasetInput, InputTag

from fitreel.checks.urls import masked
from fitreel.data.files import load_dataset, sha256
from fitreel.journal.journal import Record
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.repository import below

WITH_USER = ("http", "https", "ftp", "sftp")  # schemes of artifacts whose address may have a login
CONTEXT_TAG = "mlflow.data.context"  # which MLflow documents


def log_dataset(client: Client, run_id: str, record: Record, file: Path) -> None:
    """Log a file of points as an input of a run."""
    points = load_dataset(file)
    with warnings.catch_warnings():
        # MLflow registers the class of local sources twice, and then cannot decide.
        warnings.filterwarnings("ignore", "The specified dataset source")
        described = mlflow.data.from_numpy(  # type: ignore[attr-defined]
            points.x.numpy(),
            _address(client, run_id, record["path"]),
            targets=points.y.numpy(),
            name=record["name"],
            digest=sha256(file)[:8],  # as long as those that MLflow computes
        )
    tags = [InputTag(CONTEXT_TAG, record.get("context", "training"))]
    client.log_inputs(run_id, [DatasetInput(Dataset(**described.to_dict()), tags)])


def _address(client: Client, run_id: str, artifact: str) -> str:
    root = client.get_run(run_id).info.artifact_uri
    if urlsplit(root).scheme == "mlflow-artifacts":
        # MLflow has no dataset source for what its server keeps, but one for web addresses.
        query = urlencode({"path": artifact, "run_uuid": run_id})
        return f"{masked(client.tracking_uri)}/get-artifact?{query}"
    # All who reach the store read it. Elsewhere an @ is a part of a name, as in wasbs://.
    has_user = urlsplit(root).scheme in WITH_USER
    return below(masked(root) if has_user else root, artifact)
