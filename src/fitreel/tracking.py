"""Everything that touches MLflow: the only module that imports it.

with tracker.run(name, source) as run:
    run.log_settings(settings)
"""

import logging
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import get_type_hints
from urllib.parse import urlsplit

import mlflow
import sqlalchemy
from mlflow.data.numpy_dataset import from_numpy
from mlflow.entities import Metric, Param, RunTag
from mlflow.environment_variables import (
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
    MLFLOW_RUN_ID,
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT,
)
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, Schema
from mlflow.utils import name_utils

from fitreel import __version__
from fitreel.dataset import Dataset, load_dataset, sha256
from fitreel.history import History, load_history, load_weights
from fitreel.network import Weights
from fitreel.settings import DataSettings, Settings, parse

BATCH = 1000  # metrics in one call: MLflow's limit
BAD_REQUESTS = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
PATIENCE = 4  # seconds for the first answer of a tracking server
NAME_TAG, NOTE_TAG, AUTOMATIC_NAME_TAG = "mlflow.runName", "mlflow.note.content", "fitreel.name"
SHA256_TAG = "fitreel.dataset_sha256"


class Tracker:
    """A tracking store that answered, and what to log to it by default."""

    def __init__(self, tracking_uri: str | None = None, experiment: str | None = None) -> None:
        """Connect; None means MLflow's own environment variables and defaults.

        Raises ConnectionError within 10 seconds where the store cannot be reached,
        PermissionError where it cannot be written, ValueError where it is none.
        """
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        # Standard output is for the run id alone.
        os.environ[MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.name] = "true"
        if tracking_uri:
            mlflow.set_tracking_uri(tracking_uri)
        self.uri = without_password(mlflow.get_tracking_uri())
        with _plain_errors(self.uri):
            _check_database(mlflow.get_tracking_uri())
            with _impatient():
                self.client = MlflowClient()
                self.client.search_experiments(max_results=1)
            self.experiment_id = self._experiment_id(experiment) if experiment else None
        self.active_run_id = os.environ.get(MLFLOW_RUN_ID.name)

    def _experiment_id(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        return found.experiment_id if found else self.client.create_experiment(name)

    def source(self, run_id: str | None) -> "Source":
        """Open a run for reading: ``run_id``, else the active one; ValueError if there is none."""
        run_id = run_id or self.active_run_id
        if not run_id:
            raise ValueError("there is no run to read from; name one with --run")
        with _plain_errors(self.uri):
            try:
                return Source(self.client, run_id)
            except MlflowException as error:
                if error.error_code not in BAD_REQUESTS:
                    raise
                raise ValueError(
                    f"there is no run {run_id!r} in {self.uri}; mlflow ui shows those there are"
                ) from error

    def source_or_none(self, run_id: str | None) -> "Source | None":
        """Open a run for reading if one is named or active."""
        return self.source(run_id) if run_id or self.active_run_id else None

    def writes_to(self, source: "Source") -> bool:
        """Tell whether a run opened for this source is the source itself."""
        return self.active_run_id in (None, source.run_id)

    @contextmanager
    def run(self, source: "Source | None" = None, name: str | None = None) -> Iterator["Run"]:
        """Open a run for writing: the active one, else the source, else a new one.

        It ends FINISHED, FAILED on an exception, KILLED on an interruption.
        """
        run_id = self.active_run_id or (source.run_id if source else None)
        with _plain_errors(self.uri):
            self._check_experiment(run_id)
            active = mlflow.start_run(run_id, self.experiment_id, name)
            try:
                run = Run(self.client, active.info.run_id)
                run.set_tags({"fitreel.version": __version__})
                if source and source.run_id != run.run_id:
                    run.set_tags({"fitreel.source_run": source.run_id})
                yield run
            except (KeyboardInterrupt, SystemExit):
                mlflow.end_run("KILLED")
                raise
            except BaseException:
                mlflow.end_run("FAILED")
                raise
            mlflow.end_run("FINISHED")

    def _check_experiment(self, run_id: str | None) -> None:
        if run_id and self.experiment_id:
            theirs = self.client.get_run(run_id).info.experiment_id
            if theirs != self.experiment_id:
                raise ValueError(f"run {run_id} is in another experiment; leave --experiment out")


class Source:
    """A run, as later stages read it."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        run = client.get_run(run_id)
        if run.info.lifecycle_stage == "deleted":
            raise ValueError(f"run {run_id} is deleted; restore it or name another with --run")
        self.run_id = run.info.run_id
        self.name: str = run.info.run_name or run_id
        self.experiment_id: str = run.info.experiment_id
        self.params: dict[str, str] = dict(run.data.params)
        self.metrics: dict[str, float] = dict(run.data.metrics)
        self.tags: dict[str, str] = dict(run.data.tags)

    def artifact(self, path: str, stage: str) -> Path:
        """Fetch an artifact that ``stage`` logs; FileNotFoundError if the run has none."""
        folder = str(Path(path).parent)
        with _plain_errors(self._client.tracking_uri):
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

    def set_name(self, name: str, *, automatic: bool = True) -> None:
        """Name the run; an automatic name never replaces one that somebody chose."""
        tags = self._client.get_run(self.run_id).data.tags
        present = tags.get(NAME_TAG, "")
        if not automatic:
            self.set_tags({NAME_TAG: name})
        elif present == tags.get(AUTOMATIC_NAME_TAG) or _is_from_mlflow(present):
            self.set_tags({NAME_TAG: name, AUTOMATIC_NAME_TAG: name})

    def set_note(self, markdown: str) -> None:
        """Set the text that MLflow's UI shows as the run's description."""
        self.set_tags({NOTE_TAG: markdown})

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
        uri = f"{self._client.get_run(self.run_id).info.artifact_uri}/data/{file.name}"
        with warnings.catch_warnings():
            # MLflow registers the class of local sources twice, and then cannot decide.
            warnings.filterwarnings("ignore", "The specified dataset source")
            entry = from_numpy(
                dataset.x.numpy(), uri, targets=dataset.y.numpy(), name=name, digest=digest[:8]
            )
        mlflow.log_input(entry, context="training")
        self.set_tags({SHA256_TAG: digest})

    def log_model(self, weights: Path) -> None:
        """Log a model that mlflow.pyfunc loads: column x in, y out, both of doubles."""
        requirements = [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "safetensors")]
        with warnings.catch_warnings():
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


def without_password(uri: str) -> str:
    """Write a tracking URI as others may read it."""
    parts = urlsplit(uri)
    return uri.replace(f":{parts.password}@", ":***@") if parts.password else uri


def _check_database(uri: str) -> None:
    """Open a database once: MLflow would try for minutes and print a page."""
    kind = urlsplit(uri).scheme.partition("+")[0]
    if kind not in ("sqlite", "postgresql", "mysql", "mssql"):
        return
    path = Path(sqlalchemy.make_url(uri).database or "")
    if kind == "sqlite" and path.name:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PermissionError(f"cannot make the directory of {path}: {error}") from None
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise PermissionError(f"cannot write {path}; name another place with --tracking-uri")
    timeout = {"connect_timeout": PATIENCE} if kind in ("postgresql", "mysql") else {}
    engine = sqlalchemy.create_engine(uri, connect_args=timeout)
    with engine.connect() as connection:
        sqlalchemy.inspect(connection).get_table_names()
    engine.dispose()


@contextmanager
def _impatient() -> Iterator[None]:
    """Let MLflow try once, for PATIENCE seconds, instead of its four minutes."""
    wanted = {
        MLFLOW_HTTP_REQUEST_MAX_RETRIES.name: "0",
        MLFLOW_HTTP_REQUEST_TIMEOUT.name: str(PATIENCE),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _plain_errors(uri: str) -> Iterator[None]:
    """Turn MLflow's and the database's exceptions into built-in ones that fit on a line."""
    try:
        yield
    except MlflowException as error:
        cause = _innermost(error)
        if isinstance(cause, OSError):
            raise ConnectionError(
                f"tracking server {uri} does not answer ({cause}); "
                "start it, or name another with --tracking-uri"
            ) from error
        kind = ValueError if error.error_code in BAD_REQUESTS else ConnectionError
        raise kind(f"tracking store {uri}: {error.message}") from error
    except sqlalchemy.exc.ArgumentError as error:
        raise ValueError(f"{uri!r} is no tracking store: {error}") from error
    except (sqlalchemy.exc.SQLAlchemyError, ModuleNotFoundError) as error:
        raise ConnectionError(
            f"tracking store {uri} cannot be opened ({_innermost(error)})"
        ) from error


def _innermost(error: BaseException) -> BaseException:
    while inner := error.__cause__ or error.__context__:
        error = inner
    return error
