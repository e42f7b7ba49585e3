"""The completion in a shell: pipeline.shared.completion, tracking.completion."""

import subprocess
import sys
from pathlib import Path

import pytest

from fitreel.tracking import Tracker, complete_run
from fitreel.tracking.completion import _from_client, _from_tables
from fitreel.tracking.names import TRIAL_TAG
from tests.conftest import environment


@pytest.fixture
def store(tmp_path: Path) -> tuple[str, dict[str, str]]:
    """Create a store; return its URI and the ids of its runs by name, of two by their number."""
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}")
    ids = {}
    for key, name in {
        "first": "same",
        "second": "same",
        "slow": "slow",
        "word": "two words",
        "evil": "$(touch executed)",
        "trial": "trial",
    }.items():
        with tracker.run(name=name) as run:
            if key == "trial":
                run.set_tags({TRIAL_TAG: "0"})
        ids[key] = run.run_id
    return tracker.client.tracking_uri, ids


def typed(directory: Path, line: str) -> list[str]:
    """Return what a shell offers for the last word of a line."""
    own = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = subprocess.run(
        ["fitreel"],
        cwd=directory,
        env=environment(_FITREEL_COMPLETE="complete_bash", **own),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_a_name_that_fits_one_run_is_offered_else_the_id(store: tuple[str, dict[str, str]]) -> None:
    uri, ids = store
    assert complete_run(uri, "") == [
        *("latest", "slow"),
        *(ids[key] for key in ("evil", "word", "second", "first")),
    ]
    assert complete_run(uri, "slo") == ["slow"]
    assert complete_run(uri, ids["slow"][:6]) == [ids["slow"]]
    assert complete_run(uri, "tri") == []


def test_tables_and_client_know_the_same_runs(store: tuple[str, dict[str, str]]) -> None:
    uri, ids = store
    found = _from_tables(uri)
    assert [run_id for run_id, _ in found] == [
        ids[key] for key in ("evil", "word", "slow", "second", "first")
    ]
    assert list(found) == list(_from_client(uri))


def test_tables_that_are_not_known_are_read_by_the_client(
    store: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fitreel.tracking.completion._from_tables", refuse)
    assert complete_run(store[0], "slo") == ["slow"]


def refuse(uri: str) -> None:
    raise ValueError(f"unknown tables in {uri}")


@pytest.mark.usefixtures("store")
def test_the_shell_is_offered_commands_choices_and_runs(tmp_path: Path) -> None:
    assert typed(tmp_path, "fitreel resu") == ["resume"]
    assert typed(tmp_path, "fitreel run --activation t") == ["tanh"]
    assert typed(tmp_path, "fitreel evaluate --run sl") == ["slow"]
    assert typed(tmp_path, "fitreel show sl") == ["slow"]
    assert typed(tmp_path, "fitreel run --lr ") == []


def test_where_nothing_is_there_nothing_is_offered_or_created(tmp_path: Path) -> None:
    assert typed(tmp_path, "fitreel show ") == []
    assert not list(tmp_path.iterdir())


def test_mlflow_is_not_imported_for_it(store: tuple[str, dict[str, str]]) -> None:
    code = (
        "import sys, fitreel.tracking as t; "
        f"print(t.complete_run({store[0]!r}, 'slo'), 'mlflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "['slow'] False\n"
