"""The command line as a user types it, against a real store in the test's own directory."""

import csv
import json
import socket
import subprocess
from pathlib import Path

import imageio.v3 as iio
import mlflow
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.conftest import ROOT, Command, environment, free_port, on_terminal
from tests.faults import ARTIFACTS
from tests.stored import tags_of

SHORT = ("--epochs", "40", "--samples", "30")


def store(directory: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{directory}/mlflow.db")


def runs(directory: Path) -> list[Run]:
    client = store(directory)
    experiments = [each.experiment_id for each in client.search_experiments()]
    return list(client.search_runs(experiments))


def files(directory: Path, run_id: str) -> set[str]:
    client, found, folders = store(directory), set[str](), [""]
    while folders:
        for entry in client.list_artifacts(run_id, folders.pop() or None):
            folders.append(entry.path) if entry.is_dir else found.add(entry.path)
    return found


def test_run_does_all_four_stages_in_one_run(bare_fitreel: Command, tmp_path: Path) -> None:
    done = bare_fitreel("run", *SHORT, "--name", "first")
    assert done.returncode == 0, done.stderr
    (run,) = runs(tmp_path)
    assert done.stdout == f"{run.info.run_id}\n"
    assert (run.info.status, run.info.run_name) == ("FINISHED", "first")
    assert run.data.params == {
        "samples": "30",
        "function": "quadratic",
        "noise": "0.2",
        "x_min": "-1.0",
        "x_max": "1.0",
        "data_seed": "0",
        "hidden": "20",
        "activation": "relu",
        "optimizer": "sgd",
        "lr": "0.1",
        "epochs": "40",
        "seed": "72",
        "frame_every": "5",
        "batch_size": "0",
        "loss": "mse",
        "weight_decay": "0.0",
        "patience_epochs": "0",
        "checkpoint_every": "500",
        "live": "off",
        "pace": "0.0",
        "test_samples": "1000",
        "noise_floor": "0.057735",
        "fps": "20",
        "format": "gif",
        "max_frames": "400",
        "player": "on",
        "log_images": "0",
    }
    assert files(tmp_path, run.info.run_id) == ARTIFACTS
    points = store(tmp_path).get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in points] == list(range(40))
    folder = Path(store(tmp_path).download_artifacts(run.info.run_id, ""))
    rows = list(csv.DictReader((folder / "training/history.csv").read_text().splitlines()))
    assert [float(row["loss"]) for row in rows] == pytest.approx([p.value for p in points])
    assert len(iio.imread(folder / "rst.gif")) == 9
    assert "fitreel run --samples 30 --epochs 40" in run.data.tags["mlflow.note.content"]
    assert "(activation): ReLU()" in done.stderr
    assert (folder / "network.txt").read_text() in done.stderr
    assert "test_rmse" in done.stderr
    assert f"player: {folder / 'player.html'}\n" in done.stderr
    assert f"in MLflow: fitreel open {run.info.run_id} --ui\n" in done.stderr
    assert "\x1b" not in done.stderr  # no progress bar, no colours in a pipe
    assert "Warning" not in done.stderr


def test_stages_are_chained_through_the_run_id(fitreel: Command, tmp_path: Path) -> None:
    (run_id,) = fitreel("generate", "--samples", "30").stdout.split()
    assert runs(tmp_path)[0].info.run_name == "quadratic30-noise0.2"
    for stage in (("train", "--epochs", "40"), ("evaluate",), ("animate", "--format", "mp4")):
        done = fitreel(*stage, "--run", run_id)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{run_id}\n"
    (run,) = runs(tmp_path)
    assert run.info.run_name == "quadratic30-noise0.2-relu20-sgd-lr0.1-e40"
    assert {"rst.png", "rst.mp4", "weights.csv"} <= files(tmp_path, run_id)
    assert run.info.status == "FINISHED"

    # The same experiment in one command has the same losses and errors.
    (again_id,) = fitreel("run", *SHORT).stdout.split()
    again = store(tmp_path).get_run(again_id)
    assert results(again) == results(run)


def results(run: Run) -> dict[str, float]:
    """Return the metrics of a run without the seconds of its stages."""
    metrics: dict[str, float] = run.data.metrics
    return {name: value for name, value in metrics.items() if not name.startswith("system/")}


def test_the_shell_line_of_the_readme(tmp_path: Path) -> None:
    line = "RUN=$(fitreel generate --samples 9) && fitreel train --epochs 5 --run $RUN"
    subprocess.run(["bash", "-c", line], cwd=tmp_path, env=environment(), check=True)
    assert len(runs(tmp_path)) == 1


