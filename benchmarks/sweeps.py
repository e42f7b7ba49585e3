"""The sweeps: many logged trials, compared with alternatives and with few trials."""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import fitreel.settings
import fitreel.sweep
import fitreel.tracking
from benchmarks.processes import ENVIRONMENT, FITREEL, PYTHON, process
from benchmarks.timing import Side, seconds
from fitreel.settings import SamplerName
from fitreel.tracking.names import SHA256_TAG
from pipeline import sweep

SCRIPT = str(Path(__file__).with_name("sweep_script.py"))
TRIALS = 500
MANY_TRIALS, FEW_TRIALS = 2000, 100
SPACE = "lr=log:1e-3:0.5 hidden=int:2:64 seed=0|1|2"
EVERY_LOSS = ("--epochs", "100", "--log-every", "1")


def command(trials: int, *options: str) -> list[str]:
    return [FITREEL, "sweep", "--trials", str(trials), "--space", SPACE, *options]


def fresh(directory: Path) -> Path:
    """Create an empty directory for one process, so that it does not find a store."""
    return Path(tempfile.mkdtemp(dir=directory))


def search_seconds(how: str, trials: int, there: Path) -> float:
    """Run the script in a new directory; return the seconds that its search alone took."""
    return float(process([PYTHON, SCRIPT, how, str(trials)], fresh(there)).split()[-1])


def against(how: str, trials: int) -> Callable[[Path, Path], tuple[Side, Side]]:
    """Compare the script with our command, both as whole processes.

    The script runs only ``trials``; the time of its search is scaled up to TRIALS.
    """

    def script(there: Path) -> float:
        started = time.perf_counter()
        search = search_seconds(how, trials, there)
        return time.perf_counter() - started + search * (TRIALS / trials - 1)

    def prepare(here: Path, there: Path) -> tuple[Side, Side]:
        return (
            lambda: seconds(lambda: process(command(TRIALS, *EVERY_LOSS), fresh(here))),
            lambda: script(there),
        )

    return prepare


def further(here: Path, there: Path) -> tuple[Side, Side]:
    """Compare the cost of TRIALS trials, minus the cost of a sweep of a single trial."""
    trials = 20
    return (
        lambda: TRIALS * cost(TRIALS, here),
        lambda: TRIALS * search_seconds("log-metric", trials, there) / trials,
    )


def growth(here: Path, there: Path) -> tuple[Side, Side]:
    return (
        lambda: MANY_TRIALS * cost(MANY_TRIALS, here),
        lambda: MANY_TRIALS * statistics.mean(cost(FEW_TRIALS, there) for _ in range(5)),
    )


def cost(trials: int, directory: Path, sampler: SamplerName = "random") -> float:
    """Return the seconds of a further trial: a sweep of a single trial is subtracted."""
    alone = tracked(1, directory, sampler)
    return (tracked(trials, directory, sampler) - alone) / (trials - 1)


def tracked(trials: int, directory: Path, sampler: SamplerName) -> float:
    """Search in this process; return the seconds until a new store has the last trial."""
    settings = fitreel.settings.SweepSettings(
        trials=trials, space=SPACE, sampler=sampler, log_every=1
    )
    data, training = fitreel.DataSettings(), fitreel.TrainingSettings(epochs=100)
    search = fitreel.sweep.Search(
        settings, fitreel.generate(data), data, training, fitreel.EvaluationSettings()
    )
    study, engine = fitreel.sweep.open_study(settings), fitreel.sweep.open_engine(settings)
    home = fresh(directory)
    study.archive_in(fitreel.sweep.Archive(settings.storage, home), "study")
    with fitreel.tracking.Tracker(f"sqlite:///{home / 'mlflow.db'}").run() as run:
        run.set_tags({SHA256_TAG: ""})  # the points are not needed here
        started = time.perf_counter()
        sweep.train_trials(run, search, study, engine)
    return time.perf_counter() - started


def aside() -> str:
    """Return the sentence with other figures for many trials, each measured once."""
    directory = Path.cwd()
    costs = {trials: 1000 * cost(trials, directory, "tpe") for trials in (FEW_TRIALS, MANY_TRIALS)}
    memory = peak_memory(command(MANY_TRIALS), fresh(directory))
    return (
        "Both choose at random; with `--sampler tpe`, measured once, which considers all earlier "
        f"trials for each new one, a trial takes {costs[FEW_TRIALS]:.3g} ms of {FEW_TRIALS} and "
        f"{costs[MANY_TRIALS]:.3g} ms of {MANY_TRIALS}. The whole command with "
        f"{MANY_TRIALS} trials of 1000 epochs takes at most {memory / 1e6:.0f} MB of memory."
    )


def peak_memory(command: list[str], directory: Path) -> int:
    """Run a command; return its peak memory in bytes."""
    with tempfile.TemporaryFile() as output:
        started = subprocess.Popen(
            command, cwd=directory, env=ENVIRONMENT, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise subprocess.CalledProcessError(started.returncode, command)
    return usage.ru_maxrss * 1024
