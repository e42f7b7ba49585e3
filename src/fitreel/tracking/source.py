"""A run as later stages read it."""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import psutil
from mlflow.entities import Run as MlflowRun
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from fitreel.checks.files import sha256
from fitreel.data.dataset import Dataset
from fitreel.data.files import LARGEST_FILE as LARGEST_DATASET, load_dataset
from fitreel.data.table.kept import LARGEST_RECORD, KeptFile, KeptTable
from fitreel.journal.spool import scratch
from fitreel.pictures.image_files import LARGEST_IMAGE
from fitreel.reel.files import LARGEST_REEL, LARGEST_ROWS, load_reel, load_rows
from fitreel.reel.probes import Probes
from fitreel.reel.reel import Reel
from fitreel.reel.thinning import thinned
from fitreel.settings import DataSettings, TableSettings
from fitreel.tracking.agreement import (
    check_losses,
    check_network,
    largest_history,
    largest_weights,
)
from fitreel.tracking.artifacts import Artifacts
from fitreel.tracking.facts import Facts, earlier_provenance
from fitreel.tracking.image_films import image_paths
from fitreel.tracking.kept_rows import files_of, read_rows
from fitreel.tracking.names import (
    DATA,
    DATASET,
    FRAMES,
    HISTORY,
    MODEL,
    PROVENANCE,
    REEL,
    ROWS,
    SHA256_TAG,
    TABLE,
    WEIGHTS,
)
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.connection import WrongAnswer, plain_errors
from fitreel.training.files import load_history, load_weights
from fitreel.training.history import History
from fitreel.training.loss_file import LARGEST_LOSSES, load_losses
from fitreel.training.predictor import Predictor
from fitreel.training.provenance import MOST_BYTES as LARGEST_PROVENANCE, load_provenance
from fitreel.training.weights import Weights

LARGEST_PAGE = 100_000_000  # bytes
LARGEST_IMAGES = 2_000_000_000  # all images of a film together


