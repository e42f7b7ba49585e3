"""Edited points: the settings that drew the original ones no longer apply to them."""

import re
from functools import cached_property
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from fitreel.checks.files import sha256
from fitreel.data.files import load_dataset
from tests.browser import data
from tests.forked import Done, Forks
from tests.stored import tags_of

WORSE = "".join(f"{x / 10},{3 - x / 5},me\n" for x in range(-10, 11))
EDITED = f"x,y,who\n{WORSE}"  # a falling line, with an additional column


class Work:
    """A store with a run in it, and its file of points."""

    def __init__(self, directory: Path, forker: Forks) -> None:
        self.directory = directory
        self._forker = forker

    @cached_property
    def client(self) -> MlflowClient:
        """Open the store that the first command created."""
        return MlflowClient(f"sqlite:///{self.directory}/mlflow.db")

    def run(self, *arguments: str, **changes: str) -> Done:
        done = self._forker.run(list(arguments), self.directory, **changes)
        assert done.code == 0, done.stderr
        return done

    def run_id_of(self, *arguments: str, **changes: str) -> str:
        return self.run(*arguments, **changes).stdout.strip()

    def found(self, run: str) -> Run:
        return self.client.get_run(run)

    def points(self, run: str) -> Path:
        return self.directory / f"mlruns/0/{run}/artifacts/data/dataset.csv"

    def inputs(self, run: str) -> dict[str, str]:
        """Return the contexts of the datasets of a run by the first digits of their SHA-256."""
        inputs = self.found(run).inputs
        entries = inputs.dataset_inputs if inputs else []
        return {entry.dataset.digest: entry.tags[0].value for entry in entries}

    def note(self, run: str) -> str:
        return self.found(run).data.tags["mlflow.note.content"]


@pytest.fixture
def work(commands: Forks, tmp_path: Path) -> Work:
    return Work(tmp_path, commands.watched())


def measured(run: Run) -> dict[str, float]:
    """Return the metrics of a run but for the seconds that its stages took."""
    metrics: dict[str, float] = run.data.metrics
    return {name: each for name, each in metrics.items() if not name.startswith("system/")}


def warnings(done: Done) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith("fitreel: ")]


def test_points_edited_before_training_have_no_known_curve(work: Work) -> None:
    run = work.run_id_of("generate")
    drawn = sha256(work.points(run))
    work.points(run).write_text(EDITED)
    (line,) = warnings(work.run("train", "--run", run))
    assert line.startswith(f"fitreel: the points of run {run} changed since they were drawn: ")
    edited = sha256(work.points(run))
    assert work.points(run).read_text() == EDITED  # the edited points stay, byte for byte
    assert work.inputs(run) == {drawn[:8]: "training", edited[:8]: "training"}
    (line,) = warnings(work.run("evaluate", "--run", run))
    assert line == (
        f"fitreel: the points of run {run} were edited before its training: "
        "there is no test on fresh points and no noise floor"
    )
    assert warnings(work.run("animate", "--run", run)) == []
    found = work.found(run)
    assert tags_of(found)["fitreel.dataset_sha256"] == edited
    assert measured(found).keys() == {"loss", "train_rmse", "dead_neurons"}
    assert found.data.metrics["train_rmse"] < 0.38  # r² above 0.9
    assert "noise_floor" not in found.data.params
    player = work.points(run).parents[1] / "player.html"
    assert '"noise_floor":null' in player.read_text()


def test_the_note_does_not_claim_to_draw_edited_points(work: Work) -> None:
    run = work.run_id_of("generate", "--noise", "0.1")
    work.points(run).write_text(EDITED)
    work.run("train", "--run", run, "--lr", "0.05", "--epochs", "200")
    note = work.note(run)
    assert not re.search(r"fitreel run|noise|function|quadratic", note)
    assert f"    mlflow run . -e train -P run={run} -P lr=0.05 -P epochs=200" in note
    # The player's command for other settings is the same one.
    work.run("animate", "--run", run, "--max-frames", "2")
    player = data((work.points(run).parents[1] / "player.html").read_text())
    command = player["what_if"]["command"]
    assert (command["start"], command["end"]) == (
        f"mlflow run . -e train -P run={run}",
        " -P epochs=200",
    )
    # The command that the note names works as described.
    assert f"    fitreel reproduce {run}\n" in note
    assert work.run("reproduce", run).stderr == "identical: 200 losses, bit for bit\n"


def test_a_new_run_on_edited_points_has_no_known_curve_either(work: Work) -> None:
    source = work.run_id_of("generate")
    work.points(source).write_text(EDITED)
    active = work.client.create_run("0").info.run_id
    work.run("train", "--run", source, "--epochs", "50", MLFLOW_RUN_ID=active)
    assert work.found(active).data.params.keys().isdisjoint({"samples", "function", "noise"})
    assert (
        load_dataset(work.points(active)).y.tolist() == load_dataset(work.points(source)).y.tolist()
    )
    assert "fitreel run" not in work.note(active)
    work.run("evaluate", "--run", active)
    assert "test_rmse" not in work.found(active).data.metrics


def test_points_edited_after_training_are_neither_train_nor_test_points(work: Work) -> None:
    run = work.run_id_of("run", "--epochs", "300")
    before = measured(work.found(run))
    trained = sha256(work.points(run))
    work.points(run).write_text(EDITED)
    for _ in range(2):  # and a second evaluation has the same result
        (line,) = warnings(work.run("evaluate", "--run", run, "--test-samples", "50"))
        assert line == (
            f"fitreel: the points of run {run} changed after its training: errors on them are "
            "logged as points_rmse and points_r2, and there is no test on fresh points and no "
            "noise floor"
        )
    (line,) = warnings(work.run("animate", "--run", run))
    assert line.endswith("changed after its training: the film shows the present ones")
    after = work.found(run)
    errors = {"points_rmse", "points_r2"}
    assert measured(after) == before | {name: after.data.metrics[name] for name in errors}
    assert after.data.metrics["points_r2"] < 0
    edited = sha256(work.points(run))
    assert tags_of(after)["fitreel.dataset_sha256"] == trained
    assert tags_of(after)["fitreel.evaluated_sha256"] == edited
    assert work.inputs(run) == {trained[:8]: "training", edited[:8]: "evaluation"}
    assert "|points_rmse&emsp;|" in work.note(run)
    other = work.run_id_of("run", "--epochs", "300", "--seed", "1")
    (line,) = warnings(work.run("compare", run, other))
    assert line.startswith("fitreel: the points of relu20-sgd-lr0.1-e300 changed after its train")


def test_restored_points_are_those_that_were_drawn(work: Work) -> None:
    run = work.run_id_of("generate")
    drawn = work.points(run).read_text()
    work.points(run).write_text(EDITED)
    work.points(run).write_text(drawn)
    assert warnings(work.run("train", "--run", run, "--epochs", "50")) == []
    assert warnings(work.run("evaluate", "--run", run)) == []
    assert "test_rmse" in work.found(run).data.metrics
    assert float(work.found(run).data.params["noise_floor"]) == pytest.approx(0.057735, rel=1e-4)
    assert "fitreel run --epochs 50" in work.note(run)
