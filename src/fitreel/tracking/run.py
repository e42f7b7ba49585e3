"""An open run, as the stages write to it."""

import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import get_type_hints
from unittest.mock import patch
from urllib.parse import urlencode, urlsplit

import mlflow
from mlflow.data.numpy_dataset import from_numpy
from mlflow.entities import Metric, Param, RunTag
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, Schema
from mlflow.utils import name_utils, requirements_utils
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from fitreel.dataset import Dataset, sha256
from fitreel.settings import Settings, parse
from fitreel.tracking.connection import without_password
from fitreel.tracking.source import SHA256_TAG, Source

BATCH = 1000  # metrics in one call: MLflow's limit
AUTOMATIC_NAME_TAG = "fitreel.name"


class Run:
    """An open run, as a stage writes to it."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self.run_id = run_id

    def read(self) -> Source:
        """Read what has been logged so far."""
        return Source(self._client, self.run_id)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; the seconds become a tag."""
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        self.set_tags({f"fitreel.{name}_seconds": f"{seconds:.2f}"})

    def log_settings(self, settings: Settings) -> None:
        """Log the settings as params.

        A param that is there already stays, as `mlflow run` logs them before fitreel starts;
        one that says something else is told in a tag, because MLflow's params never change.
        """
        present = self._client.get_run(self.run_id).data.params
        hints = get_type_hints(type(settings))
        values = asdict(settings)  # type: ignore[call-overload]
        params = [Param(key, str(value)) for key, value in values.items() if key not in present]
        tags = [
            RunTag(f"fitreel.{key}", str(value))
            for key, value in values.items()
            if key in present and parse(present[key], hints[key]) != value
        ]
        self._client.log_batch(self.run_id, params=params, tags=tags)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log metrics, one value each."""
        now = _now()
        self._client.log_batch(
            self.run_id, [Metric(key, value, now, 0) for key, value in metrics.items()]
        )

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        self._client.log_batch(self.run_id, tags=[RunTag(*item) for item in tags.items()])

    def set_name(self, name: str) -> None:
        """Name the run, unless somebody chose its name."""
        tags = self._client.get_run(self.run_id).data.tags
        present = tags.get(MLFLOW_RUN_NAME, "")
        if present == tags.get(AUTOMATIC_NAME_TAG) or _is_from_mlflow(present):
            self.set_tags({MLFLOW_RUN_NAME: name, AUTOMATIC_NAME_TAG: name})

    def set_note(self, markdown: str) -> None:
        """Set the text that MLflow's UI shows as the run's description."""
        self.set_tags({MLFLOW_RUN_NOTE: markdown})

    @contextmanager
    def artifacts(self, folder: str | None = None) -> Iterator[Path]:
        """Give a directory; what is in it at the end is logged below ``folder``."""
        with tempfile.TemporaryDirectory(prefix="fitreel-") as directory:
            yield Path(directory)
            self._client.log_artifacts(self.run_id, directory, folder)

    @contextmanager
    def losses(self) -> Iterator["LossLog"]:
        """Collect the metric ``loss``; what is there at the end is sent, whatever happened."""
        log = LossLog(self._client, self.run_id)
        try:
            yield log
        finally:
            log.send()

    def log_dataset(self, dataset: Dataset, file: Path, name: str) -> None:
        """Log the points as an input of the run, with the SHA-256 of their file."""
        digest = sha256(file)
        uri = self._address(f"data/{file.name}")
        with warnings.catch_warnings():
            # MLflow registers the class of local sources twice, and then cannot decide.
            warnings.filterwarnings("ignore", "The specified dataset source")
            entry = from_numpy(
                dataset.x.numpy(), uri, targets=dataset.y.numpy(), name=name, digest=digest[:8]
            )
        mlflow.log_input(entry, context="training")
        self.set_tags({SHA256_TAG: digest})

    def _address(self, artifact: str) -> str:
        root = self._client.get_run(self.run_id).info.artifact_uri
        if urlsplit(root).scheme == "mlflow-artifacts":
            # MLflow has no dataset source for what its server keeps, but one for web addresses.
            query = urlencode({"path": artifact, "run_uuid": self.run_id})
            return f"{without_password(self._client.tracking_uri)}/get-artifact?{query}"
        return f"{root}/{artifact}"

    def log_model(self, weights: Path) -> None:
        """Log a model that mlflow.pyfunc loads: column x in, y out, both of doubles."""
        requirements = [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "safetensors")]
        # To check pins against what is installed MLflow reads the names of all installed files
        # for 0.3 s; it needs them for packages only that it finds under another name.
        no_names = patch.multiple(
            requirements_utils, _MODULES_TO_PACKAGES=dict[str, list[str]](), create=True
        )
        with no_names, warnings.catch_warnings():
            # It asks for an input example; the signature says it all.
            warnings.filterwarnings("ignore", ".*An input example was not provided")
            mlflow.pyfunc.log_model(
                name="model",
                python_model=str(Path(__file__).with_name("served_model.py")),
                artifacts={"weights": str(weights)},
                signature=ModelSignature(
                    inputs=Schema([ColSpec("double", "x")]), outputs=Schema([ColSpec("double")])
                ),
                pip_requirements=requirements,
            )


class LossLog:
    """Send losses in batches: one call a loss would take 10 ms each."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._waiting: list[Metric] = []

    def add(self, epoch: int, loss: float) -> None:
        """Take the loss of an epoch; a full batch is sent, and one that is 10 seconds old."""
        now = _now()
        self._waiting.append(Metric("loss", loss, now, epoch))
        if len(self._waiting) == BATCH or now - self._waiting[0].timestamp > 10_000:
            self.send()

    def send(self) -> None:
        """Send what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._client.log_batch(self._run_id, metrics=waiting)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _is_from_mlflow(name: str) -> bool:
    """Tell whether MLflow made this name up, as in bright-shark-123."""
    predicate, _, rest = name.partition("-")
    noun, _, number = rest.partition("-")
    return (
        predicate in name_utils._GENERATOR_PREDICATES
        and noun in name_utils._GENERATOR_NOUNS
        and number.isdigit()
    )