def test_an_old_run_can_be_filmed_again(fitreel: Command, tmp_path: Path) -> None:
    (run_id,) = fitreel("run", *SHORT).stdout.split()
    assert fitreel("animate", "--run", run_id, "--max-frames", "3").returncode == 0
    film = Path(store(tmp_path).download_artifacts(run_id, "rst.gif"))
    assert len(iio.imread(film)) == 3
    run = store(tmp_path).get_run(run_id)
    assert run.data.params["max_frames"] == "400"  # params cannot change …
    assert run.data.tags["fitreel.override.max_frames"] == "3"  # … so a tag replaces it


def test_options_select_experiment_and_store(fitreel: Command, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/else/where.db"
    (run_id,) = fitreel("generate", "--experiment", "rates", "--tracking-uri", uri).stdout.split()
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("rates")
    assert experiment is not None
    assert client.get_run(run_id).info.experiment_id == experiment.experiment_id
    done = fitreel("train", "--epochs", "3", "--run", run_id, MLFLOW_TRACKING_URI=uri)
    assert done.returncode == 0, done.stderr


def test_a_training_that_diverges_keeps_its_results(fitreel: Command, tmp_path: Path) -> None:
    done = fitreel("run", "--lr", "1000")
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["run", "fitreel:"]
    assert "no longer finite at epoch" in done.stderr
    assert "lower lr (it is 1000)" in done.stderr
    (run,) = runs(tmp_path)
    epoch = int(tags_of(run)["fitreel.diverged_epoch"])
    assert run.info.status == "FAILED"
    assert f"at epoch {epoch};" in done.stderr
    points = store(tmp_path).get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in points] == list(range(epoch))
    assert "training/history.csv" in files(tmp_path, run.info.run_id)


