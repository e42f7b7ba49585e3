"""The commands on runs of `fitreel.film`, whose model is not ours."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from PIL import Image

import fitreel
from fitreel.journal.entry import read_entry
from fitreel.reel.files import load_reel, load_rows
from fitreel.tracking.names import PLAYER, REEL, ROWS
from tests import processes
from tests.conftest import environment
from tests.faults import SPOOL, client, journals, losses, runs, wait_until

X = np.linspace(-1, 1, 20)[:, None]
Y = X[:, 0] ** 2
NOTE = "mlflow.note.content"

# A training of another program, which films and is killed; it prints each step that was logged.
PROGRAM = """
import sys, time
import mlflow, numpy as np, fitreel
x = np.linspace(-1, 1, 20)[:, None]
def film(**more):
    with fitreel.film(x, x[:, 0] ** 2, log_images=2, **more) as reel:
        for step in range(100_000):
            reel.frame(step, 1 / (step + 1), lambda x: x[:, 0] ** 2)
            time.sleep(0.002)
if sys.argv[1] == "guest":
    with mlflow.start_run(run_name="theirs", description="their note"):
        film()
else:
    film(name="killed")
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a store once: its tables take seconds."""
    directory = tmp_path_factory.mktemp("database")
    client(directory).search_experiments()
    return directory / "mlflow.db"


@pytest.fixture
def store(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    shutil.copy(database, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    return client(tmp_path)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a store with the film of another program's model."""
    path = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.setenv(SPOOL, str(path / "spool"))
        mlflow.set_tracking_uri(f"sqlite:///{path}/mlflow.db")
        with fitreel.film(X, Y, name="parabola", lr=0.1, format="none of ours") as reel:
            train(reel)
    return path


def train(reel: fitreel.Reel, steps: int = 31) -> None:
    for step in range(steps):
        reel.frame(step, 1 / (step + 1), lambda x: x[:, 0] ** 2)


def command(*arguments: str, directory: Path) -> tuple[int, str, str]:
    return processes.run(*arguments, directory=directory, **{SPOOL: str(directory / "spool")})


def only_run(store: MlflowClient) -> Run:
    (run,) = runs(store)
    return run


# ---- the commands -------------------------------------------------------------------------------


def test_list_and_show_know_it(directory: Path) -> None:
    code, out, errors = command("list", "--json", directory=directory)
    (listed,) = json.loads(out)["runs"]
    assert (code, listed["name"], listed["status"]) == (0, "parabola", "FINISHED"), errors
    assert listed["loss"] == pytest.approx(1 / 31)
    code, out, errors = command("show", "parabola", "--json", directory=directory)
    shown = json.loads(out)
    assert (code, shown["params"]["lr"]) == (0, "0.1"), errors
    assert {ROWS, REEL, PLAYER, "rst.gif"} <= shown["files"].keys()


def test_open_shows_its_player(directory: Path) -> None:
    run = only_run(client(directory))
    changes = {SPOOL: str(directory / "spool"), "BROWSER": "true"}
    code, out, errors = processes.run("open", run.info.run_id, directory=directory, **changes)
    assert (code, out.strip().endswith(f"{run.info.run_id}/artifacts/{PLAYER}")) == (0, True), (
        errors
    )


# imageio's reader does not close the pipes of its ffmpeg.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_animate_films_it_again_and_changes_nothing_else(directory: Path) -> None:
    store = client(directory)
    before = only_run(store)
    options = ("--fps", "10", "--format", "mp4", "--log-images", "2")
    code, out, errors = command("animate", "--run", "parabola", *options, directory=directory)
    assert (code, out.strip()) == (0, before.info.run_id), errors
    after = only_run(store)
    assert after.info == before.info
    assert after.data.params == before.data.params
    assert after.data.tags.items() >= before.data.tags.items()
    files = {each.path for each in store.list_artifacts(after.info.run_id)}
    assert {"rst.gif", "rst.mp4", PLAYER} <= files
    assert len(store.list_artifacts(after.info.run_id, "images")) == 4
    code, _, errors = command("animate", "--run", "parabola", "--fps", "5", directory=directory)
    assert code == 0, errors
    with Image.open(store.download_artifacts(after.info.run_id, "rst.gif")) as film:
        assert (film.info["duration"], getattr(film, "n_frames")) == (200, 7)  # noqa: B009


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--run"), "is a film, not an experiment"),
        (("evaluate", "--run"), "is a film, not an experiment"),
        (("predict", "--data", "new.csv", "--run"), "is a film: it has what a model of another"),
        (("export",), "is a film: it has what a model of another"),
        (("reproduce",), "is a film: it has what a model of another"),
        (("resume",), "a film, cannot be resumed: its training was not fitreel's"),
        (("generate", "--run"), "has points already"),
        (("run", "--run"), "is an experiment already"),
    ],
)
def test_what_needs_our_network_is_refused_in_one_line(
    directory: Path, arguments: tuple[str, ...], message: str
) -> None:
    (directory / "new.csv").write_text("x\n1\n")
    run_id = only_run(client(directory)).info.run_id
    code, out, errors = command(*arguments, run_id, directory=directory)
    assert (code, out, errors.count("\n")) == (2, "", 1), errors
    assert f"run {run_id}" in errors
    assert message in errors


# ---- the note -----------------------------------------------------------------------------------


