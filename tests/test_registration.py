"""--register: versions of a registered model, and which of them is the champion."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from fitreel.tracking import Tracker, registration
from fitreel.tracking.registration import register, registered
from fitreel.tracking.store.client import Client
from tests import processes

TABLE = "size,new,town,price\n" + "".join(
    f"{size},{size % 2 == 0},{('Rome', 'Ulm')[size % 3 == 0]},{3 * size}\n" for size in range(1, 60)
)
Run = Callable[..., tuple[str, str]]
BAD, GOOD = ("--epochs", "1"), ("--epochs", "60", "--lr", "0.05")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("registry")
    (directory / "t.csv").write_text(TABLE)
    return directory


@pytest.fixture(scope="module")
def run(directory: Path) -> Run:
    def run(command: str, *words: str) -> tuple[str, str]:
        """Return what a command prints, and its errors."""
        if command == "run":
            words = (*words, "--data", "t.csv", "--target", "price", "--max-frames", "2")
        spool = {"FITREEL_SPOOL": str(directory / "spool")}
        code, output, errors = processes.run(command, *words, directory=directory, **spool)
        assert code == 0, errors
        return output.strip(), errors

    return run


@pytest.fixture(scope="module")
def bad(run: Run) -> tuple[str, str]:
    return run("run", *BAD, "--register", "houses")


@pytest.fixture(scope="module")
def good(run: Run, bad: tuple[str, str]) -> tuple[str, str]:
    assert bad  # the first version
    return run("run", *GOOD, "--register", "houses")


@pytest.fixture(scope="module")
def client(directory: Path, bad: tuple[str, str]) -> Client:
    assert bad  # its run created the store
    return Tracker(f"sqlite:///{directory}/mlflow.db").client


def aliases(client: Client, name: str) -> dict[str, int]:
    found = client.get_registered_model(name).aliases
    return {alias: int(version) for alias, version in found.items()}


def test_the_champion_is_the_best(
    run: Run, bad: tuple[str, str], good: tuple[str, str], client: Client
) -> None:
    assert "registered houses version 1, champion: there was none" in bad[1]
    assert "registered houses version 2, champion: rmse" in good[1]
    assert aliases(client, "houses") == {"champion": 2}
    version = client.get_model_version("houses", "2")
    assert version.run_id == good[0]
    # The worse one again, by evaluate: it stays the version that it is.
    _, errors = run("evaluate", "--run", bad[0], "--register", "houses")
    assert "registered houses version 1, challenger: rmse" in errors
    assert aliases(client, "houses") == {"champion": 2, "challenger": 1}


def test_both_errors_are_those_on_the_new_test_rows(
    bad: tuple[str, str], good: tuple[str, str], client: Client
) -> None:
    metrics = [client.get_run(each[0]).data.metrics["test_rmse"] for each in (good, bad)]
    assert f"rmse {metrics[0]:.4g} on its test rows, version 1 has {metrics[1]:.4g}" in good[1]


def test_a_champion_of_other_columns_is_not_compared(
    run: Run, good: tuple[str, str], client: Client
) -> None:
    register(client, good[0], "columns")
    run_id, errors = run("run", *BAD, "--features", "size,town", "--register", "columns")
    assert "challenger: not compared with version 1, it needs the column 'new'" in errors
    # The other way round: a champion that needs less is compared.
    register(client, run_id, "less")
    register(client, good[0], "less")
    assert aliases(client, "less") == {"champion": 2}


def test_a_champion_that_cannot_be_read_stays(
    good: tuple[str, str], client: Client, directory: Path
) -> None:
    (directory / "foreign").mkdir()
    client.create_registered_model("foreign")
    client.create_model_version("foreign", str(directory / "foreign"))
    client.set_registered_model_alias("foreign", "champion", "1")
    register(client, good[0], "foreign")
    assert aliases(client, "foreign") == {"champion": 1, "challenger": 2}
    assert "was not logged by fitreel" in registered(client, good[0], "foreign")


STEPS = ["create_model_version", "set_model_version_tag", "set_registered_model_alias"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_registration_that_broke_off_is_done_once(
    step: str,
    when: str,
    bad: tuple[str, str],
    good: tuple[str, str],
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = f"{step}-{when}"
    register(client, bad[0], name)
    own = getattr(client, step)

    def broken(*arguments: Any, **options: Any) -> None:
        if when == "after":
            own(*arguments, **options)
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(client, step, broken)
        with pytest.raises(ConnectionError):
            register(client, good[0], name)
    register(client, good[0], name)
    assert aliases(client, name) == {"champion": 2}
    assert len(client.search_model_versions(f"name = '{name}'")) == 2
    assert "champion: rmse" in registered(client, good[0], name)


def test_another_one_becomes_the_champion_while_it_is_compared(
    bad: tuple[str, str],
    good: tuple[str, str],
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(client, good[0], "race")  # version 1
    client.delete_registered_model_alias("race", "champion")
    foreign = str(client.create_model_version("race", "elsewhere").version)
    client.set_registered_model_alias("race", "champion", foreign)
    compared = registration._compared

    def slow(*arguments: Any) -> tuple[str, str]:
        if arguments[-1] != foreign:
            return compared(*arguments)
        client.set_registered_model_alias("race", "champion", "1")  # somebody else did
        return "champion", "champion: better than the one before"

    monkeypatch.setattr(registration, "_compared", slow)
    register(client, bad[0], "race")
    assert aliases(client, "race") == {"champion": 1, "challenger": 3}


@pytest.mark.parametrize("name", ["a/b", "a:b", "a'b"])
def test_names_that_no_model_can_have_are_refused(name: str, directory: Path) -> None:
    code, _, errors = processes.run("run", "--register", name, directory=directory)
    assert (code, "which no registered model has" in errors) == (2, True)


def test_a_run_without_a_model_is_refused(client: Client) -> None:
    run = client.create_run("0")
    with pytest.raises((ValueError, MlflowException), match="no model to register"):
        register(client, run.info.run_id, "none")
