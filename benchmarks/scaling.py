"""Measure docs/scaling.md: python -m benchmarks.scaling [database] [server] [compute].

The training of a trial here and on Ray clusters of 1, 2 and 4 worker processes; its logging into a
database and to a server: time, calls, rows, bytes.
"""

import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import chdir, nullcontext
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from benchmarks.timing import seconds
from fitreel.data.drawing import generate
from fitreel.settings import DataSettings, EvaluationSettings, SweepSettings, TrainingSettings
from fitreel.sweep.engines import Engine, LocalEngine, open_engine
from fitreel.sweep.rounds import Round
from fitreel.sweep.search import Search, open_study
from fitreel.sweep.trials import Outcome
from fitreel.tracking import Tracker
from fitreel.tracking.names import SHA256_TAG
from tests.clusters import Cluster
from tests.conftest import environment
from tests.servers import Server

TRIALS = 64  # per round
TABLES = ("runs", "params", "tags", "metrics", "latest_metrics")


def rounds(count: int) -> Iterator[Round]:
    """Yield the rounds of a sweep over the default space, 1000 epochs each."""
    settings = SweepSettings(trials=count * TRIALS, round_size=TRIALS)
    search = Search(settings, generate(), DataSettings(), TrainingSettings(), EvaluationSettings())
    study = open_study(settings)
    for number in range(count):
        yield search.round_of(search.ask(study, number * TRIALS, {}))


def cost(engine: Engine, count: int) -> float:
    """Return the milliseconds per trial, without the first rounds, in which workers start."""
    left, waiting = deque(rounds(count + 2 * engine.parallel)), deque[Any]()
    ends = []
    while left or waiting:
        while left and len(waiting) < engine.parallel:
            waiting.append(engine.submit(left.popleft()))
        engine.outcomes(waiting.popleft())
        ends.append(perf_counter())
    return 1000 * (ends[-1] - ends[-1 - count]) / count / TRIALS


def compute(count: int, times: int) -> None:
    """Print what the training of a trial costs; the engines take turns."""
    found: dict[str, list[float]] = {"this process": []}
    for _ in range(times):
        found["this process"].append(cost(LocalEngine(), count))
        for workers in (1, 2, 4):
            with Cluster(workers) as cluster:
                command = [sys.executable, "-m", "benchmarks.scaling", "--rounds", str(count)]
                printed = subprocess.run(
                    [*command, "--address", cluster.address],
                    env=environment(**cluster.environment),
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                ).stdout
            found.setdefault(f"{workers} Ray workers", []).append(float(printed))
    for name, each in found.items():
        print(f"| {name} | {statistics.median(each):.2f} ({min(each):.2f}–{max(each):.2f}) |")


def track(outcomes: list[tuple[str, dict[str, str], Outcome]], uri: str) -> float:
    """Log trials as nested runs; return the seconds until the store has them."""

    def log() -> None:
        with Tracker(uri).run() as run:
            run.set_tags({SHA256_TAG: "0" * 64})
            for name, params, outcome in outcomes:
                run.log_trial(outcome, name, params, {})

    return seconds(log)


def tracking(kind: str, times: int) -> None:
    """Print what logging a trial costs: milliseconds, calls, rows, bytes."""
    outcomes = []
    for drawn in rounds(8):
        for trial, outcome in zip(drawn.trials, drawn.train(), strict=True):
            settings = (
                asdict(drawn.data or DataSettings())
                | asdict(drawn.evaluation)
                | asdict(trial.settings)
            )
            params = {name: str(value) for name, value in settings.items()}
            outcomes.append((trial.name, params, outcome))
    with tempfile.TemporaryDirectory() as name, chdir(name):
        directory = Path(name)
        with Server(directory) if kind == "server" else nullcontext() as server:
            uri = server.url if server else f"sqlite:///{directory}/mlflow.db"
            track(outcomes[:1], uri)  # creates the store
            few = [track(outcomes[:8], uri) for _ in range(times)]
            before = footprint(directory)
            many = [track(outcomes, uri) for _ in range(times)]
            after = footprint(directory)
        trials = times * len(outcomes)
        each = 1000 * (statistics.median(many) - statistics.median(few)) / (len(outcomes) - 8)
        print(f"\n{kind}: {each:.1f} ms a trial")
        for what, number in after.items():
            print(f"    {what}: {(number - before[what]) / trials:,.1f} a trial")
        records = [
            {"kind": "trial", "name": name, "params": params, "tags": {SHA256_TAG: "0" * 64}}
            | outcome.to_record()
            for name, params, outcome in outcomes
        ]
        journal = sum(len(json.dumps(record)) for record in records)
        print(f"    bytes of the journal: {journal / len(records):,.0f} a trial", flush=True)


def footprint(directory: Path) -> dict[str, int]:
    """Count the rows and bytes of a store, and the calls that its server has answered."""
    database = directory / "mlflow.db"
    connection = sqlite3.connect(database)
    rows = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in TABLES}
    connection.close()
    files = [path for path in directory.rglob("*.safetensors") if path.is_file()]
    log = directory / "server.log"
    return {f"rows of {name}": count for name, (count,) in rows.items()} | {
        "bytes of the database": database.stat().st_size,
        "files": len(files),
        "bytes of files": sum(path.stat().st_size for path in files),
        "calls": log.read_text().count(" HTTP/1.1") if log.exists() else 0,
    }


def main(
    parts: Annotated[
        list[str] | None, typer.Argument(help="Only these of the three parts.")
    ] = None,
    count: Annotated[int, typer.Option("--rounds", help="How many rounds are counted.")] = 40,
    times: Annotated[int, typer.Option(help="Measurements of each engine.", min=1)] = 3,
    address: Annotated[str, typer.Option(help="Print only the cost on this cluster.")] = "",
) -> None:
    """Measure what a trial costs."""
    if address:
        print(cost(open_engine(SweepSettings(engine="ray", address=address)), count))
        return
    for kind in parts or ("database", "server", "compute"):
        if kind == "compute":
            compute(count, times)
        else:
            tracking(kind, times)


if __name__ == "__main__":
    typer.run(main)
