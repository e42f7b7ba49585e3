"""MLflow's private names: if one is missing, the public alternative has the same result."""

import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pytest
import sqlalchemy
from mlflow.entities import LifecycleStage

from fitreel.settings import TrainingSettings
from fitreel.tracking import Tracker
from fitreel.tracking.checkup import StoreCheckup
from fitreel.tracking.managers import conda_program, conda_script
from fitreel.tracking.store import internals
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.creation import default_experiment_id
from fitreel.tracking.store.repository import (
    PublicRepository,
    Repository,
    below,
    delete_all,
    local_path,
)
from tests.servers import Server

Forget = Callable[[str, str], None]
REGISTRY = ("mlflow.store.artifact.artifact_repository_registry", "get_artifact_repository")


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch) -> Forget:
    """Return a function that removes a name from a module, as another version may do."""

    def remove_name(module: str, name: str) -> None:
        monkeypatch.delattr(importlib.import_module(module), name)

    return remove_name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield Client(server.url)


@pytest.fixture(params=["tracker", "server"])
def client(request: pytest.FixtureRequest) -> Client:
    """Return the client of a database or of a server."""
    found: Tracker | Client = request.getfixturevalue(request.param)
    return found.client if isinstance(found, Tracker) else found


@pytest.mark.parametrize("user", [None, "somebody"])
def test_a_run_started_from_a_shell_has_the_same_tags(
    forget: Forget, monkeypatch: pytest.MonkeyPatch, user: str | None
) -> None:
    if user:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    known = internals.context_tags()
    assert known["mlflow.source.type"] == "LOCAL"
    forget("mlflow.tracking.context.registry", "resolve_tags")
    assert internals.context_tags() == known


@pytest.mark.parametrize(
    ("name", "generated"),
    [
        ("bright-shark-123", True),
        ("bright-shark-", False),
        ("relu20", False),
        ("Bright-Shark-1", False),
        ("quadratic100-relu20", False),
        ("", False),
    ],
)
def test_names_generated_by_mlflow_are_recognised(
    forget: Forget, name: str, generated: bool
) -> None:
    assert internals.is_generated_name(name) is generated
    forget("mlflow.utils.name_utils", "_GENERATOR_NOUNS")
    assert internals.is_generated_name(name) is generated


def test_a_name_of_other_words_is_not_generated() -> None:
    assert not internals.is_generated_name("wide-relu-3")


def test_mlflow_generates_such_names(tracker: Tracker) -> None:
    run = tracker.client.create_run("0")
    assert internals.is_generated_name(run.info.run_name)


def files(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "one.txt").write_text("one")
    (folder / "data/two.txt").write_text("two")
    return folder


def listing(artifacts: Repository) -> list[tuple[str, bool, int | None]]:
    found = [*artifacts.list_artifacts(), *artifacts.list_artifacts("data")]
    return sorted((each.path, each.is_dir, each.file_size) for each in found)


@pytest.mark.parametrize("to", [None, "below"])
def test_artifacts_are_the_same_without_their_repository(
    client: Client, forget: Forget, tmp_path: Path, to: str | None
) -> None:
    folder = files(tmp_path / "files")
    by_address, by_id = (client.create_run("0").info for _ in range(2))
    client.log_artifacts(by_address.run_id, str(folder), to)
    client.log_artifact(by_address.run_id, str(folder / "one.txt"), "data")
    address = below(by_address.artifact_uri, to) if to else by_address.artifact_uri
    known = listing(client.repository(address))
    assert ("data/two.txt", False, 3) in known

    forget(*REGISTRY)
    client.log_artifacts(by_id.run_id, str(folder), to)
    client.log_artifact(by_id.run_id, str(folder / "one.txt"), "data")
    artifacts = client.repository(below(by_id.artifact_uri, to) if to else by_id.artifact_uri)
    assert isinstance(artifacts, PublicRepository)
    assert listing(artifacts) == known
    copy = artifacts.download_artifacts("data/two.txt", str(tmp_path))
    assert (Path(copy).parent, Path(copy).read_text()) == (tmp_path, "two")


def test_a_models_files_are_uploaded_without_their_repository(
    client: Client, forget: Forget, tmp_path: Path
) -> None:
    folder, model = files(tmp_path / "files"), client.create_logged_model("0")
    forget(*REGISTRY)
    client.upload_model(model, folder)
    assert len(listing(client.repository(model.artifact_location))) == 3


