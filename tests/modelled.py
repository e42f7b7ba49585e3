"""Runs whose content is known: a command in small, and what a store must have of its run."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from mlflow.tracking import MlflowClient
from tenacity import wait_none

from fitreel.journal import checkpoints
from fitreel.journal.entry import is_empty
from fitreel.settings import TrainingSettings
from fitreel.sweep.trials import Outcome
from fitreel.tracking import Run, closing as run_closing
from fitreel.tracking.delivery import courier
from fitreel.tracking.delivery.courier import Courier
from fitreel.tracking.names import SHA256_TAG
from tests.simulation import Machine, Process

MOST = 60  # epochs of a training
EVERY = 5  # epochs from one checkpoint to the next
SETTINGS = TrainingSettings(epochs=MOST, frame_every=3)
LOSSES = (1 / np.arange(1, MOST + 1)).astype(np.float32).astype(np.float64)
PARAMS = {name: str(value) for name, value in asdict(SETTINGS).items()}
OTHERS = "not fitreel's"  # content of files


# ---- what a command does ----------------------------------------------------------------------


class Training:
    """A training whose losses and frames are known, in place of a network."""

    def __init__(self, kept: checkpoints.Checkpoints) -> None:
        self.losses = np.empty(MOST)
        self.frames = torch.arange(MOST, dtype=torch.float32)[:, None]
        self.epoch = 0
        if start := kept.start():
            self.epoch = start.epoch
            self.losses[: start.epoch] = start.losses
            assert start.losses.tolist() == LOSSES[: start.epoch].tolist()
            assert start.frames.tolist() == self.frames[: len(start.frames)].tolist()
            assert start.state.tolist() == [start.epoch]

    def state(self) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        return np.array([self.epoch], np.float32)

    def until(self, epoch: int, kept: checkpoints.Checkpoints) -> None:
        """Train, as ``fit`` does."""
        with kept.keeping():
            while self.epoch < epoch:
                kept.on_epoch(self.epoch, self)  # type: ignore[arg-type]
                self.losses[self.epoch] = LOSSES[self.epoch]
                self.epoch += 1


@dataclass(frozen=True)
class Content:
    """What a run has: the model of all that a command logs."""

    epochs: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    trials: int = 0

    def __or__(self, other: "Content") -> "Content":
        """Return this content and what another has besides."""
        return Content(
            min(MOST, self.epochs + other.epochs),
            other.metrics | self.metrics,
            other.files | self.files,
            self.trials + other.trials,
        )

    def __le__(self, other: "Content") -> bool:
        return (
            self.epochs <= other.epochs
            and self.metrics.items() <= other.metrics.items()
            and self.files.items() <= other.files.items()
            and self.trials <= other.trials
        )


class Opened:
    """The open run of a command: it computes what the run does not have."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._kept = run.checkpoints(SETTINGS, EVERY)
        self._training = Training(self._kept)

    def compute(self, wanted: Content) -> None:
        """Log what is missing of a content, as a resumed command does."""
        for name, value in wanted.metrics.items():
            if name not in self.run.metrics:
                self.run.log_metrics({name: value})
        for name, content in wanted.files.items():
            if self.run.artifact(name) is None:
                with self.run.artifacts() as folder:
                    (folder / name).write_bytes(content)
        self._training.until(wanted.epochs, self._kept)
        for number in range(len(self.run.trials()), wanted.trials):
            if SHA256_TAG not in self.run.tags:
                self.run.set_tags({SHA256_TAG: "0" * 64})
            outcome = Outcome(
                *(number, "diverged", 2, 1),
                *(np.array([1, 0.5], np.float32), {"final": float(number)}, None, (1000, 2000)),
            )
            self.run.log_trial(outcome, f"trial {number}", PARAMS, {})


class SteppedCourier(Courier):
    """A courier that delivers when it is asked to, instead of in a thread of its own."""

    started: ClassVar[dict[str, "SteppedCourier"]] = {}
    before_the_end: Callable[[], None] = staticmethod(lambda: None)

    def start(self) -> None:
        self.started[self._run_id] = self

    @classmethod
    def of(cls, run_id: str) -> "SteppedCourier":
        """Return the courier that was started last for a run."""
        return cls.started[run_id]

    def step(self) -> bool:
        """Deliver a part; return whether there was anything."""
        return self._delivery.step()

    def finish(self, within: float = np.inf) -> None:
        self.before_the_end()
        self._closing.set()
        self.run()
        super().finish(within)


# ---- what the store has -----------------------------------------------------------------------


