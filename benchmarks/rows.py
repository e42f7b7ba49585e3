"""The rows: what is compared with what, and the goal of each comparison."""

import functools
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fitreel.settings
import fitreel.tracking
from benchmarks import alternatives, limit, sweeps, viewers
from benchmarks.processes import FITREEL, MLFLOW, PYTHON, process
from benchmarks.timing import Side, seconds
from fitreel.journal.checkpoints import Checkpoints
from fitreel.journal.journal import Journal

HERE = Path(__file__).parent
FILM = "rst.gif"
Prepare = Callable[[Path, Path], tuple[Side, Side]]  # called with a directory for each side


@dataclass(frozen=True)
class Row:
    """What is compared, and its goal.

    The goal is the lowest speed-up if ``faster``, else the largest fraction of the other side's
    time.
    """

    what: str
    against: str
    goal: float
    faster: bool
    compared: str
    prepare: Prepare
    writes_film: bool = False  # if so, ours must also be the smaller file
    pairs: int = 5
    aside: Callable[[], str] | None = None  # measures, once, what is shown below the table
    note: str = ""  # explains the verdict


def processes(ours: Sequence[str], theirs: Sequence[str]) -> Prepare:
    def prepare(here: Path, there: Path) -> tuple[Side, Side]:
        return (
            lambda: seconds(lambda: process(ours, here)),
            lambda: seconds(lambda: process(theirs, there)),
        )

    return prepare


def projects(here: Path, there: Path) -> tuple[Side, Side]:
    """Copy both projects, so that database and artifacts are not written into this one."""
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
    tracker = fitreel.tracking.Tracker(f"sqlite:///{here / 'mlflow.db'}")
    dataset = fitreel.generate()
    settings = fitreel.TrainingSettings()

    def ours() -> float:
        with tracker.run() as run:
            opened = time.perf_counter()
            checkpoints = run.checkpoints(
                settings, fitreel.settings.CheckpointSettings().checkpoint_every
            )
            with checkpoints.keeping():
                fitreel.fit(dataset, settings, lambda e, _, now: checkpoints.on_epoch(e, now))
        return time.perf_counter() - opened

    return ours, lambda: seconds(lambda: alternatives.bare_loop(dataset))


def watched(epochs: int) -> Prepare:
    def prepare(here: Path, there: Path) -> tuple[Side, Side]:  # noqa: ARG001
        dataset, settings = fitreel.generate(), fitreel.TrainingSettings(epochs=epochs)
        return (
            lambda: viewers.watched_seconds(dataset, settings),
            lambda: seconds(lambda: fitreel.fit(dataset, settings)),
        )

    return prepare


def watched_runs(here: Path, there: Path) -> tuple[Side, Side]:
    live = {"BROWSER": viewers.BROWSER}
    return (
        lambda: viewers.train_seconds([FITREEL, "run", "--live", "browser", "--json"], here, live),
        lambda: viewers.train_seconds([FITREEL, "run", "--json"], there, {}),
    )


def checkpoints(here: Path, there: Path) -> tuple[Side, Side]:  # noqa: ARG001
    dataset = fitreel.generate()
    settings = fitreel.TrainingSettings(epochs=10_000)
    every = fitreel.settings.CheckpointSettings().checkpoint_every

    def ours() -> float:
        journal = Journal(Path(tempfile.mkdtemp(dir=here)), create=True)
        kept = Checkpoints(journal, settings, every)

        def kept_fit() -> None:
            with kept.keeping():
                fitreel.fit(dataset, settings, lambda epoch, _, now: kept.on_epoch(epoch, now))

        took = seconds(kept_fit)
        journal.remove()
        return took

    return ours, lambda: seconds(lambda: fitreel.fit(dataset, settings))


def stacks(theirs: Callable[[fitreel.Dataset, list[fitreel.TrainingSettings]], object]) -> Prepare:
    def prepare(here: Path, there: Path) -> tuple[Side, Side]:  # noqa: ARG001
        dataset, settings = fitreel.generate(), stack()
        return (
            lambda: seconds(lambda: fitreel.fit_many(dataset, settings)),
            lambda: seconds(lambda: theirs(dataset, settings)),
        )

    return prepare


def stack() -> list[fitreel.TrainingSettings]:
    return [
        fitreel.TrainingSettings(lr=0.01 * 1.005**place, seed=place % 8) for place in range(512)
    ]


def limits(here: Path, there: Path) -> tuple[Side, Side]:  # noqa: ARG001
    dataset, settings = fitreel.generate(), stack()
    theirs = limit.Limit(dataset, settings, there)
    theirs.check(range(0, len(settings), 64))
    return lambda: seconds(lambda: fitreel.fit_many(dataset, settings)), theirs.seconds


