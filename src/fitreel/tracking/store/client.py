"""The client of a store: MLflow's own, with checked answers and retries.

MLflow takes an empty answer for an object without an id: artifacts of such a run end up in the
working directory, runs of such an experiment in the default one.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mlflow.entities import Experiment, LoggedModel, Metric, Run
from mlflow.tracking import MlflowClient

from fitreel.checks.databases import read_url
from fitreel.checks.durability import sync_folder
from fitreel.checks.urls import masked
from fitreel.tracking.store.connection import WrongAnswer
from fitreel.tracking.store.limits import CREATION, request_limit
from fitreel.tracking.store.patience import Retries
from fitreel.tracking.store.repository import (
    Repository,
    make_durable,
    make_place_durable,
    open_repository,
    upload,
)

if TYPE_CHECKING:
    from mlflow.store.entities.paged_list import PagedList

EXPERIMENTS = 500  # ids in one search for runs
NEWEST = 50  # runs on a page: mostly only the first few are read
Answer = TypeVar("Answer")


class Client(MlflowClient):
    """MLflow's client; an answer that cannot be true raises WrongAnswer, a ConnectionError."""

    def __init__(self, tracking_uri: str | None = None, retries: Retries | None = None) -> None:
        """Open a store; with retries, what is read from a busy server is retried."""
        super().__init__(tracking_uri)
        self._retries = retries
        self._addresses: dict[str, str] = {}  # of the artifacts of runs
        self._durable = set[str]()  # addresses whose folders are on the disk

    def without_patience(self) -> Self:
        """Return a client of the same store that asks once."""
        return type(self)(self.tracking_uri)

    def patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Return the answer; retry while the store is busy, if this client has retries."""
        return self._retries(ask) if self._retries else ask()

    def _read(self, ask: Callable[[], Answer], is_whole: Callable[[Answer], bool]) -> Answer:
        return self.patiently(lambda: self._checked(ask(), is_whole))

    def _create(self, make: Callable[[], Answer], is_whole: Callable[[Answer], bool]) -> Answer:
        # Not patiently: a second request could create a second object. Creation looks first.
        with request_limit.allowing(CREATION):
            created = make()
        return self._checked(created, is_whole)

    def _checked(self, answer: Answer, is_whole: Callable[[Answer], bool]) -> Answer:
        if not is_whole(answer):
            uri = masked(self.tracking_uri)
            raise WrongAnswer(f"tracking store {uri}: its answer lacks what was asked for")
        return answer

    def get_run(self, run_id: str) -> Run:
        """Read a run."""
        # Outside of the lambda, in which super() would not find self.
        ask = super().get_run
        return self._read(
            lambda: ask(run_id),
            lambda run: _is_run(run) and run.info.run_id.casefold() == run_id.casefold(),
        )

    def search_runs(self, *arguments: Any, **options: Any) -> "PagedList[Run]":
        """Read a page of runs."""
        ask = super().search_runs
        return self._read(
            lambda: ask(*arguments, **options), lambda found: all(map(_is_run, found))
        )

    def all_runs(
        self, experiment_ids: Sequence[str], filter_text: str, **options: Any
    ) -> Iterator[Run]:
        """Read all runs of experiments that match a filter, page by page."""
        for part in _in_parts(experiment_ids):
            yield from _pages(self.search_runs, part, filter_text, **options)

    def newest_runs(self, experiment_ids: Sequence[str], filter_text: str = "") -> Iterator[Run]:
        """Read the runs of experiments that match a filter, the newest first, page by page."""
        newest = ["attributes.start_time DESC"]
        parts = [
            _pages(self.search_runs, part, filter_text, order_by=newest, max_results=NEWEST)
            for part in _in_parts(experiment_ids)
        ]
        return heapq.merge(*parts, key=lambda run: run.info.start_time, reverse=True)

    def create_run(self, experiment_id: str, *arguments: Any, **options: Any) -> Run:
        """Create a run."""
        make = super().create_run
        return self._create(
            lambda: make(experiment_id, *arguments, **options),
            lambda run: _is_run(run) and run.info.experiment_id == experiment_id,
        )

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Read an experiment."""
        ask = super().get_experiment
        return self._read(
            lambda: ask(experiment_id),
            lambda found: _is_experiment(found) and found.experiment_id == experiment_id,
        )

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Return the experiment of a name, or None."""
        ask = super().get_experiment_by_name
        return self._read(lambda: ask(name), lambda found: found is None or _is_experiment(found))

    def search_experiments(self, *arguments: Any, **options: Any) -> "PagedList[Experiment]":
        """Read a page of experiments."""
        ask = super().search_experiments
        return self._read(
            lambda: ask(*arguments, **options), lambda found: all(map(_is_experiment, found))
        )

    def experiment_ids(self) -> list[str]:
        """Return the ids of all experiments that are not deleted, not only of the first page."""
        return list(self.experiment_names())

    def experiment_names(self) -> dict[str, str]:
        """Return the names of all experiments that are not deleted, by id."""
        return {each.experiment_id: each.name for each in _pages(self.search_experiments)}

    def create_experiment(self, *arguments: Any, **options: Any) -> str:
        """Create an experiment and return its id."""
        make = super().create_experiment
        return self._create(lambda: make(*arguments, **options), bool)

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        """Read all points of a metric."""
        ask = super().get_metric_history
        return self._read(
            lambda: ask(run_id, key), lambda points: all(point.key == key for point in points)
        )

    def search_logged_models(self, *arguments: Any, **options: Any) -> "PagedList[LoggedModel]":
        """Read a page of models."""
        ask = super().search_logged_models
        return self._read(
            lambda: ask(*arguments, **options), lambda found: all(map(_is_model, found))
        )

    def create_logged_model(self, *arguments: Any, **options: Any) -> LoggedModel:
        """Create a model."""
        make = super().create_logged_model
        return self._create(lambda: make(*arguments, **options), _is_model)

    def finalize_logged_model(self, *arguments: Any, **options: Any) -> LoggedModel:
        """Set the status of a model."""
        ask = super().finalize_logged_model
        return self._read(lambda: ask(*arguments, **options), _is_model)

    def log_artifact(self, run_id: str, local_path: str, artifact_path: str | None = None) -> None:
        """Upload a file."""
        if not upload(self._address(run_id), self.tracking_uri, Path(local_path), artifact_path):
            super().log_artifact(run_id, local_path, artifact_path)
        self._make_durable(self._address(run_id), Path(local_path), artifact_path)

    def log_artifacts(self, run_id: str, local_dir: str, artifact_path: str | None = None) -> None:
        """Upload the files of a folder."""
        if not upload(self._address(run_id), self.tracking_uri, Path(local_dir), artifact_path):
            super().log_artifacts(run_id, local_dir, artifact_path)
        self._make_durable(self._address(run_id), Path(local_dir), artifact_path)

    def upload_model(self, model: LoggedModel, folder: Path) -> None:
        """Upload the files of a model."""
        if not upload(model.artifact_location, self.tracking_uri, folder):
            super().log_model_artifacts(model.model_id, str(folder))
        self._make_durable(model.artifact_location, folder)

    def _make_durable(self, address: str, path: Path, to: str | None = None) -> None:
        make_durable(address, path, to)
        if address not in self._durable:  # with its first file a place is created
            make_place_durable(address)
            self._durable.add(address)

    def settle(self) -> None:
        """Write to the disk that the transactions of an SQLite store are over.

        One ends when the file of its journal is removed. SQLite leaves that in memory, and after a
        power cut it would undo the last one.
        """
        if self.tracking_uri.startswith("sqlite:"):
            sync_folder(Path(read_url(self.tracking_uri).database or "").absolute().parent)

    def _address(self, run_id: str) -> str:
        # MLflow's own way asks for the run without checking the answer.
        if run_id not in self._addresses:
            self._addresses[run_id] = self.get_run(run_id).info.artifact_uri
        return self._addresses[run_id]

    def repository(self, address: str) -> Repository:
        """Open the artifacts of a run or a model for reading."""
        return open_repository(address, self.tracking_uri)


def _pages(search: Callable[..., Any], *arguments: Any, **options: Any) -> Iterator[Any]:
    """Yield what a search finds on all its pages."""
    token = None
    while True:
        page = search(*arguments, page_token=token, **options)
        yield from page
        if not (token := page.token):
            return


def _in_parts(experiment_ids: Sequence[str]) -> list[Sequence[str]]:
    places = range(0, len(experiment_ids), EXPERIMENTS)
    return [experiment_ids[first : first + EXPERIMENTS] for first in places]


def _is_run(run: Run) -> bool:
    info = run.info
    return bool(info.run_id and info.experiment_id and info.artifact_uri)


def _is_experiment(experiment: Experiment) -> bool:
    return bool(experiment.experiment_id and experiment.artifact_location)


def _is_model(model: LoggedModel) -> bool:
    return bool(model.model_id and model.artifact_location)
