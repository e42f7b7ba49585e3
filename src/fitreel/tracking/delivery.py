"""The delivery: bring what a journal holds into MLflow, each record once and in order.

Everything here may be done twice: a record is taken as delivered only when MLflow has it, and
MLflow keeps one of what it is told again with the same time stamp.
"""

import math
import tempfile
import warnings
from collections.abc import Collection, Iterator
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlencode, urlsplit

import mlflow
import numpy as np
from mlflow.data.numpy_dataset import from_numpy
from mlflow.entities import (
    DatasetInput,
    InputTag,
    LoggedModel,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType
from mlflow.utils import requirements_utils
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from fitreel.checks.urls import masked
from fitreel.data.files import load_dataset, sha256
from fitreel.journal.checkpoints import unpack
from fitreel.journal.journal import Journal, Record
from fitreel.journal.spool import scratch
from fitreel.tracking.client import Client, upload
from fitreel.tracking.creation import DOUBT, remove_extras, runs_of
from fitreel.tracking.ending import end
from fitreel.tracking.names import MODEL
from fitreel.tracking.nested import BATCH, NestedRuns

WITH_USER = ("http", "https", "ftp", "sftp")  # schemes of artifacts whose address may hold a login


class Delivery:
    """Bring one journal into the run that it is about."""

    def __init__(self, client: Client, journal: Journal, run_id: str) -> None:
        self._client = client
        self._journal = journal
        self._run_id = run_id
        kept = journal.kept("delivered")
        self._position: int = kept["position"] if kept else 0
        self._trials: int = kept.get("trials", 0) if kept else 0
        self._nested = NestedRuns(client, run_id)

    def step(self) -> bool:
        """Deliver what goes in one call; tell whether there was anything."""
        records, end = self._next()
        if end == self._position:
            return False
        # What is told to others must not be forgotten here: another time stamp were a duplicate.
        self._journal.flush()
        if records and records[0]["kind"] in ("values", "losses"):
            self._log(records)
        elif records and records[0]["kind"] == "trial":
            self._nested.deliver(records)
            self._trials += len(records)
        elif records:
            getattr(self, f"_{records[0]['kind']}")(records[0])
        self._journal.keep("delivered", {"position": end, "trials": self._trials})
        self._position = end
        return True

    def _next(self) -> tuple[list[Record], int]:
        """Give the next record and where it ends, or all the next ones that share a call."""
        found: list[Record] = []
        end, size = self._position, 0
        try:
            for behind, record in self._journal.records(self._position):
                kind = record["kind"]
                if kind in DELIVERED:
                    if found and _share(kind) != _share(found[0]["kind"]):
                        break
                    found.append(record)
                    size += self._size(record)
                end = behind
                if size >= BATCH:
                    break
        except ValueError:  # damaged: first what is before
            if end == self._position:
                raise
        return found, end

    def _size(self, record: Record) -> int:
        """Say how much of a call a record takes."""
        if record["kind"] in ("values", "losses"):
            return int(record.get("count", 0)) + 10
        share = self._nested.share(record) if record["kind"] == "trial" else 1
        return math.ceil(BATCH * share)

    def _log(self, records: list[Record]) -> None:
        params, tags, metrics = dict[str, str](), dict[str, str](), list[Metric]()
        for record in records:
            if record["kind"] == "losses":
                metrics.extend(losses(record))
            else:
                params |= record.get("params", {})
                tags |= record.get("tags", {})
                metrics.extend(
                    Metric(key, value, record["time"], 0)
                    for key, value in record.get("metrics", {}).items()
                )
        for first in range(0, len(metrics), BATCH):
            self._client.log_batch(self._run_id, metrics=metrics[first : first + BATCH])
        if params or tags:
            self._client.log_batch(
                self._run_id,
                params=[Param(*item) for item in params.items()],
                tags=[RunTag(*item) for item in tags.items()],
            )

    def _artifacts(self, record: Record) -> None:
        folder = self._journal.file(record, "folder")
        self._client.log_artifacts(self._run_id, str(folder), record["to"])

    def _trial_artifacts(self, record: Record) -> None:
        self._nested.log_artifacts(record, self._journal.file(record, "folder"))

    def _dataset(self, record: Record) -> None:
        file = self._journal.file(record, "file")
        dataset = load_dataset(file)
        with warnings.catch_warnings():
            # MLflow registers the class of local sources twice, and then cannot decide.
            warnings.filterwarnings("ignore", "The specified dataset source")
            entry = from_numpy(
                dataset.x.numpy(),
                self._address(record["path"]),
                targets=dataset.y.numpy(),
                name=record["name"],
                digest=sha256(file)[:8],
            )
        tags = [InputTag(MLFLOW_DATASET_CONTEXT, record.get("context", "training"))]
        self._client.log_inputs(self._run_id, [DatasetInput(entry._to_mlflow_entity(), tags)])

    def _address(self, artifact: str) -> str:
        root = self._client.get_run(self._run_id).info.artifact_uri
        if urlsplit(root).scheme == "mlflow-artifacts":
            # MLflow has no dataset source for what its server keeps, but one for web addresses.
            query = urlencode({"path": artifact, "run_uuid": self._run_id})
            return f"{masked(self._client.tracking_uri)}/get-artifact?{query}"
        # All who reach the store read it. Elsewhere an @ is a part of a name, as in wasbs://.
        has_user = urlsplit(root).scheme in WITH_USER
        return f"{masked(root) if has_user else root}/{artifact}"

    def _model(self, record: Record) -> None:
        """Log a model that mlflow.pyfunc loads: column x in, y out, both of doubles."""
        run = self._client.get_run(self._run_id)
        home, chosen = run.info.experiment_id, _chosen_models(run)
        # mlflow.pyfunc.log_model would make a new one each time it is tried.
        made = self._models(home, chosen)
        model = (
            made[0]
            if made
            else self._client.create_logged_model(home, MODEL, self._run_id, params=run.data.params)
        )
        if model.model_id not in chosen:
            self._client.log_outputs(self._run_id, [LoggedModelOutput(model.model_id, step=0)])
        weights = self._journal.file(record, "weights")
        with scratch() as folder:
            path = folder / "model"
            described = Model(
                MODEL,
                self._run_id,
                model_uuid=model.model_id,
                model_id=model.model_id,
            )
            save_model(weights, path, described)
            upload(self._client.repository(model.artifact_location), path)
        self._client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)

    def _models(self, experiment_id: str, first: Collection[str]) -> list[LoggedModel]:
        """Find the models of this run, those of these ids before the others."""
        wanted = f"source_run_id = '{self._run_id}' AND name = '{MODEL}'"
        found = self._client.search_logged_models([experiment_id], wanted)
        return sorted(found, key=lambda each: (each.model_id not in first, each.model_id))

    def _status(self, record: Record) -> None:
        status = record["status"]
        if status == "RUNNING":
            self._client.update_run(self._run_id, status)
            return
        run = self._client.get_run(self._run_id)
        end(self._client, run, status, record["time"])
        kinds = {record["kind"] for _, record in self._journal.records()}
        if kinds & {DOUBT, "model"}:
            self._remove_extras(run, kinds)
        if self._trials:
            self._nested.remove_extras()

    def _remove_extras(self, run: Run, kinds: Collection[str]) -> None:
        """Remove what a server made late that was asked for the same twice."""
        home = run.info.experiment_id
        if "model" in kinds:
            for extra in self._models(home, _chosen_models(run))[1:]:
                self._client.delete_logged_model(extra.model_id)
        if DOUBT in kinds:
            found = runs_of(self._client, self._journal, [home])
            remove_extras(
                self._client, [each for each in found if each.info.run_id != run.info.run_id]
            )


