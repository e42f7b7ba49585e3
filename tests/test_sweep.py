"""A sweep from its command to its runs: every trial once, and the results."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import mlflow.pyfunc
import numpy as np
import optuna
import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from PIL import Image

from fitreel.training.files import load_weights
from pipeline.resume import COMMANDS, or_resume, resume
from pipeline.shared.session import Session, Target
from pipeline.sweep import sweep
from tests import processes
from tests.conftest import BIN, Command, environment, on_terminal
from tests.faults import client, runs
from tests.stored import tags_of

SPACE = ("--space", "lr=log:1e-3:0.5", "--space", "hidden=int:2:20 activation=relu|tanh")
SHORT = ("sweep", "--epochs", "60", "--trials", "24", "--round-size", "8", *SPACE)


def split(found: list[Run]) -> tuple[Run, dict[int, Run]]:
    """Return the only sweep, and its trials by number, each stored once."""
    (parent,) = [run for run in found if tags_of(run).get("fitreel.kind") == "sweep"]
    below = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    trials = {int(tags_of(run)["fitreel.trial"]): run for run in below}
    assert len(below) == len(trials)
    return parent, trials


def stored_study(directory: Path, sweep: Run) -> optuna.Study:
    """Return the study of a sweep as Optuna's own tools read it."""
    storage = JournalStorage(JournalFileBackend(str(directory / "optuna.log")))
    return optuna.load_study(study_name=f"fitreel-{sweep.info.run_id}", storage=storage)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a directory with a finished sweep."""
    path = tmp_path_factory.mktemp("swept")
    arguments = (*SHORT, "--sampler", "tpe", "--prune", "on", "--seed", "3")
    code, output, errors = processes.run(*arguments, directory=path, FITREEL_SPOOL=f"{path}/spool")
    assert code == 0, errors
    assert not list(path.glob("spool/*/journal"))
    assert split(runs(client(path)))[0].info.run_id == output.strip()
    return path


def test_every_trial_is_a_run_below_the_sweep(directory: Path) -> None:
    store = client(directory)
    parent, trials = split(runs(store))
    assert sorted(trials) == list(range(24))
    ends = {"finished": 0, "pruned": 0}
    for number, run in trials.items():
        assert run.info.status == "FINISHED"
        assert run.data.params.items() >= {("epochs", "60"), ("seed", "3"), ("noise", "0.2")}
        settings = run.data.params
        assert run.info.run_name == (
            f"{number}-{settings['activation']}{settings['hidden']}-sgd-"
            f"lr{float(settings['lr']):g}-e60-seed3"
        )
        steps = sorted(p.step for p in store.get_metric_history(run.info.run_id, "loss"))
        pruned = tags_of(run).get("fitreel.pruned_epoch")
        assert steps == list(range(int(pruned or 60)))
        ends["pruned" if pruned else "finished"] += 1
        measured = {"loss", "train_rmse", "test_rmse", "test_r2", "dead_neurons"}
        assert run.data.metrics.keys() == measured
        outcomes = {"pruned"} if pruned else {None, "nothing learned"}
        assert tags_of(run).get("fitreel.outcome") in outcomes
        weights = Path(store.download_artifacts(run.info.run_id, "weights.safetensors"))
        assert len(load_weights(weights).bias) == int(settings["hidden"])
    assert ends == {"finished": 3, "pruned": 21}  # three rounds, each with a best trial
    assert json.loads(tags_of(parent)["fitreel.ends"]) == ends | {"diverged": 0}


def test_the_sweep_has_its_results(directory: Path, tmp_path: Path) -> None:
    store = client(directory)
    parent, trials = split(runs(store))
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "sweep-lr-hidden-activation-tpe-24"
    finished = [run for run in trials.values() if "fitreel.pruned_epoch" not in tags_of(run)]
    best = min(finished, key=lambda run: run.data.metrics["test_rmse"])
    assert tags_of(parent)["fitreel.best_trial"] == tags_of(best)["fitreel.trial"]
    for name in ("lr", "hidden", "activation"):
        assert name not in parent.data.params
    for name in ("train_rmse", "test_rmse", "test_r2", "dead_neurons"):
        assert parent.data.metrics[name] == best.data.metrics[name]
    assert parent.data.params.items() >= {("sampler", "tpe"), ("trials", "24"), ("epochs", "60")}
    assert "storage" not in parent.data.params
    files = {each.path for each in store.list_artifacts(parent.info.run_id)}
    assert files >= {"trials.csv", "best.gif", "sweep.html", "weights.safetensors", "data"}
    note = parent.data.tags["mlflow.note.content"]
    assert f"|{tags_of(best)['fitreel.trial']}&emsp;|" in note
    assert f"![best.gif](get-artifact?path=best.gif&run_uuid={parent.info.run_id})" in note

    table = Path(store.download_artifacts(parent.info.run_id, "trials.csv", str(tmp_path)))
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["trial"]) for row in rows] == list(range(24))
    for row in rows:
        run = trials[int(row["trial"])]
        assert row["run"] == run.info.run_name
        assert row["lr"] == run.data.params["lr"]
        assert float(row["test_rmse"]) == run.data.metrics["test_rmse"]

    predict = mlflow.pyfunc.load_model(model(store, parent))
    assert np.isfinite(predict.predict(pd.DataFrame({"x": [0.0, 0.5]}))).all()


def model(store: MlflowClient, run: Run) -> str:
    (found,) = store.search_logged_models(
        [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
    )
    return str(found.artifact_location)


def test_the_film_shows_the_best_in_step(directory: Path, tmp_path: Path) -> None:
    store = client(directory)
    parent, trials = split(runs(store))
    film = store.download_artifacts(parent.info.run_id, "best.gif", str(tmp_path))
    frames = iio.imread(film)
    assert len(frames) == 13  # every fifth of 60 epochs, and the trained network
    red = (frames[..., 0] > 200) & (frames[..., 1] < 60) & (frames[..., 2] < 60)
    assert red.sum(axis=(1, 2)).min() > 500
    filmed = [number for number, run in trials.items() if "fitreel.filmed" in tags_of(run)]
    finished = [
        number for number, run in trials.items() if "fitreel.pruned_epoch" not in tags_of(run)
    ]
    assert sorted(filmed) == sorted(finished)


def test_the_study_is_one_of_optuna(directory: Path) -> None:
    store = client(directory)
    parent, trials = split(runs(store))
    study = stored_study(directory, parent)
    assert len(study.trials) == 24
    assert study.best_trial.number == int(tags_of(parent)["fitreel.best_trial"])
    assert study.best_value == parent.data.metrics["test_rmse"]
    for trial in study.trials:
        run = trials[trial.number]
        assert {name: str(value) for name, value in trial.params.items()} == {
            name: run.data.params[name] for name in trial.params
        }


@pytest.mark.parametrize("words", [["studies"], ["trials", "--study-name", "fitreel-{run_id}"]])
def test_optunas_command_reads_the_study(directory: Path, words: list[str]) -> None:
    parent, _ = split(runs(client(directory)))
    words = [word.format(run_id=parent.info.run_id) for word in words]
    done = subprocess.run(
        [BIN / "optuna", "--storage", "optuna.log", *words],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == {"studies": 1, "trials": 24}[words[0]] + 1, done.stdout


def test_the_best_trials_are_compared_and_filmed_like_any_run(directory: Path) -> None:
    options = ("--best", "3", "--with-trials", "on")
    code, output, errors = processes.run(
        "compare", *options, directory=directory, FITREEL_SPOOL=f"{directory}/spool"
    )
    assert code == 0, errors
    store = client(directory)
    parent, trials = split(runs(store))
    ranked = sorted(
        (run for run in trials.values() if "test_rmse" in run.data.metrics),
        key=lambda run: run.data.metrics["test_rmse"],
    )
    # Pruned trials have no film.
    lost = sum("fitreel.filmed" not in tags_of(run) for run in ranked[:3])
    assert re.findall("left out: (.) of the best 3", errors) == ([str(lost)] if lost else [])
    best = int(tags_of(parent)["fitreel.best_trial"])
    (trial,) = [run for run in runs(store) if tags_of(run).get("fitreel.trial") == str(best)]
    assert trial.info.run_id in tags_of(store.get_run(output.strip()))["fitreel.compared_runs"]
    code, _, errors = processes.run(
        "animate",
        "--run",
        trial.info.run_id,
        directory=directory,
        FITREEL_SPOOL=f"{directory}/spool",
    )
    assert code == 0, errors
    assert "rst.gif" in [each.path for each in store.list_artifacts(trial.info.run_id)]


def test_commands_that_a_trial_or_sweep_does_not_allow_are_an_error_in_one_line(
    directory: Path,
) -> None:
    parent, trials = split(runs(client(directory)))
    pruned = next(run for run in trials.values() if "fitreel.pruned_epoch" in tags_of(run))
    parent_id, trial = parent.info.run_id, pruned.info.run_id
    messages = {
        ("evaluate", "--run", parent_id): f"run {parent_id} is a sweep, not an experiment",
        ("train", "--run", parent_id): f"run {parent_id} is a sweep, not an experiment",
        ("animate", "--run", trial): "films only the best 9 of its trials; train it alone",
        ("reproduce", trial): f"run {trial} is a trial of a sweep: it was trained in a stack",
    }
    for command, text in messages.items():
        code, output, errors = processes.run(
            *command, directory=directory, FITREEL_SPOOL=f"{directory}/spool"
        )
        assert (code, output, errors.count("\n")) == (2, "", 1), errors
        assert text in errors
    assert tags_of(client(directory).get_run(parent_id)) == tags_of(parent)


def test_the_note_has_the_command_that_repeats_the_sweep(directory: Path, tmp_path: Path) -> None:
    parent, trials = split(runs(client(directory)))
    note = parent.data.tags["mlflow.note.content"]
    (line,) = [line.strip() for line in note.splitlines() if line.startswith("    fitreel sweep")]
    done = subprocess.run(
        line,
        shell=True,
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout
    again = split(runs(client(tmp_path)))[1]
    first = range(8)  # later choices of tpe may depend on the last bit of a sum
    assert len(again) == len(trials)
    for n in first:
        # A test above animated one of the first trials, which logged its settings.
        assert again[n].data.params.items() <= trials[n].data.params.items()


def test_sweep_resume_is_the_command_resume(
    fitreel: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[tuple[Any, ...]]()
    monkeypatch.setattr(
        "pipeline.resume.resume_run",
        lambda *arguments, as_json: calls.append((*arguments, as_json)),
    )
    target = Target(tracking_uri="sqlite:///a.db", patience=3)
    resume("someone", as_json=True, tracking_uri="sqlite:///a.db", patience=3)
    or_resume(sweep)(session=Session(target, as_json=True), resume="someone")
    assert calls == [("someone", target, COMMANDS, True)] * 2
    run = fitreel("generate").stdout.strip()
    done = fitreel("sweep", "--resume", run)
    assert (done.returncode, done.stdout) == (0, f"{run}\n")
    for bad, text in (("no/id", "there is no run 'no/id'"), ("0" * 32, "there is no run")):
        done = fitreel("sweep", "--resume", bad)
        assert done.returncode == 2
        assert text in done.stderr


BAD = {
    "space: a sweep varies": ("--space", "speed=1|2"),
    "space: lr needs LOW below HIGH": ("--space", "lr=log:1:0.1"),
    "space: lr: a log scale starts above 0": ("--space", "lr=log:0:0.1"),
    "space: lr has an empty choice": ("--space", "lr=0.1||0.2"),
    "space: the grid has 1,000,000,000 points": (
        "--sampler",
        "grid",
        "--space",
        "lr=float:0.1:0.2:1000 seed=int:1:1000 hidden=int:1:1000",
    ),
    "Invalid value for '--trials': trials must be from 1 to 1,000,000": ("--trials", "0"),
    "device must be as torch names it": ("--device", "my gpu"),
    "storage": ("--storage", "sqlite://"),
}


@pytest.mark.parametrize("text", BAD)
def test_an_invalid_option_is_an_error_in_one_line_before_anything_starts(
    bare_fitreel: Command, tmp_path: Path, text: str
) -> None:
    done = bare_fitreel("sweep", *BAD[text], FITREEL_SPOOL=str(tmp_path / "spool"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert text.partition("Invalid")[0] in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_optuna_the_extra_is_named(bare_fitreel: Command, tmp_path: Path) -> None:
    (tmp_path / "optuna.py").write_text("raise ModuleNotFoundError('none', name='optuna')")
    done = bare_fitreel("sweep", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == "fitreel: a sweep needs optuna: pip install 'fitreel[sweep]'\n"
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize("device", ["cuda:9", "meta"])
def test_a_device_that_cannot_train_is_an_error(
    fitreel: Command, tmp_path: Path, device: str
) -> None:
    done = fitreel("sweep", "--device", device)
    assert done.returncode == 2
    assert done.stderr.startswith(f"fitreel: device '{device}' cannot be used: ")
    assert done.stderr.count("\n") == 1
    assert not runs(client(tmp_path))


CRAMPED = """
import resource, sys
from pathlib import Path
import fitreel.pictures.figures, fitreel.sweep.pictures.figure
import fitreel.sweep.rounds, fitreel.sweep.study
import fitreel.tracking, matplotlib.backends.backend_agg, pipeline.app
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + 600_000_000
resource.setrlimit(resource.RLIMIT_AS, (most, most))
sys.argv = ["fitreel", "sweep", "--trials", "64", "--samples", "300000", "--epochs", "2"]
pipeline.app.main()
"""


def test_a_round_that_is_too_large_for_the_memory_is_an_error_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRAMPED],
        cwd=tmp_path,
        env=environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "fitreel: the memory is full: device 'cpu' has too little memory for a round of 64 trials; "
        "choose a smaller --round-size"
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("storage", ["sqlite:////nowhere/at/all.db", "/nowhere/at/all.log"])
def test_a_study_that_cannot_be_stored_is_an_error_in_one_line(
    fitreel: Command, tmp_path: Path, storage: str
) -> None:
    done = fitreel("sweep", "--trials", "3", "--storage", storage)
    assert done.returncode == 2
    assert done.stderr.startswith("fitreel: the study cannot be stored: ")
    assert done.stderr.count("\n") == 1
    assert not runs(client(tmp_path))


def test_a_sweep_fails_if_all_trials_diverge(fitreel: Command, tmp_path: Path) -> None:
    done = fitreel("sweep", "--trials", "4", "--epochs", "50", "--space", "lr=float:9e5:1e6")
    assert done.returncode == 1
    why = "fitreel: none of 4 trials finished, 4 diverged; lower the rates of --space"
    assert done.stderr.splitlines()[-1] == why
    parent, trials = split(runs(client(tmp_path)))
    assert parent.info.status == "FAILED"
    assert json.loads(tags_of(parent)["fitreel.ends"])["diverged"] == 4
    assert "trials.csv" in [
        each.path for each in client(tmp_path).list_artifacts(parent.info.run_id)
    ]
    for run in trials.values():
        assert run.info.status == "FAILED"
        assert tags_of(run)["fitreel.outcome"] == "diverged"
        assert 0 < int(tags_of(run)["fitreel.diverged_epoch"]) < 50


def test_a_metric_that_is_not_a_number_is_an_error(fitreel: Command, tmp_path: Path) -> None:
    """If all y are equal, r2 is 0 / 0."""
    step = ("--function", "step", "--x-min", "0", "--noise", "0")
    equal = (*step, "--epochs", "20", "--metric", "test_r2")
    done = fitreel("sweep", *equal, "--space", "seed=0|1|2|3", "--trials", "4")
    assert done.returncode == 1
    assert done.stderr.partition("\n")[2] == (
        "fitreel: test_r2 is not a number in 4 finished trials; choose another --metric\n"
    )
    assert split(runs(client(tmp_path)))[0].info.status == "FAILED"


def test_the_trial_of_a_sweep_of_one_has_a_film(fitreel: Command, tmp_path: Path) -> None:
    done = fitreel("sweep", "--trials", "1", "--epochs", "20")
    assert done.returncode == 0, done.stderr
    store = client(tmp_path)
    parent, _ = split(runs(store))
    film = store.download_artifacts(parent.info.run_id, "best.gif")
    with Image.open(film) as picture:
        assert picture.size == (640, 480)


def test_a_terminal_shows_trials_rate_and_the_best(tmp_path: Path) -> None:
    command = "fitreel sweep --trials 40 --epochs 200 --round-size 10"
    shows = on_terminal(command, tmp_path, COLUMNS="120")
    assert "40/40" in shows
    assert "trials/s" in shows
    assert "best test_rmse 0.0" in shows