def films(here: Path, there: Path) -> tuple[Side, Side]:  # noqa: ARG001
    """Train a network of a hundred thousand numbers, filmed and not."""
    tracking_uri = f"sqlite:///{here / 'mlflow.db'}"
    x, y = alternatives.points()

    def ours() -> float:
        with fitreel.film(x, y, tracking_uri=tracking_uri) as reel:
            return seconds(lambda: alternatives.wide_network(x, y, reel.frame))

    return ours, lambda: seconds(lambda: alternatives.wide_network(x, y))


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
        "requirements given, so that MLflow does not have to find them on either side.",
        prepare=processes([FITREEL, "run"], [PYTHON, str(HERE / "naive_script.py")]),
    ),
    "project": Row(
        "`mlflow run . --env-manager local`",
        "a conventional project of four steps",
        goal=5,
        faster=True,
        compared="Whole processes. The [project](../benchmarks/conventional) does the script's "
        "work in the steps generate, train, evaluate and animate; its main entry point starts "
        "each with `mlflow.run`; they exchange artifacts through MLflow.",
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
        compared="The same film. The other [side](../benchmarks/alternatives.py) draws points, "
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
    "durability": Row(
        "`fitreel run`, which survives a power cut",
        "the same without",
        goal=1.03,
        faster=False,
        compared="Whole processes with the default settings. The other "
        "[side](../benchmarks/unsynced.py) never waits until the disk has what was written; "
        "SQLite, whose files have a durability of their own, waits on both.",
        prepare=processes([FITREEL, "run"], [PYTHON, str(HERE / "unsynced.py"), "run"]),
        pairs=15,
    ),
    "live": Row(
        "`fit`, watched in a browser",
        "`fit`",
        goal=1.05,
        faster=False,
        compared="In one process, 30,000 epochs, as fast as they go. On our side Chromium shows "
        "the live page; what it takes of the other processor is not counted.",
        prepare=watched(30_000),
    ),
    "live-run": Row(
        "the training of `fitreel run --live browser`",
        "that of `fitreel run`",
        goal=1.05,
        faster=False,
        compared="Whole processes with the default settings, of which the seconds of the stage "
        "train count, as the run keeps them. Ours opens Chromium, which starts meanwhile.",
        prepare=watched_runs,
        pairs=11,
    ),
    "film": Row(
        "a training inside of `fitreel.film`",
        "the same training, not filmed",
        goal=1.1,
        faster=False,
        compared="In one process, 1000 updates of a network of 100,486 numbers on the tutorial's "
        "100 points, all of them in each update: the loss of every update goes into the journal "
        "and from there, by a thread, into the store, and 200 frames of 200 probes are predicted. "
        "Opening the run and what is made at its end are not counted.",
        prepare=films,
        pairs=15,
        note="The predictions alone, without anything of fitreel, cost a tenth of this training: "
        "a frame is 200 rows, an update 100.",
    ),
    "stack-loop": Row(
        "`fit_many`, 512 trainings",
        "a loop of `fit`",
        goal=25,
        faster=True,
        compared="In one process, 1000 epochs each, of different rates and seeds; all losses and "
        "the final weights are kept on both sides; the loop keeps the weights of 200 frames, too.",
        prepare=stacks(alternatives.loop_of_fits),
    ),
    "stack-vmap": Row(
        "`fit_many`, 512 trainings",
        "`torch.func.vmap` over `stack_module_state`",
        goal=3,
        faster=True,
        compared="The same trainings. The other [side](../benchmarks/alternatives.py) follows "
        "PyTorch's tutorial on ensembles, with an update by hand.",
        prepare=stacks(alternatives.vmapped),
        note="The gradients are matrix products. Running sums over sorted points took little more "
        "than half the time, but hold for one feature and relu only.",
    ),
    "stack-limit": Row(
        "`fit_many`, 512 trainings",
        "plain loops of C, a thread a core",
        goal=15,
        faster=False,
        compared="The same trainings, without tracking on both sides: how far that is from "
        "what the machine can do. The [loops](../benchmarks/limit.c), compiled with "
        f"`{' '.join(limit.FLAGS)}`, know their network: relu, sgd and its number of neurons are "
        "constants. Their losses agree with those of `fit` within 0.0001, which is checked.",
        prepare=limits,
    ),
    "sweep-log-metric": Row(
        "a further trial of `fitreel sweep`",
        "Optuna, bare loop, `log_metric` each epoch",
        goal=100,
        faster=True,
        compared=f"What a sweep of {sweeps.TRIALS} trials costs more than one of a single trial: "
        "100 epochs, each loss logged. Imports, tables, films and pictures are not counted. The "
        "seconds are those of all trials. The [other side](../benchmarks/sweep_script.py) runs "
        f"20 trials, and the time of its search is scaled up to {sweeps.TRIALS}. Both choose "
        "rate, size and seed at random, keep Optuna's study (ours in its journal file, the other "
        "side in an SQLite file), and keep each trial in a new SQLite store as a nested run: "
        "params, 100 losses, ten metrics on the points and on 1000 fresh ones, the weights as a "
        "file, status.",
        prepare=sweeps.further,
        pairs=3,
    ),
    "sweep-log-batch": Row(
        f"`fitreel sweep`, {sweeps.TRIALS} trials",
        "Optuna, bare loop, `log_batch` each trial",
        goal=5,
        faster=True,
        compared="The same trials as whole processes, with their imports and the tables of a new "
        "store; ours with films and pictures, too. The other side logs all losses of a trial in "
        "one call; it runs 100 trials.",
        prepare=sweeps.against("log-batch", 100),
        pairs=3,
    ),
    "sweep-ray-tune": Row(
        f"`fitreel sweep`, {sweeps.TRIALS} trials",
        "Ray Tune, two workers, its callback for MLflow",
        goal=10,
        faster=True,
        compared="The same search by Ray Tune, as a whole process: two trials at a time, one "
        "processor each; it runs 4 trials. Its callback logs the numbers of a trial's "
        "configuration with every loss, so what all trials share is logged once, at the parent; "
        "Tune keeps the weights as a checkpoint, and no study.",
        prepare=sweeps.against("ray-tune", 4),
        pairs=3,
    ),
    "sweep-growth": Row(
        "a trial of 2000",
        "a trial of 100",
        goal=1.1,
        faster=False,
        compared="In one process, from the first question until the last trial is in a new store; "
        "imports, tables, films and pictures, of which more trials bring no more, are not counted. "
        "A trial costs the seconds of a sweep, less those of a sweep of one trial, by the others' "
        "number. The seconds are of 2000 trials; for the other side five sweeps are averaged.",
        prepare=sweeps.growth,
        pairs=3,
        aside=sweeps.aside,
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