class Source(Facts):
    """A run as later stages read it: its facts, and its files, which are checked against them."""

    def __init__(self, client: Client, run_id: str, run: MlflowRun | None = None) -> None:
        """Read the run, unless ``run`` was read just now; ValueError if it is deleted."""
        run = run or client.get_run(run_id)
        info, data = run.info, run.data
        if info.lifecycle_stage == "deleted":
            raise ValueError(f"run {run_id} is deleted; restore it or name another with --run")
        super().__init__(
            info.run_id,
            info.experiment_id,
            info.run_name or run_id,
            data.params,
            data.metrics,
            data.tags,
        )
        self.status: str = info.status
        self._client = client
        self._artifacts = Artifacts(client, info.artifact_uri, self)

    def points(self) -> AbstractContextManager[Path]:
        """Yield a copy of the file of the points; a trial has those of its sweep."""
        # Not as logged: points may be edited, which `has_changed_points` reports.
        return self._artifacts_of_rows.copy(DATASET, "generate", LARGEST_DATASET)

    @property
    def _artifacts_of_rows(self) -> Artifacts:
        if self.is_trial and (parent := self.tags.get(MLFLOW_PARENT_RUN_ID)):
            with plain_errors(self._client.tracking_uri):
                return Source(self._client, parent)._artifacts
        return self._artifacts

    @contextmanager
    def table(self) -> Iterator[tuple[KeptTable, list[Path]]]:
        """Yield the record of its table, and copies of its files, as they were used."""
        artifacts = self._artifacts_of_rows
        with ExitStack() as stack:
            folder = stack.enter_context(scratch())

            def copy(kept: KeptFile) -> Path:
                path = f"{DATA}/{kept.name}"
                return stack.enter_context(artifacts.copy(path, "generate", kept.size))

            record = KeptTable.load(
                stack.enter_context(artifacts.copy(TABLE, "generate", LARGEST_RECORD))
            )
            yield record, files_of(record, copy, folder)

    def dataset(self) -> Dataset:
        """Read the points, or the rows of the table, split as they were for the training."""
        return self._stored_rows if self.has_table else self._stored_points[0]

    @cached_property
    def _stored_rows(self) -> Dataset:
        settings = self.table_settings() or TableSettings()
        with self.table() as (_, files):
            return read_rows(files, settings, self.data_seed)

    @cached_property
    def _stored_points(self) -> tuple[Dataset, str]:
        """The points as they are stored now, and the SHA-256 of their file."""
        with self.points() as path:
            return load_dataset(path), sha256(path)

    @property
    def has_changed_points(self) -> bool:
        """Whether the stored points are no longer those that the run logged."""
        logged = self.tags.get(SHA256_TAG)
        # Rows of a table or of a film that changed are refused where they are read.
        is_checked = self.has_table or self.is_film
        return logged is not None and not is_checked and self._stored_points[1] != logged

    def data_settings(self) -> DataSettings | None:
        """Return how the stored points were drawn; None if that is not known.

        The settings do not describe edited points, whose curve is unknown.
        """
        settings = None if self.has_table else self.settings(DataSettings)
        if settings and (self.has_edited_points or self.has_changed_points):
            return None
        return settings

    def stored_losses(self) -> list[float]:
        """Read the losses of its history as they are stored now, checked against nothing."""
        with self._artifacts.copy(HISTORY, "train", LARGEST_LOSSES) as path:
            found: list[float] = load_losses(path).tolist()
        return found

    def losses(self) -> list[float]:
        """Read the values of the metric ``loss``, one a step."""
        with plain_errors(self._client.tracking_uri):
            points = self._client.get_metric_history(self.run_id, "loss")
        # An empty answer of a server looks like a run without losses.
        if not points and self.has_training:
            raise WrongAnswer(f"the store has a loss of run {self.run_id}, but returned no losses")
        # One a step: the old file store keeps points that were delivered twice.
        return list(dict(sorted((point.step, point.value) for point in points)).values())

    def weights(self) -> Weights:
        """Read the trained parameters."""
        with self._artifacts.copy_as_logged(WEIGHTS, "train", largest_weights(self)) as path:
            weights = load_weights(path)
            check_network(self, weights)
        return weights

    def predictor(self) -> Predictor:
        """Read the trained network, and the columns that it predicts from."""
        self.check_has_network()
        if self.is_trial and self.has_table:
            raise ValueError(
                f"run {self.run_id} is a trial of a sweep, whose network knows no columns: name "
                "the sweep, which keeps its best, or train it alone with fitreel run"
            )
        with self._artifacts.copy_as_logged(WEIGHTS, "train", largest_weights(self)) as path:
            found = Predictor.load(path)
            if not self.kind:  # the settings of a sweep are not those of its best trial
                check_network(self, found.weights)
        return found

    def history(self) -> History:
        """Read losses and frames."""
        most = largest_history(self)
        with (
            # A table has no digest, because people open and save it: its numbers are checked below.
            self._artifacts.copy(HISTORY, "train", most[0]) as losses,
            self._artifacts.copy_as_logged(FRAMES, "train", most[1]) as frames,
        ):
            history = load_history(losses, frames)
            check_network(self, history.frames)
            check_losses(self, history.losses)
        return replace(history, settings=self.training_settings())

    def reel(self) -> Reel:
        """Read the film of any model: its rows, its losses and its frames."""
        memory = int(psutil.virtual_memory().available)
        with (
            self._artifacts.copy_as_logged(ROWS, "", min(LARGEST_ROWS, memory)) as rows,
            self._artifacts.copy_as_logged(REEL, "", min(LARGEST_REEL, memory)) as frames,
        ):
            return load_reel(frames, *load_rows(rows))

    def film_rows(self) -> tuple[Dataset, Probes]:
        """Read the rows and the probes of a film."""
        with self._artifacts.copy_as_logged(ROWS, "animate", LARGEST_ROWS) as path:
            return load_rows(path)

    def provenance(self) -> dict[str, str]:
        """Read with what its training started; nothing if that is not known."""
        try:
            with self._artifacts.copy(PROVENANCE, "train", LARGEST_PROVENANCE) as path:
                return load_provenance(path)
        except FileNotFoundError:
            return earlier_provenance(self.tags)

    @property
    def has_dataset(self) -> bool:
        """Whether it has points; anybody may have logged them."""
        return SHA256_TAG in self.tags or self.first_of([DATASET, TABLE]) is not None

    def first_of(self, paths: Collection[str]) -> str | None:
        """Return the first of these artifacts that it has, or None; anybody may have logged it."""
        return self._artifacts.first_of(paths)

    def files(self) -> dict[str, str]:
        """Return where each of its files is, by path: its path on this machine, or its URI."""
        return self._artifacts.addresses()

    def local_file(self, path: str) -> Path | None:
        """Return where an artifact is on this machine; None if it is missing or elsewhere."""
        return self._artifacts.local_file(path)

    @contextmanager
    def images(self, key: str, most: int) -> Iterator[list[Path]]:
        """Yield copies of the images of a key or in a folder, in order, at most so many.

        More are thinned evenly, ends kept. Raises ValueError if it has no image of the key.
        """
        paths = image_paths(self._artifacts, self.run_id, key)
        chosen = [paths[place] for place in thinned(len(paths), most)]
        with self._artifacts.copies(chosen, LARGEST_IMAGE, LARGEST_IMAGES) as copies:
            yield copies

    def check_has_network(self) -> None:
        """Raise ValueError if it is the film of any model, of which we have no network."""
        if self.is_film:
            raise ValueError(
                f"run {self.run_id} is a film: it has what a model of another program predicted, "
                "but no network of fitreel"
            )

    def page(self, path: str) -> AbstractContextManager[Path]:
        """Yield a copy of one of its pages."""
        return self._artifacts.copy_as_logged(path, "animate", LARGEST_PAGE)

    @property
    def has_model(self) -> bool:
        """Whether MLflow keeps a model with the name of ours; anybody may have logged it."""
        name = f"source_run_id = '{self.run_id}' AND name = '{MODEL}'"
        with plain_errors(self._client.tracking_uri):
            return bool(self._client.search_logged_models([self.experiment_id], name))