class Store:
    """A store and a spool, looked at past MLflow and fitreel."""

    def __init__(self, directory: Path, machine: Machine) -> None:
        self.directory = directory
        self.database = directory / "mlflow.db"
        self.uri = f"sqlite:///{self.database}"
        self.spool = directory / "spool"
        self._connection = sqlite3.connect(
            self.database, isolation_level=None, check_same_thread=False
        )
        self.ask("PRAGMA synchronous = OFF")
        self.client = MlflowClient(self.uri)
        self.machine = machine
        place = str(directory / "artifacts")
        self.experiment = self.client.create_experiment("sequences", artifact_location=place)
        # Of somebody else: it says RUNNING, as a run of fitreel does whose process died.
        run_id = self.client.create_run(self.experiment).info.run_id
        self.client.log_metric(run_id, "loss", 1.0)
        self.client.log_text(run_id, OTHERS, "weights.csv")
        self.foreign = run_id
        self.before = self.rows(run_id)

    def ask(self, question: str, *values: object) -> list[tuple[object, ...]]:
        return self._connection.execute(question, values).fetchall()

    def rows(self, run_id: str) -> list[object]:
        """Return all that the tables say of a run."""
        tables = ("runs", "metrics", "latest_metrics", "params", "tags")
        return [self.ask(f"SELECT * FROM {name} WHERE run_uuid = ?", run_id) for name in tables]

    def runs(self) -> dict[str, tuple[str, str]]:
        """Return status and stage of the runs that fitreel created, without the trials."""
        found = self.ask(
            "SELECT run_uuid, status, lifecycle_stage FROM runs WHERE run_uuid != ? AND run_uuid "
            "NOT IN (SELECT run_uuid FROM tags WHERE key = 'fitreel.trial')",
            self.foreign,
        )
        return {str(run_id): (str(status), str(stage)) for run_id, status, stage in found}

    def content(self, run_id: str) -> Content:
        """Return what a run has; assert that nothing is there twice or in the wrong order."""
        losses = self.ask(
            "SELECT step, value FROM metrics WHERE run_uuid = ? AND key = 'loss' "
            "ORDER BY timestamp, step",
            run_id,
        )
        assert losses == list(enumerate(LOSSES[: len(losses)].tolist()))
        others = self.ask(
            "SELECT key, value FROM metrics WHERE run_uuid = ? AND key LIKE 'value%'", run_id
        )
        metrics = {str(key): float(str(value)) for key, value in others}
        assert len(others) == len(metrics)
        trials = self.ask(
            "SELECT t.value, r.status, count(m.key) FROM tags t JOIN tags p USING (run_uuid) "
            "JOIN runs r USING (run_uuid) JOIN metrics m USING (run_uuid) "
            "WHERE t.key = 'fitreel.trial' AND p.key = 'mlflow.parentRunId' AND p.value = ? "
            "GROUP BY run_uuid ORDER BY CAST(t.value AS INTEGER)",
            run_id,
        )
        assert trials == [(str(number), "FAILED", 3) for number in range(len(trials))]
        place = self.directory / "artifacts" / run_id / "artifacts"
        files = {path.name: path.read_bytes() for path in place.glob("*")}
        assert files.pop("mine", OTHERS.encode()) == OTHERS.encode()
        return Content(len(losses), metrics, files, len(trials))

    def close(self) -> None:
        self._connection.close()

    def journals(self) -> list[Path]:
        """Return the journals with a record: others are remains."""
        found = (path.parent for path in self.spool.glob("*/journal"))
        return [path for path in found if not is_empty(path)]

    def kept(self) -> "Kept":
        """Copy store and spool, to begin with them again."""
        kept = Kept(self.directory / "kept", dict(self.machine.processes))
        for name in ("artifacts", "spool"):
            (self.directory / name).mkdir(mode=0o700, exist_ok=True)
            shutil.copytree(self.directory / name, kept.folder / name)
        with closing(sqlite3.connect(kept.folder / "mlflow.db")) as copy:
            self._connection.backup(copy)
        return kept

    def restore(self, kept: "Kept") -> None:
        """Set store and spool back to a copy."""
        self.clear()
        shutil.rmtree(self.directory / "artifacts")
        for name in ("artifacts", "spool"):
            shutil.copytree(kept.folder / name, self.directory / name)
        with closing(sqlite3.connect(kept.folder / "mlflow.db")) as copy:
            copy.backup(self._connection)
        self.machine.processes.update(kept.processes)

    def clear(self) -> None:
        """Remove what a sequence left, so that the next one starts with the same."""
        for name in ("metrics", "latest_metrics", "params", "tags", "runs"):
            self.ask(f"DELETE FROM {name} WHERE run_uuid != ?", self.foreign)
        shutil.rmtree(self.spool, ignore_errors=True)
        for path in (self.directory / "artifacts").iterdir():
            if path.name != self.foreign:
                shutil.rmtree(path)
        self.machine.processes.clear()
        self.machine.seconds = 0


@dataclass(frozen=True)
class Kept:
    """A copy of all that a store and a spool have."""

    folder: Path
    processes: dict[int, Process]


@contextmanager
def modelled_store(
    directory: Path, empty_database: Path, patch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """Open a store and a spool, in which commands are simulated."""
    shutil.copy(empty_database, directory)
    patch.setenv("FITREEL_SPOOL", str(directory / "spool"))
    patch.setattr(run_closing, "Courier", SteppedCourier)
    patch.setattr(courier, "wait_random_exponential", lambda **_: wait_none())
    patch.setattr(checkpoints, "LONGEST_GAP", np.inf)  # by epochs alone
    patch.setattr(checkpoints, "SAFE_GAP", 0)
    store = Store(directory, Machine(directory / "spool", patch))
    yield store
    store.close()