def test_a_run_is_read_without_the_repository_of_its_artifacts(
    tracker: Tracker, forget: Forget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITREEL_SPOOL", str(tmp_path / "spool"))
    forget(*REGISTRY)
    with tracker.run() as run:
        run.log_settings(TrainingSettings(epochs=2))
        with run.artifacts("training") as folder:
            (folder / "history.csv").write_text("epoch,loss\n0,2.0\n1,1.0\n")
    source = tracker.source(run.run_id)
    assert source.first_of(["training/none.csv", "training/history.csv"]) == "training/history.csv"
    assert source.stored_losses() == [2.0, 1.0]


def test_the_doctor_reports_an_artifact_that_it_cannot_delete(
    tracker: Tracker, forget: Forget
) -> None:
    def remove() -> str:
        checkup = StoreCheckup(tracker.client.tracking_uri)
        assert all(check().fine for check in (checkup.reach, checkup.write, checkup.artifact))
        fine, text = checkup.remove()
        assert fine
        return text

    assert remove().endswith("is deleted, its artifact too")
    forget(*REGISTRY)
    run_id = remove().removesuffix(" is deleted; mlflow gc removes its artifact").split()[-1]
    run = tracker.client.get_run(run_id)
    assert run.info.lifecycle_stage == LifecycleStage.DELETED
    assert not delete_all(run.info.artifact_uri, tracker.client.tracking_uri)


def test_an_engine_opens_the_same_database(forget: Forget, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/x.db"
    with internals.create_engine(uri).begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE recipes (name TEXT)"))
    forget("mlflow.store.db.utils", "create_sqlalchemy_engine")
    assert sqlalchemy.inspect(internals.create_engine(uri)).has_table("recipes")


def test_transactions_are_those_of_mlflows_store(tracker: Tracker) -> None:
    open_session = internals.database_sessions(tracker.client.tracking_uri)
    assert open_session
    with open_session() as session:
        pragmas = [f"PRAGMA {name}" for name in ("busy_timeout", "foreign_keys")]
        assert [session.scalar(sqlalchemy.text(each)) for each in pragmas] == [20_000, 1]
    assert internals.database_sessions("http://127.0.0.1:9") is None


def for_3_10() -> dict[str, bool]:
    return {}


def for_3_17(read_only: bool = True) -> dict[str, bool]:
    return {"read_only": read_only}


@pytest.mark.parametrize(("make", "expected"), [(for_3_10, {}), (for_3_17, {"read_only": False})])
def test_a_transaction_declares_that_it_writes_if_the_store_has_read_replicas(
    monkeypatch: pytest.MonkeyPatch, make: Callable[..., dict[str, bool]], expected: dict[str, bool]
) -> None:
    store = SimpleNamespace(ManagedSessionMaker=make)
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._get_store", lambda _: store)
    open_session: Any = internals.database_sessions("sqlite:///x.db")
    assert open_session() == expected


def test_unknown_transactions_return_none(tracker: Tracker, forget: Forget) -> None:
    forget("mlflow.tracking._tracking_service.utils", "_get_store")
    assert internals.database_sessions(tracker.client.tracking_uri) is None


# ---- names that are no longer needed ----------------------------------------------------------


@pytest.mark.parametrize("named", ["id", "name", "id and name", "set_experiment", "nothing"])
def test_the_default_experiment_is_that_of_mlflow(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    from mlflow.tracking import fluent

    monkeypatch.setattr(fluent, "_active_experiment_id", None)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    name = f"default {named}"
    experiment_id = tracker.client.create_experiment(name)
    if "id" in named.split():
        monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment_id)
    if "name" in named.split():
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", name)
    if named == "set_experiment":
        mlflow.set_experiment(name)
    found = default_experiment_id(tracker.client)
    assert found == fluent._get_experiment_id() == ("0" if named == "nothing" else experiment_id)
    # set_experiment sets this; monkeypatch would restore it after the test
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)


def test_an_experiment_with_two_different_names_is_refused(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "elsewhere")
    with pytest.raises(ValueError, match="MLFLOW_EXPERIMENT_NAME another: elsewhere"):
        default_experiment_id(tracker.client)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"CONDA_EXE": "/opt/conda/bin/conda"},
        {"MLFLOW_CONDA_HOME": "/home/conda", "CONDA_EXE": "/opt/conda/bin/conda"},
        {"MLFLOW_CONDA_CREATE_ENV_CMD": "mamba"},
    ],
)
def test_environment_managers_are_found_where_mlflow_finds_them(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    from mlflow.utils import conda, virtualenv

    for name in ("CONDA_EXE", "MLFLOW_CONDA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    creator: Any = variables.get("MLFLOW_CONDA_CREATE_ENV_CMD", "conda")
    assert conda_program("conda") == conda.get_conda_bin_executable("conda")
    assert conda_program(creator) == conda._get_conda_executable_for_create_env()
    assert f"source {conda_script()}" in conda.get_conda_command("fitreel")[0]
    assert shutil.which("pyenv") == virtualenv._get_pyenv_bin_path()


@pytest.mark.parametrize(
    "address",
    [
        "mlflow-artifacts:/0/run/artifacts",
        "s3://bucket/runs?versionId=1",
        "wasbs://container@host/runs",
        "file:///srv/runs",
        "/srv/runs #1",
    ],
)
def test_paths_below_an_address_are_those_of_mlflow(address: str) -> None:
    from mlflow.utils.uri import append_to_uri_path

    assert below(address, "run/artifacts") == append_to_uri_path(address, "run", "artifacts")


def test_local_addresses_have_a_path() -> None:
    assert local_path("file:///srv/my%20runs") == Path("/srv/my runs")
    assert local_path("/srv/runs") == Path("/srv/runs")
    assert local_path("s3://bucket/runs") is None
