"""A run, as later stages read it."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from numpy.typing import NDArray

from fitreel.checks.files import check_size
from fitreel.checks.urls import scrubbed
from fitreel.data.dataset import Dataset
from fitreel.data.files import LARGEST_FILE as LARGEST_DATASET, load_dataset, sha256
from fitreel.journal.spool import scratch
from fitreel.settings import DataSettings, Settings, TrainingSettings, in_force, normalised
from fitreel.tracking.client import Client
from fitreel.tracking.connection import WrongAnswer, plain_errors
from fitreel.tracking.limits import request_limit, transfer
from fitreel.tracking.repository import Repository
from fitreel.training.files import (
    LARGEST_HEADER,
    LARGEST_LOSSES,
    LARGEST_WEIGHTS,
    LOSS_SIZE,
    load_history,
    load_losses,
    load_weights,
)
from fitreel.training.history import History
from fitreel.training.weights import Weights

DATASET = "data/dataset.csv"
SHA256_TAG = "fitreel.dataset_sha256"  # of the points that it logged, and was trained on
DRAWN_TAG = "fitreel.drawn_sha256"  # of the points that its settings draw, if those are others
DIGESTS_TAG = "fitreel.sha256"  # JSON: the path of an artifact to its SHA-256
KIND_TAG = "fitreel.kind"  # what the run is, if it is no experiment
TRIAL_TAG = "fitreel.trial"  # its number, if it is one of a sweep
FILMED_TAG = "fitreel.filmed"  # there if that trial was among the best, whose frames are kept
MODEL = "model"  # its name among the models that MLflow keeps
LARGEST_FRAMES = 2**28  # bytes, where no param says how many frames there are
# `mlflow run` logs these as params, too: they say which run, not how it was made.
PASSED_THROUGH = {"run", "name", "experiment", "tracking_uri", "patience"}
POINTS = {each.name for each in fields(DataSettings)}
Kind = TypeVar("Kind", bound=Settings)


def has_edited_points(tags: Mapping[str, str]) -> bool:
    """Tell by a run's tags whether the points that it logged are others than its settings draw."""
    return tags.get(DRAWN_TAG, tags.get(SHA256_TAG)) != tags.get(SHA256_TAG)