def test_the_note_shows_the_film_and_how_to_open_it(directory: Path) -> None:
    run = only_run(client(directory))
    note = run.data.tags[NOTE]
    assert note.startswith(f"![rst.gif](get-artifact?path=rst.gif&run_uuid={run.info.run_id})")
    assert f"runs/{run.info.run_id}/artifacts/{PLAYER})" in note
    assert "|`loss`&emsp;|0.03226&emsp;|" in note
    assert f"    fitreel open {run.info.run_id}\n" in note


def test_the_names_of_metrics_are_text_in_the_note(store: MlflowClient) -> None:
    with fitreel.film(X, Y) as reel:
        reel.frame(0, 1.0, lambda x: x[:, 0], metrics={"a/b c": 0.5})
    assert "|`a/b c`&emsp;|0.5&emsp;|" in only_run(store).data.tags[NOTE]


def test_without_a_frame_the_note_says_so(store: MlflowClient) -> None:
    with fitreel.film(X, Y) as reel:
        reel.frame(0, float("nan"), lambda x: x[:, 0])
    note = only_run(store).data.tags[NOTE]
    assert "ended before the first frame" in note
    assert "rst.gif" not in note


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("when", ["before", "meanwhile", "never"])
def test_the_note_of_another_programs_run_stays(when: str) -> None:
    with mlflow.start_run(description="theirs" if when == "before" else None):
        with fitreel.film(X, Y) as reel:
            train(reel)
            if when == "meanwhile":
                mlflow.set_tag(NOTE, "theirs")
        note = mlflow.get_run(mlflow.active_run().info.run_id).data.tags[NOTE]  # type: ignore[union-attr]
    assert (note == "theirs") == (when != "never")
    assert note == "theirs" or "rst.gif" in note


# ---- killed processes ---------------------------------------------------------------------------


def kill_a_filming(kind: str, directory: Path) -> None:
    """Start a program that films, and kill it once the store has some of its losses."""
    store = client(directory)
    uri = f"sqlite:///{directory}/mlflow.db"
    variables = environment(MLFLOW_TRACKING_URI=uri, **{SPOOL: str(directory / "spool")})
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, kind], cwd=directory, env=variables
    ) as process:
        try:
            wait_until(
                lambda: any(run.data.metrics.get("loss", 1) < 0.01 for run in runs(store)),
                "a loss in the store",
            )
        finally:
            os.kill(process.pid, signal.SIGKILL)


def check_film(store: MlflowClient, run: Run) -> None:
    """Assert that the run has each loss once, and a film of them."""
    run_id = run.info.run_id
    found = losses(store, run_id)
    assert found == [1 / (step + 1) for step in range(len(found))]
    files = [Path(store.download_artifacts(run_id, path)) for path in (REEL, ROWS)]
    reel = load_reel(files[0], *load_rows(files[1]))
    assert reel.losses.tolist() == found
    assert reel.frames
    with Image.open(store.download_artifacts(run_id, "rst.gif")) as film:
        assert getattr(film, "n_frames") == len(reel.frames)  # noqa: B009
    assert len(store.list_artifacts(run_id, "images")) == 4


def test_sync_makes_the_film_of_a_killed_process(store: MlflowClient, tmp_path: Path) -> None:
    kill_a_filming("own", tmp_path)
    for expected in ("delivered, KILLED", "nothing to upload"):
        code, _, errors = command("sync", directory=tmp_path)
        assert (code, expected in errors) == (0, True), errors
    run = only_run(store)
    assert run.info.status == "KILLED"
    assert run.data.tags[NOTE].startswith("![rst.gif]")
    check_film(store, run)
    assert not journals(tmp_path / "spool")


def test_reap_closes_a_killed_film_and_sync_still_makes_it(
    store: MlflowClient, tmp_path: Path
) -> None:
    kill_a_filming("own", tmp_path)
    assert only_run(store).info.status == "RUNNING"
    code, _, errors = command("reap", "--close", directory=tmp_path)
    assert (code, "killed: now KILLED: process" in errors) == (0, True), errors
    assert only_run(store).info.status == "KILLED"
    code, _, errors = command("sync", directory=tmp_path)
    assert code == 0, errors
    check_film(store, only_run(store))
    assert only_run(store).info.status == "KILLED"


def test_a_killed_film_in_another_programs_run_leaves_its_end_to_it(
    store: MlflowClient, tmp_path: Path
) -> None:
    kill_a_filming("guest", tmp_path)
    (journal,) = journals(tmp_path / "spool")
    entry = read_entry(journal)
    assert entry
    assert entry.is_guest
    code, _, errors = command("reap", "--close", directory=tmp_path)
    assert (code, "no run to close" in errors) == (0, True), errors
    code, _, errors = command("sync", directory=tmp_path)
    assert code == 0, errors
    run = only_run(store)
    assert (run.info.status, run.data.tags[NOTE]) == ("RUNNING", "their note")
    check_film(store, run)


@pytest.mark.usefixtures("store")
def test_a_film_without_the_files_of_an_end_is_refused_with_what_helps(tmp_path: Path) -> None:
    kill_a_filming("own", tmp_path)
    code, _, errors = command("animate", "--run", "killed", directory=tmp_path)
    assert code == 2
    assert "fitreel sync makes the film of a killed one" in errors
