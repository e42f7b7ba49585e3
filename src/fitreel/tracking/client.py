"""MLflow's client believes what it gets; ours checks it, and asks a busy server again.

MLflow takes an empty answer for an object without an id: artifacts of such a run end up in the
working directory, runs of such an experiment in the default one.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from mlflow.entities import Experiment, LoggedModel, Metric, Run
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.entities.paged_list import PagedList
from mlflow.tracking import MlflowClient

from fitreel.checks.urls import masked
from fitreel.tracking.connection import WrongAnswer
from fitreel.tracking.limits import CREATION, largest_file, request_limit, transfer
from fitreel.tracking.patience import Retries

EXPERIMENTS = 500  # ids in one search for runs
Answer = TypeVar("Answer")


class Client(MlflowClient):
    """MLflow's client; an answer that cannot be true is a ConnectionError."""

    def __init__(self, tracking_uri: str | None = None, retries: Retries | None = None) -> None:
        """Open a store; with retries, what is read from a busy server is asked for again."""
        super().__init__(tracking_uri)
        self._retries = retries
        self._repositories: dict[str, ArtifactRepository] = {}

    def without_patience(self) -> Self:
        """Open the same store once more, to be asked once."""
        return type(self)(self.tracking_uri)

    def patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Ask again while the store is busy, unless this client has no retries."""
        return self._retries(ask) if self._retries else ask()

    def _read(self, ask: Callable[[], Answer], is_whole: Callable[[Answer], bool]) -> Answer:
        return self.patiently(lambda: self._checked(ask(), is_whole))

    def _checked(self, answer: Answer, is_whole: Callable[[Answer], bool]) -> Answer:
        if not is_whole(answer):
            uri = masked(self.tracking_uri)
            raise WrongAnswer(f"tracking store {uri}: its answer lacks what was asked for")
        return answer

    def get_run(self, run_id: str) -> Run:
        """Read a run."""
        ask = super().get_run
        return self._read(
            lambda: ask(run_id),
            lambda run: _is_run(run) and run.info.run_id.casefold() == run_id.casefold(),
        )

    def search_runs(self, *arguments: Any, **options: Any) -> PagedList[Run]:
        """Read a page of runs."""
        ask = super().search_runs
        return self._read(
            lambda: ask(*arguments, **options), lambda runs: all(_is_run(run) for run in runs)
        )

    def all_runs(
        self, experiment_ids: Sequence[str], filter_text: str, **options: Any
    ) -> Iterator[Run]:
        """Read all runs of experiments that match a filter, page by page."""
        for first in range(0, len(experiment_ids), EXPERIMENTS):
            token = None
            while True:
                page = self.search_runs(
                    experiment_ids[first : first + EXPERIMENTS],
                    filter_text,
                    page_token=token,
                    **options,
                )
                yield from page
                if not (token := page.token):
                    break

    def create_run(self, experiment_id: str, *arguments: Any, **options: Any) -> Run:
        """Make a run."""
        with request_limit.allowing(CREATION):
            made = super().create_run(experiment_id, *arguments, **options)
        return self._checked(
            made, lambda run: _is_run(run) and run.info.experiment_id == experiment_id
        )

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Read an experiment."""
        ask = super().get_experiment
        return self._read(
            lambda: ask(experiment_id),
            lambda found: _is_experiment(found) and found.experiment_id == experiment_id,
        )

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Find an experiment."""
        ask = super().get_experiment_by_name
        return self._read(lambda: ask(name), lambda found: found is None or _is_experiment(found))

    def search_experiments(self, *arguments: Any, **options: Any) -> PagedList[Experiment]:
        """Read a page of experiments."""
        ask = super().search_experiments
        return self._read(
            lambda: ask(*arguments, **options), lambda found: all(map(_is_experiment, found))
        )

    def experiment_ids(self) -> list[str]:
        """Name all experiments that are not deleted: one page has those that changed last."""
        found, token = list[str](), None
        while True:
            page = self.search_experiments(page_token=token)
            found.extend(each.experiment_id for each in page)
            if not (token := page.token):
                return found

    def create_experiment(self, *arguments: Any, **options: Any) -> str:
        """Make an experiment."""
        with request_limit.allowing(CREATION):
            made = super().create_experiment(*arguments, **options)
        return self._checked(made, bool)

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        """Read all points of a metric."""
        ask = super().get_metric_history
        return self._read(
            lambda: ask(run_id, key), lambda points: all(point.key == key for point in points)
        )

    def search_logged_models(self, *arguments: Any, **options: Any) -> PagedList[LoggedModel]:
        """Read a page of models."""
        ask = super().search_logged_models
        return self._read(
            lambda: ask(*arguments, **options), lambda found: all(map(_is_model, found))
        )

    def create_logged_model(self, *arguments: Any, **options: Any) -> LoggedModel:
        """Make a model."""
        with request_limit.allowing(CREATION):
            made = super().create_logged_model(*arguments, **options)
        return self._checked(made, _is_model)

    def log_artifact(self, run_id: str, local_path: str, artifact_path: str | None = None) -> None:
        """Upload a file."""
        repository = self._repository(run_id)
        with request_limit.allowing(transfer(Path(local_path).stat().st_size)):
            repository.log_artifact(local_path, artifact_path)  # type: ignore[no-untyped-call]

    def log_artifacts(self, run_id: str, local_dir: str, artifact_path: str | None = None) -> None:
        """Upload the files of a folder."""
        upload(self._repository(run_id), Path(local_dir), artifact_path)

    def _repository(self, run_id: str) -> ArtifactRepository:
        # MLflow's own way would ask for the run itself.
        if run_id not in self._repositories:
            self._repositories[run_id] = self.repository(self.get_run(run_id).info.artifact_uri)
        return self._repositories[run_id]

    def repository(self, address: str) -> ArtifactRepository:
        """Open the place of a run's or a model's artifacts."""
        return get_artifact_repository(address, self.tracking_uri)


def upload(repository: ArtifactRepository, folder: Path, to: str | None = None) -> None:
    """Upload the files of a folder, as long as the largest may take."""
    with request_limit.allowing(transfer(largest_file(folder))):
        repository.log_artifacts(str(folder), to)  # type: ignore[no-untyped-call]


def _is_run(run: Run) -> bool:
    info = run.info
    return bool(info.run_id and info.experiment_id and info.artifact_uri)


def _is_experiment(experiment: Experiment) -> bool:
    return bool(experiment.experiment_id and experiment.artifact_location)


def _is_model(model: LoggedModel) -> bool:
    return bool(model.model_id and model.artifact_location)
