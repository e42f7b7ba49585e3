"""A run, as later stages read it."""

from dataclasses import fields
from pathlib import Path

from mlflow.entities import Run as MlflowRun
from mlflow.tracking import MlflowClient

from fitreel.dataset import Dataset, load_dataset
from fitreel.history import History, load_history, load_weights
from fitreel.network import Weights
from fitreel.settings import DataSettings, TrainingSettings
from fitreel.tracking.connection import plain_errors, without_password

SHA256_TAG = "fitreel.dataset_sha256"
ARTIFACTS_TAG = "fitreel.sha256"  # of artifacts, by path


class Source:
    """A run, as later stages read it."""

    def __init__(self, client: MlflowClient, run_id: str, run: MlflowRun | None = None) -> None:
        """Read what the store has of it, unless ``run`` was read just now."""
        self._client = client
        run = run or client.get_run(run_id)
        if run.info.lifecycle_stage == "deleted":
            raise ValueError(f"run {run_id} is deleted; restore it or name another with --run")
        self.run_id = run.info.run_id
        self.status: str = run.info.status
        self.name: str = run.info.run_name or run_id
        self.experiment_id: str = run.info.experiment_id
        self.params: dict[str, str] = dict(run.data.params)
        self.metrics: dict[str, float] = dict(run.data.metrics)
        self.tags: dict[str, str] = dict(run.data.tags)

    def artifact(self, path: str, stage: str) -> Path:
        """Fetch an artifact that ``stage`` logs; FileNotFoundError if the run has none."""
        folder = str(Path(path).parent)
        with plain_errors(without_password(self._client.tracking_uri)):
            listing = self._client.list_artifacts(self.run_id, None if folder == "." else folder)
            if path not in [entry.path for entry in listing]:
                raise FileNotFoundError(
                    f"run {self.run_id} has no {path}; "
                    f"log it first: fitreel {stage} --run {self.run_id}"
                )
            return Path(self._client.download_artifacts(self.run_id, path))

    def dataset(self) -> Dataset:
        """Read the points."""
        return load_dataset(self.artifact("data/dataset.csv", "generate"))

    def data_settings(self) -> DataSettings | None:
        """Say how the points were drawn; None where the run does not tell."""
        names = {each.name for each in fields(DataSettings)}
        return DataSettings.from_params(self.params) if names <= self.params.keys() else None

    def training_settings(self) -> TrainingSettings:
        """Say how the network was trained; ValueError where the run does not tell."""
        # A tag tells what a stage ran with where MLflow had kept another param before.
        told = {name: self.tags.get(f"fitreel.{name}", text) for name, text in self.params.items()}
        return TrainingSettings.from_params(told)

    def losses(self) -> list[float]:
        """Read the values of the metric ``loss``, a step each."""
        with plain_errors(without_password(self._client.tracking_uri)):
            points = self._client.get_metric_history(self.run_id, "loss")
        return list(dict(sorted((point.step, point.value) for point in points)).values())

    def weights(self) -> Weights:
        """Read the trained parameters."""
        return load_weights(self.artifact("weights.safetensors", "train"))

    def history(self) -> History:
        """Read losses and frames."""
        return load_history(
            self.artifact("training/history.csv", "train"),
            self.artifact("training/frames.safetensors", "train"),
        )

    @property
    def has_dataset(self) -> bool:
        """Tell whether generate has logged to it."""
        return SHA256_TAG in self.tags

    @property
    def has_training(self) -> bool:
        """Tell whether train has logged to it."""
        return "loss" in self.metrics
