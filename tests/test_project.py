"""The project run by a real `mlflow run`, including environments."""

import json
import os
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests import processes
from tests.conftest import copy_project, environment
from tests.stored import tags_of

SHORT = ("-P", "epochs=40", "-P", "samples=30")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("clone"))


def mlflow_run(
    directory: Path, *arguments: str, experiment: str = "Default", **changes: str
) -> Run:
    """Run `mlflow run .`; return the newest run of the experiment."""
    code, _, errors = processes.mlflow("run", ".", *arguments, directory=directory, **changes)
    assert code == 0, errors
    whole = [run for run in runs(directory, experiment) if "fitreel.trial" not in tags_of(run)]
    newest = whole[0]
    if "--run-id" not in arguments:
        assert f"=== Run (ID '{newest.info.run_id}') succeeded ===" in errors
    return newest


def trained(directory: Path, *arguments: str) -> Run:
    """Train a small network without `mlflow run`: what a stage reads may come from anywhere."""
    short = ("run", "--epochs", "40", "--samples", "30")
    code, run_id, errors = processes.run(*short, *arguments, directory=directory)
    assert code == 0, errors
    return client(directory).get_run(run_id.strip())


def client(directory: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{directory}/mlflow.db")


def runs(directory: Path, experiment: str = "Default") -> list[Run]:
    found = client(directory).get_experiment_by_name(experiment)
    assert found
    order = ["attributes.start_time DESC"]
    return list(client(directory).search_runs([found.experiment_id], order_by=order))


def test_two_runs_in_one_database_are_two_rows(clone: Path) -> None:
    slow = mlflow_run(clone, "--env-manager", "local", "-P", "lr=0.20", "-P", "epochs=50")
    fast = mlflow_run(clone, "--env-manager", "local", "-P", "lr=1e-1", "-P", "epochs=50")
    assert len(runs(clone)) == 2
    assert (slow.data.params["lr"], fast.data.params["lr"]) == ("0.20", "1e-1")
    assert (slow.info.run_name, fast.info.run_name) == (
        "relu20-sgd-lr0.2-e50",
        "relu20-sgd-lr0.1-e50",
    )
    for run in (slow, fast):
        assert run.info.status == "FINISHED"
        assert len(run.data.params) == 27  # the noise floor, too
        assert not [tag for tag in run.data.tags if tag.startswith("fitreel.override.")]
        losses = client(clone).get_metric_history(run.info.run_id, "loss")
        assert [point.step for point in losses] == list(range(50))
        assert {"rst.gif", "rst.png", "weights.csv"} <= {
            entry.path for entry in client(clone).list_artifacts(run.info.run_id)
        }
        assert run.data.tags["mlflow.source.type"] == "PROJECT"
    assert slow.data.metrics["loss"] != fast.data.metrics["loss"]


def test_stages_are_entry_points_of_their_own(clone: Path) -> None:
    local = ("--env-manager", "local")
    first = mlflow_run(clone, *local, "-e", "generate", "-P", "samples=30").info.run_id
    for stage in (("train", "-P", "epochs=40"), ("evaluate",), ("animate",)):
        run = mlflow_run(clone, *local, "-e", *stage, "--run-id", first)
    assert run.info.run_id == first
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test_rmse"] > 0
    assert "rst.gif" in [entry.path for entry in client(clone).list_artifacts(first)]


def test_an_old_run_is_filmed_into_a_new_one_or_into_itself(clone: Path) -> None:
    local = ("--env-manager", "local")
    old = trained(clone, "--name", "old")
    again = ("-e", "animate", "-P", f"run={old.info.run_id}", "-P", "fps=10")
    new = mlflow_run(clone, *local, *again)
    assert new.info.run_id != old.info.run_id
    assert new.info.run_name == "old-animate"
    assert tags_of(new)["fitreel.source_run"] == old.info.run_id
    assert new.data.params["fps"] == "10"
    film = client(clone).download_artifacts(new.info.run_id, "rst.gif")
    assert iio.immeta(film)["duration"] == 100
    mlflow_run(clone, *local, "-e", "animate", "-P", "fps=10", "--run-id", old.info.run_id)
    film = client(clone).download_artifacts(old.info.run_id, "rst.gif")
    assert iio.immeta(film)["duration"] == 100


def test_another_training_on_the_same_points_is_a_new_run(clone: Path) -> None:
    local = ("--env-manager", "local")
    old = trained(clone)
    again = ("-e", "train", "-P", f"run={old.info.run_id}", "-P", "lr=0.3", "-P", "epochs=40")
    new = mlflow_run(clone, *local, *again)
    assert tags_of(new)["fitreel.dataset_sha256"] == tags_of(old)["fitreel.dataset_sha256"]
    assert new.data.params["samples"] == "30"
    found = mlflow_run(clone, *local, "-e", "evaluate", "--run-id", new.info.run_id)
    assert "test_rmse" in found.data.metrics
    assert "noise_floor" in found.data.params


def test_runs_are_compared_in_a_new_run(clone: Path, tmp_path: Path) -> None:
    """Lists, spaces and quotes pass unchanged through the shell that MLflow uses."""
    compare = ("--env-manager", "local", "-e", "compare")
    store, out = client(clone), tmp_path / "it's here"
    ids = [trained(clone, "--lr", lr).info.run_id for lr in ("0.1", "0.2")]
    named = mlflow_run(clone, *compare, "-P", f"runs={ids[1]} {ids[0]}", "-P", f"out={out}")
    assert json.loads(tags_of(named)["fitreel.compared_runs"]) == [ids[1], ids[0]]
    assert named.info.run_name == "compare-2-runs"
    assert sorted(path.name for path in out.iterdir()) == sorted(
        entry.path for entry in store.list_artifacts(named.info.run_id)
    )
    for run in ids:
        store.set_tag(run, "asked", 'by "me"')
    chosen = ("-P", "filter=tags.asked = 'by \"me\"'", "-P", "best=2", "-P", "metric=test_r2")
    elsewhere = ("-P", "experiment=Default", "--experiment-name", "comparisons")
    found = mlflow_run(clone, *compare, *chosen, *elsewhere, experiment="comparisons")
    assert set(json.loads(tags_of(found)["fitreel.compared_runs"])) == set(ids)
    assert found.data.params.items() >= {("best", "2"), ("metric", "test_r2")}


def test_a_sweep_is_an_entry_point(clone: Path) -> None:
    """The search space, with blanks and bars, also passes through the shell."""
    space = "lr=log:0.01:0.1 activation=relu|tanh"
    few = ("-P", "trials=6", "-P", "epochs=20", "-P", f"space={space}", "-P", "prune=on")
    parent = mlflow_run(
        clone, "--env-manager", "local", "-e", "sweep", *few, "--experiment-name", "swept",
        experiment="swept",
    )  # fmt: skip
    found = [run for run in runs(clone, "swept") if "fitreel.trial" in tags_of(run)]
    assert parent.data.params.items() >= {("trials", "6"), ("prune", "on")}
    assert parent.data.tags["fitreel.override.space"] == space  # MLflow has quoted the param
    assert parent.info.status == "FINISHED"
    assert len(found) == 6
    assert {run.data.params["activation"] for run in found} == {"relu", "tanh"}
    assert {run.data.tags["mlflow.parentRunId"] for run in found} == {parent.info.run_id}


def test_a_bad_parameter_leaves_the_run_failed(clone: Path) -> None:
    done = subprocess.run(
        ["mlflow", "run", ".", "--env-manager", "local", "-P", "lr=fast"],
        cwd=clone,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "fitreel: Invalid value for '--lr': 'fast' is not a valid float" in done.stderr
    assert runs(clone)[0].info.status == "FAILED"


def find_links() -> str:
    """Return pip's configured places for wheels, for uv."""
    pip = [sys.executable, "-m", "pip", "config", "get", "global.find-links"]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    return done.stdout.strip() or os.environ.get("PIP_FIND_LINKS", "")


@pytest.mark.parametrize(
    "manager",
    [
        pytest.param("uv", marks=pytest.mark.needs("pinned python")),
        pytest.param("virtualenv", marks=[pytest.mark.needs("pyenv"), pytest.mark.torture]),
    ],
)
def test_an_environment_made_from_the_pins_runs_the_project(
    clone: Path, tmp_path: Path, manager: str, torture: bool
) -> None:
    before = len(runs(clone))
    where = {"MLFLOW_ENV_ROOT": str(tmp_path)}
    if links := find_links():
        where["UV_FIND_LINKS"] = links
    times = 2 if torture else 1  # the second run uses the existing environment
    for _ in range(times):
        run = mlflow_run(clone, "--env-manager", manager, *SHORT, **where)
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.project.env"] == manager
    assert len(runs(clone)) == before + times
    assert run.data.metrics["loss"] > 0


def test_a_table_passes_through_undeclared(clone: Path, tmp_path: Path) -> None:
    """Its options have no default that MLproject could declare; others get those of tables."""
    rows = "\n".join(f"{x},{x * 0.3 + x % 3}" for x in range(40))
    (tmp_path / "sales.csv").write_text(f"day,sales\n{rows}\n")
    mlflow_run(
        clone,
        *("-P", f"data={tmp_path / 'sales.csv'}", "-P", "target=sales", "-P", "test_size=0.25"),
        *("-P", "epochs=20", "-P", "player=off", "--experiment-name", "sales"),
        *("--env-manager", "local"),
        experiment="sales",
    )
    (run,) = runs(clone, "sales")
    assert run.data.params["test_size"] == "0.25"
    assert "ridge_test_rmse" in run.data.metrics
    note = run.data.tags["mlflow.note.content"]
    assert "--target sales --test-size 0.25 --epochs 20" in note
    assert "optimizer `adam`" in note