class Source:
    """A run, as later stages read it."""

    def __init__(self, client: Client, run_id: str, run: MlflowRun | None = None) -> None:
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
        self._artifact_uri: str = run.info.artifact_uri

    @cached_property
    def _artifacts(self) -> Repository:
        # The client asks a server eight times a file: a model might be meant.
        try:
            return self._client.repository(self._artifact_uri)
        except MlflowException as error:
            what = scrubbed(str(error.message), self._artifact_uri)
            raise ValueError(f"artifacts of run {self.run_id}: {what}") from error

    @contextmanager
    def artifact(self, path: str, stage: str, most: int) -> Iterator[Path]:
        """Lend a copy of an artifact that ``stage`` logs, if it has at most ``most`` bytes.

        FileNotFoundError if the run has none.
        """
        with scratch() as directory:
            yield self._fetch(path, stage, most, directory)

    @contextmanager
    def _as_logged(self, path: str, stage: str, most: int) -> Iterator[Path]:
        """Lend an artifact; ValueError if it can be read, but is not the one that was logged."""
        with self.artifact(path, stage, most) as copy:
            yield copy
            logged = self._digests().get(path)
            if logged and sha256(copy) != logged:
                raise ValueError(
                    f"{path} is not what run {self.run_id} logged: "
                    "it was changed, or is another run's"
                )

    def _fetch(self, path: str, stage: str, most: int, directory: Path) -> Path:
        folder = str(Path(path).parent)
        with plain_errors(self._client.tracking_uri), self._packages():
            listing = self._client.patiently(
                lambda: self._artifacts.list_artifacts(None if folder == "." else folder)
            )
            sizes = {entry.path: entry.file_size or 0 for entry in listing}
            if path not in sizes and self.is_trial:
                raise FileNotFoundError(
                    f"run {self.run_id} is a trial of a sweep and has no {path}: of its trials a "
                    "sweep films the best nine; train it alone with fitreel run"
                )
            if path not in sizes:
                raise FileNotFoundError(
                    f"run {self.run_id} has no {path}; "
                    f"log it first: fitreel {stage} --run {self.run_id}"
                )
            # Before it is copied: a device has no end.
            check_size(Path(path).name, sizes[path], most)
            with request_limit.allowing(transfer(sizes[path])):
                return Path(self._client.patiently(partial(self._download, path, str(directory))))

    def _download(self, path: str, directory: str) -> str:
        return self._artifacts.download_artifacts(path, directory)

    @contextmanager
    def _packages(self) -> Iterator[None]:
        """Tell in a line what a store of artifacts needs that is not installed."""
        try:
            yield
        except ImportError as error:
            raise ValueError(f"artifacts of run {self.run_id} need a package: {error}") from error

    def _digests(self) -> dict[str, str]:
        """Give the SHA-256 of artifacts as they were logged."""
        try:
            return dict(json.loads(self.tags.get(DIGESTS_TAG, "{}")))
        except (ValueError, TypeError):
            raise ValueError(f"tag {DIGESTS_TAG} of run {self.run_id} is no JSON") from None

    def points(self) -> AbstractContextManager[Path]:
        """Lend the file of the points; those of a trial are its parent's."""
        if self.is_trial and (parent := self.tags.get(MLFLOW_PARENT_RUN_ID)):
            with plain_errors(self._client.tracking_uri):
                return Source(self._client, parent).artifact(DATASET, "generate", LARGEST_DATASET)
        return self.artifact(DATASET, "generate", LARGEST_DATASET)

    def dataset(self) -> Dataset:
        """Read the points."""
        return self._stored_points[0]

    @cached_property
    def _stored_points(self) -> tuple[Dataset, str]:
        """Read the points as they are stored now, and the SHA-256 of their file."""
        with self.points() as path:
            return load_dataset(path), sha256(path)

    @property
    def has_changed_points(self) -> bool:
        """Tell whether the points are stored otherwise than they were logged."""
        logged = self.tags.get(SHA256_TAG)
        return logged is not None and self._stored_points[1] != logged

    @property
    def has_edited_points(self) -> bool:
        """Tell whether the points that it logged last are others than its settings draw."""
        return has_edited_points(self.tags)

    def data_settings(self) -> DataSettings | None:
        """Say how the stored points were drawn; None where the run does not tell.

        Of points that somebody edited nobody knows the curve, and the settings do not hold.
        """
        settings = self._settings(DataSettings, in_force(self.params, self.tags))
        if settings and (self.has_edited_points or self.has_changed_points):
            return None
        return settings

    def training_settings(self) -> TrainingSettings | None:
        """Say how the network was trained; None where the run does not tell."""
        return self._settings(TrainingSettings, in_force(self.params, self.tags))

    def all_settings(self) -> dict[str, str]:
        """Give all params as they are in force, numbers written alike."""
        told = in_force(self.params, self.tags)
        left_out = PASSED_THROUGH | (POINTS if self.has_edited_points else set())
        return {name: normalised(name, told[name]) for name in told.keys() - left_out}

    def _settings(self, kind: type[Kind], told: Mapping[str, str]) -> Kind | None:
        if not {each.name for each in fields(kind)} <= told.keys():  # type: ignore[arg-type]
            return None
        try:
            return kind.from_params(told)
        except ValueError as error:
            raise ValueError(f"run {self.run_id}: {error}") from None

    def stored_losses(self) -> list[float]:
        """Read the losses of its history as they are now, whatever it logged."""
        with self.artifact("training/history.csv", "train", LARGEST_LOSSES) as path:
            found: list[float] = load_losses(path).tolist()
        return found

    def losses(self) -> list[float]:
        """Read the values of the metric ``loss``, a step each."""
        with plain_errors(self._client.tracking_uri):
            points = self._client.get_metric_history(self.run_id, "loss")
        if not points and self.has_training:
            raise WrongAnswer(f"the store has a loss of run {self.run_id}, but gave no losses")
        return list(dict(sorted((point.step, point.value) for point in points)).values())

    def weights(self) -> Weights:
        """Read the trained parameters."""
        with self._as_logged("weights.safetensors", "train", LARGEST_WEIGHTS) as path:
            weights = load_weights(path)
            self._check_network(weights)
        return weights

    def history(self) -> History:
        """Read losses and frames."""
        most = self._largest_history()
        with (
            self.artifact("training/history.csv", "train", most[0]) as losses,
            self._as_logged("training/frames.safetensors", "train", most[1]) as frames,
        ):
            history = load_history(losses, frames)
            self._check_network(history.frames)
            self._check_losses(history.losses)
        return history

    def _largest_history(self) -> tuple[int, int]:
        """Give the bytes that losses and frames of this run can have, and that fit in memory."""
        settings = self.training_settings()
        if settings is None:
            return LARGEST_LOSSES, LARGEST_FRAMES
        frames = -(-settings.epochs // settings.frame_every)
        size = 4 * (3 * settings.hidden + 1) + 8  # a frame's weights and its epoch
        # Settings may be as much of an invention as the file, which need not fill a disk.
        memory = int(psutil.virtual_memory().available)
        return 100 + LOSS_SIZE * settings.epochs, min(LARGEST_HEADER + size * frames, memory)

    def _check_network(self, weights: Weights) -> None:
        settings = self.training_settings()
        found = (weights.bias.shape[-1], weights.activation)
        if settings and found != (settings.hidden, settings.activation):
            raise ValueError(
                f"the weights of run {self.run_id} are of {found[0]:,} {found[1]} neurons, "
                f"but it trained {settings.hidden:,} {settings.activation} ones"
            )

    def _check_losses(self, losses: NDArray[np.float64]) -> None:
        settings, count = self.training_settings(), len(losses)
        diverged = "fitreel.diverged_epoch" in self.tags
        if settings and count != settings.epochs and not (diverged and count < settings.epochs):
            raise ValueError(
                f"history.csv has {count:,} losses, "
                f"but run {self.run_id} trained {settings.epochs:,} epochs"
            )
        if self.is_trial:  # its film is of a training alone, whose last bits differ
            return
        last = self.metrics.get("loss", losses[-1])
        if last != losses[-1]:
            raise ValueError(
                f"history.csv ends with loss {losses[-1]:.9g}, "
                f"but run {self.run_id} with {last:.9g}"
            )

    @property
    def kind(self) -> str | None:
        """Say what it is if it is no experiment: a sweep, a comparison."""
        return self.tags.get(KIND_TAG)

    @property
    def is_trial(self) -> bool:
        """Tell whether it is a trial of a sweep."""
        return TRIAL_TAG in self.tags

    @property
    def has_dataset(self) -> bool:
        """Tell whether it has points, whoever logged them."""
        return SHA256_TAG in self.tags or self.first_of([DATASET]) is not None

    def first_of(self, paths: Collection[str]) -> str | None:
        """Name the first of these artifacts that it has, whoever logged it."""
        folders = {str(Path(path).parent) for path in paths}
        with plain_errors(self._client.tracking_uri), self._packages():
            listings = [
                self._artifacts.list_artifacts(None if folder == "." else folder)
                for folder in folders
            ]
        there = {entry.path for listing in listings for entry in listing}
        return next((path for path in paths if path in there), None)

    @property
    def has_model(self) -> bool:
        """Tell whether MLflow keeps a model of the name that ours get, whoever logged it."""
        name = f"source_run_id = '{self.run_id}' AND name = '{MODEL}'"
        with plain_errors(self._client.tracking_uri):
            return bool(self._client.search_logged_models([self.experiment_id], name))

    @property
    def has_training(self) -> bool:
        """Tell whether train has logged to it."""
        return "loss" in self.metrics
