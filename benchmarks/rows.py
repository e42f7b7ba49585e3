"""The rows: what is measured against what, and the goal that was set for it."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fitreel
from benchmarks import alternatives
from benchmarks.timing import Side, seconds
from fitreel.checkpoints import Checkpoints
from fitreel.journal import Journal

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
FITREEL, MLFLOW, PYTHON = str(BIN / "fitreel"), str(BIN / "mlflow"), sys.executable
# The same for both sides: Python's and MLflow's defaults, no window, no message to MLflow's makers.
ENVIRONMENT = {
    **{key: os.environ[key] for key in os.environ if not key.startswith(("MLFLOW_", "PYTHON"))},
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MPLBACKEND": "Agg",
    "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
}
FILM = "rst.gif"
Prepare = Callable[[Path, Path], tuple[Side, Side]]  # gets a directory of its own for each side


@dataclass(frozen=True)
class Row:
    """Say what is compared; ``faster`` tells a least speed-up from a most share of the time."""

    what: str
    against: str
    goal: float
    faster: bool
    compared: str
    prepare: Prepare
    writes_film: bool = False  # then its file is to be the smaller one, too


def process(command: Sequence[str], directory: Path) -> None:
    """Run a command to its end; what it said becomes part of the error if it fails."""
    # MLflow leaves temporary directories behind.
    environment = ENVIRONMENT | {"TMPDIR": str(directory)}
    try:
        subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr.decode())
        raise


def processes(ours: Sequence[str], theirs: Sequence[str]) -> Prepare:
    def prepare(here: Path, there: Path) -> tuple[Side, Side]:
        return (
            lambda: seconds(lambda: process(ours, here)),
            lambda: seconds(lambda: process(theirs, there)),
        )

    return prepare


def projects(here: Path, there: Path) -> tuple[Side, Side]:
    """Copy both projects, so that database and artifacts stay out of this one."""
    root = HERE.parent
    for name in ("MLproject", "conda.yaml"):
        shutil.copy(root / name, here)
    for name in ("pipeline", "src"):
        shutil.copytree(root / name, here / name)
    shutil.copytree(HERE / "conventional", there, dirs_exist_ok=True)
    command = [MLFLOW, "run", ".", "--env-manager", "local"]
    return processes(command, command)(here, there)


def gifs(theirs: Callable[[fitreel.Dataset, fitreel.History, Path], None]) -> Prepare:
    def prepare(here: Path, there: Path) -> tuple[Side, Side]:
        dataset, history = trained()
        return (
            lambda: seconds(lambda: fitreel.render(dataset, history, here / FILM)),
            lambda: seconds(lambda: theirs(dataset, history, there / FILM)),
        )

    return prepare


@functools.cache
def trained() -> tuple[fitreel.Dataset, fitreel.History]:
    dataset = fitreel.generate()
    return dataset, fitreel.fit(dataset).history


def trainings(here: Path, there: Path) -> tuple[Side, Side]:  # noqa: ARG001
    tracker = fitreel.Tracker(f"sqlite:///{here / 'mlflow.db'}")
    dataset = fitreel.generate()
    settings = fitreel.TrainingSettings()

    def ours() -> float:
        with tracker.run() as run:
            opened = time.perf_counter()
            checkpoints = run.checkpoints(settings, fitreel.CheckpointSettings().checkpoint_every)
            with checkpoints.keeping():
                fitreel.fit(dataset, settings, lambda e, _, now: checkpoints.on_epoch(e, now))
        return time.perf_counter() - opened

    return ours, lambda: seconds(lambda: alternatives.bare_loop(dataset))


def checkpoints(here: Path, there: Path) -> tuple[Side, Side]:  # noqa: ARG001
    dataset = fitreel.generate()
    settings = fitreel.TrainingSettings(epochs=10_000)
    every = fitreel.CheckpointSettings().checkpoint_every

    def ours() -> float:
        journal = Journal(Path(tempfile.mkdtemp(dir=here)))
        kept = Checkpoints(journal, settings, every)

        def kept_fit() -> None:
            with kept.keeping():
                fitreel.fit(dataset, settings, lambda epoch, _, now: kept.on_epoch(epoch, now))

        took = seconds(kept_fit)
        journal.remove()
        return took

    return ours, lambda: seconds(lambda: fitreel.fit(dataset, settings))


def batches(theirs: Callable[[fitreel.Dataset, list[fitreel.TrainingSettings]], object]) -> Prepare:
    def prepare(here: Path, there: Path) -> tuple[Side, Side]:  # noqa: ARG001
        dataset = fitreel.generate()
        settings = [
            fitreel.TrainingSettings(lr=0.01 * 1.005**place, seed=place % 8) for place in range(512)
        ]
        return (
            lambda: seconds(lambda: fitreel.fit_many(dataset, settings)),
            lambda: seconds(lambda: theirs(dataset, settings)),
        )

    return prepare


ROWS = {
    "run": Row(
        "`fitreel run`",
        "one script, as in the tutorial",
        goal=5,
        faster=True,
        compared="Whole processes. The [script](../benchmarks/naive_script.py) trains the same "
        "network on as many points, calls `mlflow.log_metric` every epoch and redraws the figure "
        "every fifth, writes the gif with `imageio.mimsave` and logs tables, pictures, two test "
        "metrics (ours logs more) and the model, in MLflow's default format and with its "
        "requirements given, so that neither side waits for MLflow to find them out.",
        prepare=processes([FITREEL, "run"], [PYTHON, str(HERE / "naive_script.py")]),
    ),
    "project": Row(
        "`mlflow run . --env-manager local`",
        "a conventional project of four steps",
        goal=5,
        faster=True,
        compared="Whole processes. The [project](../benchmarks/conventional) does the script's "
        "work in the steps generate, train, evaluate and animate; its main entry point starts "
        "each with `mlflow.run`, and they hand on artifacts through MLflow.",
        prepare=projects,
    ),
    "gif-naive": Row(
        "render and write the gif",
        "full redraws and `imageio.mimsave`",
        goal=20,
        faster=True,
        compared="In one process, 200 frames of 640 × 480 pixels. The other side calls the "
        "script's `draw` (`plt.cla()`, points, line, loss, a copy of the buffer) for each "
        "frame, then its `save_gif`. The buffer has four channels; of three Pillow would save "
        "it more slowly. Both get the same history; the other side's frames leave out the epoch "
        "that ours show.",
        prepare=gifs(alternatives.redrawn_gif),
        writes_film=True,
    ),
    "gif-animation": Row(
        "render and write the gif",
        "`FuncAnimation` and `PillowWriter`",
        goal=10,
        faster=True,
        compared="The same film. The other [side](../benchmarks/alternatives.py) makes points, "
        "line and loss once and changes line and loss for each frame.",
        prepare=gifs(alternatives.animated_gif),
        writes_film=True,
    ),
    "training": Row(
        "`fit`, every loss logged to MLflow",
        "the bare loop, nothing logged",
        goal=1.3,
        faster=False,
        compared="In one process, 1000 epochs. Ours ends when losses and status are in the SQLite "
        "store, checkpoints and journal included; opening the run is not counted. The other "
        "[side](../benchmarks/alternatives.py) is `torch.optim.SGD`, `nn.MSELoss`, `zero_grad`, "
        "`backward`, `step` and `loss.item()`.",
        prepare=trainings,
    ),
    "checkpoints": Row(
        "`fit` with checkpoints",
        "`fit` without",
        goal=1.2,
        faster=False,
        compared="In one process, 10,000 epochs. Ours writes losses and frames into a journal and "
        "the state into a checkpoint every 500 epochs, the default; the other side keeps nothing.",
        prepare=checkpoints,
    ),
    "batch-loop": Row(
        "`fit_many`, 512 trainings",
        "a loop of `fit`",
        goal=25,
        faster=True,
        compared="In one process, 1000 epochs each, of different rates and seeds; all losses and "
        "the final weights are kept on both sides, by the loop the weights of 200 frames, too.",
        prepare=batches(alternatives.loop_of_fits),
    ),
    "batch-vmap": Row(
        "`fit_many`, 512 trainings",
        "`torch.func.vmap` over `stack_module_state`",
        goal=3,
        faster=True,
        compared="The same trainings. The other [side](../benchmarks/alternatives.py) is the way "
        "of PyTorch's tutorial on ensembles, with an update by hand.",
        prepare=batches(alternatives.vmapped),
    ),
    "help": Row(
        "`fitreel --help`",
        '`python -c "import typer"`',
        goal=3,
        faster=False,
        compared="Whole processes; a command line with typer must import it first.",
        prepare=processes([FITREEL, "--help"], [PYTHON, "-c", "import typer"]),
    ),
    "overhead": Row(
        "`fitreel run`",
        '`python -c "import torch, mlflow, matplotlib"`',
        goal=1.6,
        faster=False,
        compared="Whole processes; the other side imports what the work needs and does nothing.",
        prepare=processes([FITREEL, "run"], [PYTHON, "-c", "import torch, mlflow, matplotlib"]),
    ),
}