BAD_OPTIONS = [
    (["run", "--lr", "nan"], "lr must be finite; got nan"),
    (["run", "--lr", "1e400"], "lr must be finite; got inf"),
    (["run", "--lr", "-1"], "lr must be above 0, at most 1e+06; got -1.0"),
    (["run", "--lr", "fast"], "Invalid value for '--lr': 'fast' is not a valid float"),
    (["train", "--epochs", "1.5"], "Invalid value for '--epochs': '1.5' is not a valid int"),
    (["train", "--hidden", "0"], "hidden must be from 1 to 4,096; got 0"),
    (["generate", "--function", "root"], "function must be one of quadratic, sine, cubic, step"),
    (["generate", "--samples", "1"], "samples must be from 2 to 1,000,000; got 1"),
    (["generate", "--x-min", "1"], "x_min must be below x_max; got 1.0 and 1.0"),
    (["animate", "--fps", "0"], "fps must be from 1 to 50; got 0"),
    (["animate", "--format", "webp"], "format must be one of gif, mp4; got 'webp'"),
    (
        ["run", "--live", "maybe"],
        "live must be one of off, on, window, browser, terminal; got 'maybe'",
    ),
    (["run", "--learning-rate", "9"], "there is no option --learning-rate; did you mean --lr?"),
    (["train", "--Frame_Every", "9"], "there is no option --Frame_Every; did you mean --frame-ev"),
    (["run", "--xyzzy", "9"], "there is no option --xyzzy; see fitreel run --help"),
    (["fly"], "No such command 'fly'"),
    ([], "no command given; see fitreel --help"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_OPTIONS)
def test_an_invalid_option_is_reported_before_anything_starts(
    bare_fitreel: Command, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = bare_fitreel(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fitreel: {message}")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Create a directory with one run that has only points."""
    directory = tmp_path_factory.mktemp("generated")
    done = subprocess.run(
        ["fitreel", "generate"],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return directory, done.stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "there is no run to read from; name one with --run"),
        (["train", "--run", "nowhere"], "there is no run 'nowhere' in sqlite:///"),
        (["generate", "--run", "RUN"], "run RUN has points already; leave out --run"),
        (["run", "--run", "RUN"], "run RUN is an experiment already; leave out --run"),
        (["evaluate", "--run", "RUN"], "run RUN has no weights.safetensors; log it first: fitreel"),
        (["animate", "--run", "RUN"], "run RUN has no training/history.csv; log it first: fitreel"),
        (["train", "--run", "RUN", "--experiment", "other"], "run RUN is in another experiment"),
        (
            ["train", "--run", "RUN", "--live", "window"],
            "no window can be opened (matplotlib chose",
        ),
    ],
)
def test_an_unsuitable_run_is_reported_and_stays_unchanged(
    generated: tuple[Path, str], arguments: list[str], message: str
) -> None:
    directory, run_id = generated
    before = runs(directory)
    headless = environment()
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND"):
        headless.pop(name, None)
    done = subprocess.run(
        ["fitreel", *(run_id if word == "RUN" else word for word in arguments)],
        cwd=directory,
        env=headless,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fitreel: {message.replace('RUN', run_id)}")
    assert done.stderr.count("\n") == 1
    assert [(run.info.run_id, run.info.status) for run in runs(directory)] == [
        (run.info.run_id, "FINISHED") for run in before
    ]


def test_a_run_is_trained_once(fitreel: Command) -> None:
    (run_id,) = fitreel("run", *SHORT).stdout.split()
    done = fitreel("train", "--run", run_id, "--lr", "0.2")
    assert done.returncode == 2
    assert done.stderr.startswith(f"fitreel: run {run_id} is trained already; if its training was")


def test_damaged_artifacts_are_named(fitreel: Command, tmp_path: Path) -> None:
    (run_id,) = fitreel("run", *SHORT).stdout.split()
    folder = Path(store(tmp_path).download_artifacts(run_id, ""))
    (folder / "weights.safetensors").write_bytes(b"\x80\x04K\x01.")
    done = fitreel("evaluate", "--run", run_id)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "weights.safetensors is not a file of weights" in done.stderr
    (folder / "data/dataset.csv").write_text("x,y\n1,two\n")
    done = fitreel("animate", "--run", run_id)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "dataset.csv is not a dataset" in done.stderr
    assert store(tmp_path).get_run(run_id).info.status == "FINISHED"


@pytest.mark.parametrize("stage", ["run", "generate", "train", "evaluate", "animate"])
def test_an_unreachable_server_is_reported(
    bare_fitreel: Command, tmp_path: Path, stage: str
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    done = bare_fitreel(stage, "--tracking-uri", uri)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fitreel: tracking server {uri} does not answer ([Errno 111]")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_command_waits_for_a_silent_server(fitreel: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = fitreel("generate", "--tracking-uri", uri, "--patience", "1")
    assert done.returncode == 75
    assert "does not answer (timed out)" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_read_only_directory_is_reported(fitreel: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = fitreel("generate", "--tracking-uri", f"sqlite:///{tmp_path}/file/mlflow.db")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot create the directory of" in done.stderr


def test_a_stage_that_fails_leaves_the_run_failed(fitreel: Command, tmp_path: Path) -> None:
    (run_id,) = fitreel("run", *SHORT).stdout.split()
    done = fitreel("animate", "--run", run_id, "--format", "mp4", IMAGEIO_FFMPEG_EXE="/bin/false")
    assert done.returncode == 2
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["run", "fitreel:"]
    run = store(tmp_path).get_run(run_id)
    assert run.info.status == "FAILED"
    assert run.data.metrics["loss"] > 0


def test_a_progress_bar_shows_on_a_terminal(tmp_path: Path) -> None:
    typed = "fitreel run --epochs 40"
    shows = on_terminal(typed, tmp_path)
    assert "40/40" in shows
    assert "animate" in shows
    assert "9/9" in shows


def test_the_version_is_printed(fitreel: Command) -> None:
    from fitreel import __version__

    assert fitreel("--version").stdout == f"{__version__}\n"


def test_the_module_is_the_same_command() -> None:
    pages = [
        subprocess.run(
            [*command, "run", "--help"],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[2:]
        for command in (["fitreel"], ["python", "-m", "pipeline"])
    ]
    assert pages[0] == pages[1]


def test_a_finished_run_loads_as_a_model(fitreel: Command, tmp_path: Path) -> None:
    (run_id,) = fitreel("run", *SHORT).stdout.split()
    code = (
        "import json, mlflow, pandas;"
        f"model = mlflow.pyfunc.load_model('runs:/{run_id}/model');"
        "print(json.dumps(model.predict(pandas.DataFrame({'x': [-1, 0.5]})).tolist()))"
    )
    done = subprocess.run(
        ["python", "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(json.loads(done.stdout)) == 2
    assert (
        mlflow.__version__
        in (
            Path(store(tmp_path).get_run(run_id).info.artifact_uri or "").parent.parent
            / "models"
            / (store(tmp_path).search_logged_models(["0"])[0].model_id)
            / "artifacts/requirements.txt"
        ).read_text()
    )