DELIVERED = (
    "values",
    "losses",
    "trial",
    "trial_artifacts",
    "artifacts",
    "dataset",
    "model",
    "status",
)


def _share(kind: str) -> str:
    """Name what records share a step with."""
    return "values" if kind == "losses" else kind


def _chosen_models(run: Run) -> set[str]:
    """Name the models that a run has as its outputs."""
    return {output.model_id for output in (run.outputs.model_outputs if run.outputs else [])}


def losses(record: Record) -> Iterator[Metric]:
    """Make metrics of a record of losses, their times spread evenly over the record's."""
    values = unpack(record["numbers"]).tolist()
    times = np.linspace(record["start"], record["end"], len(values)).astype(int).tolist()
    for epoch, (value, when) in enumerate(zip(values, times, strict=True), start=record["first"]):
        yield Metric("loss", value, when, epoch)


def save_model(weights: Path, path: Path, described: Model) -> None:
    """Write code and weights as MLflow's pyfunc flavour has them."""
    requirements = [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "safetensors")]
    # To check pins against what is installed MLflow reads the names of all installed files
    # for 0.3 s; it needs them for packages only that it finds under another name.
    no_names = patch.multiple(
        requirements_utils, _MODULES_TO_PACKAGES=dict[str, list[str]](), create=True
    )
    # Its own temporary directories go beside the model: a kill -9 leaves none elsewhere.
    beside = patch.object(tempfile, "tempdir", str(path.parent))
    with no_names, beside:
        mlflow.pyfunc.save_model(
            path,
            mlflow_model=described,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"weights": str(weights)},
            # A column of doubles refuses whole numbers of a table; the model itself looks at them.
            signature=ModelSignature(
                inputs=Schema([ColSpec(AnyType(), "x")]),  # type: ignore[no-untyped-call]
                outputs=Schema([ColSpec("double")]),
            ),
            input_example={"x": [-1.0, 0.0, 0.5]},
            pip_requirements=requirements,
        )
    _forget_machine(path, described)


def _forget_machine(path: Path, described: Model) -> None:
    """Write MLmodel again, without the paths of what the model was made from."""
    flavour = described.flavors[mlflow.pyfunc.FLAVOR_NAME]
    flavour["model_code_path"] = Path(flavour["model_code_path"]).name
    for artifact in flavour["artifacts"].values():
        artifact["uri"] = artifact["path"]
    described.save(str(path / "MLmodel"))
