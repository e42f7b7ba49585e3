"""Reproducing old runs as a user does: real runs, real tampering, real commits."""

import json
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from fitreel.checks.files import sha256
from fitreel.training.history import first_difference
from tests.conftest import BIN, ROOT, Command, environment, git
from tests.servers import Server
from tests.stored import change_facts, tags_of

SHORT = ("--epochs", "40", "--samples", "30")


def store(directory: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{directory}/mlflow.db")


def losses(directory: Path, run_id: str) -> list[float]:
    points = store(directory).get_metric_history(run_id, "loss")
    return [point.value for point in sorted(points, key=lambda point: point.step)]


def artifact(directory: Path, run_id: str, path: str) -> Path:
    """Return the path of the stored file, not of a copy."""
    return Path(store(directory).download_artifacts(run_id, "")) / path


def change_provenance(directory: Path, run_id: str, **changes: str) -> None:
    """Change what a run recorded of the code and the machine of its training."""
    path = artifact(directory, run_id, "training/provenance.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rows(table: str) -> dict[str, list[str]]:
    """Return the rows of a printed table by their first cell."""
    found = [re.split(r"[│┃]", line)[1:-1] for line in table.splitlines() if line[:1] in "│┃"]
    return {name.strip(): [cell.strip() for cell in cells] for name, *cells in found}


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--activation", "tanh", "--optimizer", "adam", "--lr", "0.01", "--seed", "3"),
        ("--function", "sine", "--noise", "0", "--optimizer", "momentum", "--data-seed", "7"),
    ],
    ids=["relu-sgd", "tanh-adam", "momentum"],
)
def test_a_run_of_this_code_is_identical(
    fitreel: Command, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (run_id,) = fitreel("run", *SHORT, *options).stdout.split()
    before = store(tmp_path).get_run(run_id).to_dictionary()
    done = fitreel("reproduce", run_id)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "identical: 40 losses, bit for bit\n"
    assert store(tmp_path).get_run(run_id).to_dictionary() == before
    assert len(store(tmp_path).search_runs(["0"])) == 1


def test_stages_and_other_stores_are_reproduced_too(fitreel: Command, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/else/where.db"
    (run_id,) = fitreel("generate", "--tracking-uri", uri).stdout.split()
    fitreel("train", "--epochs", "7", "--run", run_id, "--tracking-uri", uri)
    done = fitreel("reproduce", run_id, "--tracking-uri", uri)
    assert done.stderr == "identical: 7 losses, bit for bit\n"


def test_a_training_that_diverged_diverges_again(fitreel: Command, tmp_path: Path) -> None:
    assert fitreel("run", "--lr", "1000").returncode == 1
    (run,) = store(tmp_path).search_runs(["0"])
    epoch = tags_of(run)["fitreel.diverged_epoch"]
    done = fitreel("reproduce", run.info.run_id)
    assert done.returncode == 0
    assert done.stderr == (
        f"identical: {epoch} losses, bit for bit, and it diverges at epoch {epoch} again\n"
    )
    change_facts(store(tmp_path), run.info.run_id, diverged_epoch="999")
    done = fitreel("reproduce", run.info.run_id)
    assert done.returncode == 1
    assert rows(done.stderr)["epoch of divergence"] == ["999", epoch]
    assert f"{epoch} losses are identical, bit for bit, but epoch of divergence" in done.stderr


def test_a_tampered_dataset_is_named(fitreel: Command, tmp_path: Path) -> None:
    (run_id,) = fitreel("run", *SHORT).stdout.split()
    recorded = tags_of(store(tmp_path).get_run(run_id))["fitreel.dataset_sha256"][:16]
    points = artifact(tmp_path, run_id, "data/dataset.csv")
    faithful = points.read_text()

    points.write_text(faithful.replace("\n-1,1.", "\n-1,2."))
    done = fitreel("reproduce", run_id)
    assert done.returncode == 1
    table = rows(done.stderr)
    assert table["data hash, as stored"] == [recorded, sha256(points)[:16]]
    assert "data hash, as drawn again" not in table  # the settings still give the old points
    first = f"{losses(tmp_path, run_id)[0]:.9g}"
    assert f"\nepoch 0 is the first that differs: {first} then, " in done.stderr
    assert done.stderr.endswith(" now; data hash, as stored differs\n")

    points.write_text(f"{faithful}\n")  # the same points in another file: only the hash differs
    done = fitreel("reproduce", run_id)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "40 losses are identical, bit for bit, but data hash, as stored differs\n"
    )


def test_points_that_the_settings_no_longer_draw_are_named(
    fitreel: Command, tmp_path: Path
) -> None:
    (run_id,) = fitreel("run", *SHORT).stdout.split()
    points = artifact(tmp_path, run_id, "data/dataset.csv")
    # The same numbers in another file, with the hash of that file in the run.
    points.write_text(points.read_text() + "\n")
    change_facts(store(tmp_path), run_id, dataset_sha256=sha256(points))
    done = fitreel("reproduce", run_id)
    assert done.returncode == 1
    assert rows(done.stderr).keys() == {"", "data hash, as drawn again"}
    assert done.stderr.endswith(
        "40 losses are identical, bit for bit, but data hash, as drawn again differs\n"
    )


def test_a_tampered_history_is_named(fitreel: Command, tmp_path: Path) -> None:
    (run_id,) = fitreel("run", *SHORT).stdout.split()
    history = artifact(tmp_path, run_id, "training/history.csv")
    lines = history.read_text().splitlines()
    loss = losses(tmp_path, run_id)[7]
    lines[8:] = ["7,0.5", *lines[9:]]
    history.write_text("\n".join(lines) + "\n")
    done = fitreel("reproduce", run_id)
    assert done.returncode == 1
    assert rows(done.stderr)["training/history.csv, epoch 7"] == ["0.5", f"{loss:.9g}"]
    assert done.stderr.endswith(
        "epoch 7 is the first that differs in training/history.csv, and only there: "
        f"0.5 then, {loss:.9g} now; nothing else that is recorded differs\n"
    )
    history.write_text("\n".join(lines[:6]) + "\n")
    artifact(tmp_path, run_id, "training/provenance.json").unlink()
    done = fitreel("reproduce", run_id)
    assert rows(done.stderr)["training/history.csv, epoch 5"][0] == "none"
    assert done.stderr.endswith("; the run does not record what it was trained with\n")


def test_a_tampered_metric_is_named(fitreel: Command, tmp_path: Path) -> None:
    (run_id,) = fitreel("run", *SHORT).stdout.split()
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("update metrics set value = 0.5 where key = 'loss' and step = 39")
    done = fitreel("reproduce", run_id)
    assert done.returncode == 1
    assert "epoch 39 is the first that differs in metric loss, and only there" in done.stderr


def test_other_versions_are_named_though_the_losses_are_identical(
    fitreel: Command, tmp_path: Path
) -> None:
    (run_id,) = fitreel("run", *SHORT).stdout.split()
    change_provenance(tmp_path, run_id, torch="1.0.0", processor="Z80")
    done = fitreel("reproduce", run_id)
    assert done.returncode == 0
    table = rows(done.stderr)
    assert (table["torch"][0], table["processor"][0]) == ("1.0.0", "Z80")
    assert done.stderr.endswith("bit for bit, although torch and processor differ\n")


def test_another_thread_count_is_named_with_the_epoch_it_changes(
    fitreel: Command, tmp_path: Path
) -> None:
    many = ("--samples", "100000", "--activation", "tanh", "--epochs", "12")
    one, two = (
        fitreel("run", *many, "--max-frames", "2", OMP_NUM_THREADS=threads).stdout.strip()
        for threads in ("1", "2")
    )
    epoch = first_difference(losses(tmp_path, one), losses(tmp_path, two))
    again = fitreel("reproduce", one, OMP_NUM_THREADS="1")
    assert (again.returncode, again.stderr) == (0, "identical: 12 losses, bit for bit\n")
    done = fitreel("reproduce", one, OMP_NUM_THREADS="2")
    assert rows(done.stderr)["thread count"] == ["1", "2"]
    if epoch is None:  # this machine adds in the same order with both thread counts
        assert done.returncode == 0
        assert done.stderr.endswith(
            "identical: 12 losses, bit for bit, although thread count differs\n"
        )
    else:
        assert done.returncode == 1
        then, now = (losses(tmp_path, run_id)[epoch] for run_id in (one, two))
        assert done.stderr.endswith(
            f"epoch {epoch} is the first that differs: {then:.9g} then, {now:.9g} now; "
            "thread count differs\n"
        )


def test_a_small_run_does_not_depend_on_the_thread_count(fitreel: Command) -> None:
    (run_id,) = fitreel("run", *SHORT, OMP_NUM_THREADS="1").stdout.split()
    done = fitreel("reproduce", run_id, OMP_NUM_THREADS="2")
    assert done.returncode == 0
    assert done.stderr.endswith(
        "identical: 40 losses, bit for bit, although thread count differs\n"
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Create a repository with one commit of this code."""
    directory = tmp_path / "clone"
    for name in ("pipeline", "src"):
        shutil.copytree(ROOT / name, directory / name)
    shutil.copy(ROOT / ".gitignore", directory)
    git(directory, "init")
    commit(directory)
    return directory


def commit(directory: Path) -> str:
    git(directory, "add", "--all")
    git(directory, "commit", "--message", "As it is")
    return git(directory, "rev-parse", "HEAD")


def in_clone(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["python", "-m", "pipeline", *arguments],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_uncommitted_changes_and_another_commit_are_named(clone: Path) -> None:
    old = git(clone, "rev-parse", "HEAD")
    run_id = in_clone(clone, "run", *SHORT).stdout.strip()
    assert in_clone(clone, "reproduce", run_id).stderr == "identical: 40 losses, bit for bit\n"

    training = clone / "src/fitreel/training/loop.py"
    faithful = training.read_text()
    training.write_text(faithful.replace("(gradient,)", "([1.01 * each for each in gradient],)"))
    assert training.read_text() != faithful
    done = in_clone(clone, "reproduce", run_id)
    assert done.returncode == 1
    table = rows(done.stderr)
    assert "commit" not in table
    assert table["uncommitted code"][0] == "none"
    assert "src/fitreel/training/loop.py" in table["uncommitted code"][1]
    assert "epoch 1 is the first that differs: " in done.stderr
    assert done.stderr.endswith(" now; code and uncommitted code differ\n")

    new = commit(clone)
    done = in_clone(clone, "reproduce", run_id)
    assert done.returncode == 1
    assert rows(done.stderr)["commit"] == [old[:16], new[:16]]
    assert done.stderr.endswith(" now; code and commit differ\n")

    training.write_text(faithful)
    commit(clone)
    done = in_clone(clone, "reproduce", run_id)
    assert done.returncode == 0
    assert done.stderr.endswith("identical: 40 losses, bit for bit, although commit differs\n")


def test_without_git_the_code_is_still_compared(fitreel: Command, tmp_path: Path) -> None:
    alone = {"PATH": str(BIN)}
    (run_id,) = fitreel("run", *SHORT, **alone).stdout.split()
    found = json.loads(artifact(tmp_path, run_id, "training/provenance.json").read_text())
    assert "code_sha256" in found
    assert not {"commit", "uncommitted"} & found.keys()
    done = fitreel("reproduce", run_id, **alone)
    assert (done.returncode, done.stderr) == (0, "identical: 40 losses, bit for bit\n")
    change_provenance(tmp_path, run_id, code_sha256="f" * 64)
    assert "although code differs" in fitreel("reproduce", run_id).stderr


def test_a_training_that_diverged_at_once_is_reproduced(fitreel: Command, tmp_path: Path) -> None:
    (run_id,) = fitreel("generate").stdout.split()
    artifact(tmp_path, run_id, "data/dataset.csv").write_text("x,y\n0,1e30\n1,1e30\n")
    change_facts(store(tmp_path), run_id, dataset_sha256=None)
    assert fitreel("train", "--run", run_id).returncode == 1
    done = fitreel("reproduce", run_id)
    assert done.returncode == 0
    assert done.stderr == "identical: 0 losses, bit for bit, and it diverges at epoch 0 again\n"


def test_an_option_that_differs_from_its_param_is_reproduced(
    fitreel: Command, tmp_path: Path
) -> None:
    (run_id,) = fitreel("generate").stdout.split()
    store(tmp_path).log_param(run_id, "lr", "0.3")
    assert fitreel("train", "--epochs", "9", "--lr", "0.2", "--run", run_id).returncode == 0
    assert store(tmp_path).get_run(run_id).data.params["lr"] == "0.3"
    assert fitreel("reproduce", run_id).stderr == "identical: 9 losses, bit for bit\n"


def test_runs_of_a_server_are_reproduced(fitreel: Command, tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        (run_id,) = fitreel("run", *SHORT, "--tracking-uri", server.url).stdout.split()
        done = fitreel("reproduce", run_id, MLFLOW_TRACKING_URI=server.url)
    assert (done.returncode, done.stderr) == (0, "identical: 40 losses, bit for bit\n")


def test_a_run_that_cannot_be_reproduced_is_reported(fitreel: Command, tmp_path: Path) -> None:
    (points,) = fitreel("generate").stdout.split()
    (trained,) = fitreel("run", *SHORT).stdout.split()
    artifact(tmp_path, trained, "training/history.csv").unlink()
    foreign = store(tmp_path).create_run("0").info.run_id
    store(tmp_path).log_metric(foreign, "loss", 0.5)
    for run_id, message in {
        points: f"run {points} has no training to reproduce",
        foreign: f"run {foreign} does not record how it was trained",
        trained: f"run {trained} has no training/history.csv: its training was interrupted",
        "nowhere": "there is no run 'nowhere' in sqlite:///",
    }.items():
        done = fitreel("reproduce", run_id)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"fitreel: {message}")
        assert done.stderr.count("\n") == 1
    assert fitreel("reproduce").stderr == "fitreel: Missing argument 'RUN'.\n"
