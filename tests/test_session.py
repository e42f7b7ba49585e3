"""Foreign files in a run: no command replaces a file that it did not log."""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest
from mlflow.tracking import MlflowClient

import pipeline.shared.session
from fitreel.settings import DataSettings, TableSettings, TrainingSettings
from fitreel.tracking import Tracker
from pipeline.run import run
from pipeline.shared.session import _settings
from tests import processes
from tests.faults import SPOOL, client, runs
from tests.servers import Server

MINE = "x,y\n-1,1\n0,0\n1,1\n"
SHORT = ("--epochs", "20", "--max-frames", "2")
SWEEP = ("--trials", "2", "--epochs", "5", "--space", "lr=0.1|0.2")


@dataclass
class Store:
    """A store, and commands that use it."""

    directory: Path
    client: MlflowClient

    def fitreel(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        named = {SPOOL: str(self.directory / "spool")} | environment
        return processes.run(*arguments, directory=self.directory, **named)

    def done(self, *arguments: str, **environment: str) -> str:
        code, output, errors = self.fitreel(*arguments, **environment)
        assert code == 0, errors
        return output.strip()

    def run_with(self, *paths: str) -> str:
        """Create a run with files that fitreel did not log."""
        run_id: str = self.client.create_run("0").info.run_id
        for path in paths:
            folder, _, name = path.rpartition("/")
            with tempfile.TemporaryDirectory() as directory:
                file = Path(directory, name)
                file.write_text(MINE)
                self.client.log_artifact(run_id, str(file), folder or None)
        return run_id

    def state(self, run_id: str) -> tuple[object, ...]:
        """Return everything in a run that a command could change."""
        run = self.client.get_run(run_id)
        with tempfile.TemporaryDirectory() as directory:
            self.client.download_artifacts(run_id, "", directory)
            files = {
                str(path.relative_to(directory)): path.read_bytes()
                for path in Path(directory).rglob("*")
                if path.is_file()
            }
        return run.info.status, run.data.params, run.data.tags, run.data.metrics, files

    def refuses(self, run_id: str, arguments: tuple[str, ...], **environment: str) -> str:
        """Assert that a command reports one error and changes nothing; return the error."""
        before, many = self.state(run_id), len(runs(self.client))
        code, output, errors = self.fitreel(*arguments, **environment)
        assert (code, output, errors.count("\n")) == (2, "", 1), errors
        assert errors.startswith(f"fitreel: run {run_id} "), errors
        assert self.state(run_id) == before
        assert len(runs(self.client)) == many
        return errors.removeprefix(f"fitreel: run {run_id} ").strip()


@pytest.fixture(autouse=True)
def reset_tracking_uri() -> Iterator[None]:
    yield
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    directory = tmp_path_factory.mktemp("store")
    Tracker(f"sqlite:///{directory}/mlflow.db")
    return Store(directory, client(directory))


HAS_POINTS = "has points already; leave out --run"
IS_EXPERIMENT = "is an experiment already; leave out --run"
FOREIGN = "has {}, which fitreel {} did not log and would replace; log to another run"


@pytest.mark.parametrize(
    ("arguments", "path", "message"),
    [
        (("generate",), "data/dataset.csv", HAS_POINTS),
        (("generate",), "data/scatter.png", FOREIGN.format("data/scatter.png", "generate")),
        (("run", *SHORT), "data/dataset.csv", IS_EXPERIMENT),
        (("run", *SHORT), "training/history.csv", FOREIGN.format("training/history.csv", "train")),
        (("run", *SHORT), "rst.gif", FOREIGN.format("rst.gif", "animate")),
        (("run", *SHORT), "rst.png", FOREIGN.format("rst.png", "evaluate")),
        (("sweep", *SWEEP), "data/dataset.csv", IS_EXPERIMENT),
        (("sweep", *SWEEP), "weights.safetensors", FOREIGN.format("weights.safetensors", "train")),
        (("sweep", *SWEEP), "parallel.png", FOREIGN.format("parallel.png", "sweep")),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_foreign_files_are_not_replaced(
    store: Store, arguments: tuple[str, ...], path: str, message: str
) -> None:
    run_id = store.run_with(path)
    assert store.refuses(run_id, (*arguments, "--run", run_id)) == message
    # As `mlflow run --run-id` passes the id.
    assert store.refuses(run_id, arguments, MLFLOW_RUN_ID=run_id) == message


@pytest.fixture(scope="module")
def trained(store: Store) -> str:
    return store.done("run", *SHORT)


def test_a_training_replaces_no_other_training(store: Store, trained: str) -> None:
    for path in ("weights.safetensors", "training/frames.safetensors", "network.txt"):
        points = store.run_with("data/dataset.csv", path)
        message = FOREIGN.format(path, "train")
        assert store.refuses(points, ("train", "--epochs", "5", "--run", points)) == message
        # Train on the points of another run.
        other = store.run_with(path)
        arguments = ("train", "--epochs", "5", "--run", trained)
        assert store.refuses(other, arguments, MLFLOW_RUN_ID=other) == message
    other = store.run_with("data/dataset.csv")
    refusal = store.refuses(other, ("train", "--run", trained), MLFLOW_RUN_ID=other)
    assert refusal.startswith("has points already")


def test_a_foreign_model_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.client.tracking_uri)
    mlflow.set_tracking_uri(store.client.tracking_uri)
    points = store.run_with("data/dataset.csv")
    with mlflow.start_run(run_id=points):
        model = mlflow.initialize_logged_model(name="model", source_run_id=points)
        mlflow.log_model_params({"made": "by hand"}, model.model_id)
        mlflow.finalize_logged_model(model.model_id, "READY")
    refusal = store.refuses(points, ("train", "--epochs", "5", "--run", points))
    assert refusal.startswith("is trained already")


def test_foreign_pictures_stay_and_own_ones_are_replaced(store: Store, trained: str) -> None:
    untouched = store.done("generate")
    store.done("train", "--epochs", "20", "--run", untouched)
    for name in ("rst.png", "rst.gif"):
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, name).write_text(MINE)
            store.client.log_artifact(untouched, str(Path(directory, name)))
    refusal = store.refuses(untouched, ("evaluate", "--run", untouched))
    assert refusal == FOREIGN.format("rst.png", "evaluate")
    refusal = store.refuses(untouched, ("animate", "--run", untouched))
    assert refusal == FOREIGN.format("rst.gif", "animate")
    store.done("animate", "--format", "mp4", "--player", "off", "--run", untouched)

    store.done("evaluate", "--run", trained)
    store.done("animate", "--max-frames", "2", "--run", trained)
    table = store.run_with("compare.md")
    again = store.done("run", *SHORT, "--seed", "1")
    arguments = ("compare", trained, again)
    refusal = store.refuses(table, arguments, MLFLOW_RUN_ID=table)
    assert refusal == FOREIGN.format("compare.md", "compare")


def test_a_run_without_results_accepts_them(store: Store) -> None:
    """The run was created by `mlflow run`, or has only a note."""
    for arguments in (("generate",), ("run", *SHORT), ("sweep", *SWEEP)):
        run_id = store.run_with("notes.txt", "data/readme.md")
        assert store.done(*arguments, "--run", run_id) == run_id
        assert store.done(*arguments, MLFLOW_RUN_ID=(active := store.run_with())) == active


def lose_sight() -> None:
    """Make the store of this process go away once its run is complete."""

    def fail(*_: object) -> None:
        raise ConnectionError("the store is away")

    vars(pipeline.shared.session)["ways_to_look"] = fail


def test_a_complete_run_is_printed_if_the_store_goes_away(store: Store) -> None:
    where = {SPOOL: str(store.directory / "spool")}
    process = processes.start_after(lose_sight, "generate", directory=store.directory, **where)
    process.join()
    assert process.exitcode == 0
    (run, *_) = runs(store.client)
    assert (store.directory / "out").read_text() == f"{run.info.run_id}\n"
    assert (store.directory / "err").read_text().count("fitreel: the store is away\n") == 1


def test_the_settings_of_points_are_those_that_drew_them(store: Store) -> None:
    """A param that was logged before stays; a tag has the value in force."""
    run_id = store.run_with()
    store.client.log_param(run_id, "noise", "0.5")
    store.done("generate", "--run", run_id)
    tracker = Tracker(store.client.tracking_uri)
    assert tracker.source(run_id).data_settings() == DataSettings()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Store]:
    with Server(tmp_path) as running:
        yield Store(tmp_path, MlflowClient(running.url))


def test_foreign_files_on_a_server_are_not_replaced(
    server: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = server.client.tracking_uri
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    run_id = server.run_with("data/dataset.csv")
    refusal = server.refuses(run_id, ("generate", "--run", run_id), MLFLOW_TRACKING_URI=uri)
    assert refusal == HAS_POINTS
    fresh = server.run_with()
    assert server.done("generate", MLFLOW_RUN_ID=fresh, MLFLOW_TRACKING_URI=uri) == fresh


def test_a_command_of_an_earlier_version_is_resumed_with_the_defaults_of_later_settings() -> None:
    """A journal of fitreel 0.4 says nothing of tables, batches and early stopping."""
    earlier = asdict(TrainingSettings(hidden=5))
    for name in ("batch_size", "loss", "weight_decay", "patience_epochs"):
        del earlier[name]
    plan = {"settings": {"data": asdict(DataSettings()), "training": earlier}}
    found = _settings(SimpleNamespace(plan=plan, run_id="0" * 32), run)  # type: ignore[arg-type]
    assert found["training"] == TrainingSettings(hidden=5)
    assert found["table"] == TableSettings()
    assert "session" not in found
