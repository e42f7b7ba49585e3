"""Sequences of commands, deaths and other mishaps, which Hypothesis looks for: no loss is lost.

A small model says what a run must have in the end: all that its command computes, each once.
"""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

import mlflow
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from mlflow.tracking import MlflowClient
from tenacity import wait_none

from fitreel.journal import checkpoints
from fitreel.settings import TrainingSettings
from fitreel.sweep.trials import Outcome
from fitreel.tracking import Patience, Run, Tracker, closing as run_closing, interrupted, sync
from fitreel.tracking.delivery import courier
from fitreel.tracking.delivery.courier import Courier
from fitreel.tracking.names import SHA256_TAG
from fitreel.tracking.reaper import examine, reap
from tests.simulation import Death, Fault, Lost, Machine, Process

MOST = 60  # epochs of a training
EVERY = 5  # epochs from one checkpoint to the next
SETTINGS = TrainingSettings(epochs=MOST, frame_every=3)
LOSSES = (1 / np.arange(1, MOST + 1)).astype(np.float32).astype(np.float64)
PARAMS = {name: str(value) for name, value in asdict(SETTINGS).items()}
HOUR = 3600
PLAN = {"command": "run"}
OTHERS = "not fitreel's"  # content of files, value of params


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


@dataclass
class Content:
    """What a run has: the model of all that a command logs."""

    epochs: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    trials: int = 0

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

    latest: ClassVar["SteppedCourier"]

    def start(self) -> None:
        SteppedCourier.latest = self

    def step(self) -> None:
        self._delivery.step()

    def finish(self, within: float = np.inf) -> None:
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
        self._connection = sqlite3.connect(self.database, isolation_level=None)
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
        return [path.parent for path in self.spool.glob("*/journal") if path.stat().st_size]

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


# ---- the sequences ----------------------------------------------------------------------------

deaths = st.builds(Fault, st.integers(0, 60), st.sampled_from(["before", "after", "torn"]))
lost = st.builds(Fault, st.integers(0, 8), st.just("lost"))
faults = st.none() | deaths | lost


class Sequences(RuleBasedStateMachine):
    """Commands on one run; each is a simulated process, which faults strike."""

    store: ClassVar[Store]
    tracker: ClassVar[Tracker]
    count: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.store.clear()  # also after a sequence that failed
        self.machine = self.store.machine
        self.foreign = dict[Path, str]()
        self.forget()
        self.count["sequences"] += 1

    def forget(self) -> None:
        """Forget the run: the next command starts a new one."""
        self.process: Process | None = None  # of the command that is alive
        self.context: AbstractContextManager[Run] | None = None
        self.opened: Opened | None = None
        self.has_plan: bool | None = None  # None before the command was started
        self.wanted, self.sure = Content(), Content()  # what was tried, and what was confirmed
        self.was_open = self.is_deleted = False
        self.statuses = set[str]()

    @property
    def run_id(self) -> str | None:
        """The run that the command created."""
        return next(iter(self.store.runs()), None)

    @property
    def is_over(self) -> bool:
        return self.has_plan is not None and self.process is None and not self.store.journals()

    # Commands.

    @precondition(lambda self: self.has_plan is None)
    @rule(has_plan=st.booleans() | st.just(True), fault=faults)
    def begin(self, has_plan: bool, fault: Fault | None) -> None:
        """Start a command that logs to a new run."""
        self.has_plan = has_plan
        self.enter(fault, lambda: self.tracker.run(plan=PLAN if has_plan else None))

    @precondition(lambda self: self.has_plan is not None and self.run_id)
    @rule(fault=faults)
    def resume(self, fault: Fault | None) -> None:
        self.enter(fault, self.resumed)

    def resumed(self) -> AbstractContextManager[Run]:
        """Open what was interrupted; ValueError or BlockingIOError as the command has them."""
        assert self.run_id
        found = next(interrupted(self.run_id, self.store.uri))
        return self.tracker.resume(found.journal, found.run_id)

    def enter(self, fault: Fault | None, make: Callable[[], AbstractContextManager[Run]]) -> None:
        """Start a process and open its run; a living one stays open for other rules."""
        process, opened = self.machine.start(fault), False
        with self.machine.running(process):
            try:
                context = make()
                run = context.__enter__()
            except (Lost, ValueError, BlockingIOError) as error:
                self.check_refusal(error)
            else:
                opened = self.was_open = True
                self.process, self.context = process, context
                self.work(lambda: self.compute(Opened(run)))
        if not (opened and process.is_alive):
            self.machine.end(process)
            self.process = None if opened else self.process

    def compute(self, opened: Opened) -> None:
        self.opened = opened
        opened.compute(self.wanted)
        self.sure = Content(**vars(self.wanted))

    def check_refusal(self, error: Exception) -> None:
        """Assert that a command was right not to open the run."""
        self.count[type(error).__name__] += 1
        assert len(str(error).splitlines()) == 1
        if isinstance(error, BlockingIOError):
            assert self.process
            assert "its process is alive" in str(error)
        elif isinstance(error, ValueError):
            if not self.is_deleted:
                assert not self.has_plan, error
                assert "cannot be resumed" in str(error)

    def work(self, act: Callable[[], None]) -> None:
        """Let the living process act, and leave its run as the act ended."""
        assert self.context
        try:
            act()
        except BaseException as error:
            if not self.context.__exit__(type(error), error, error.__traceback__):
                raise

    def alive(self, act: Callable[[], None]) -> None:
        """Act in the living process; it may die."""
        assert self.process
        with self.machine.running(self.process):
            self.work(act)
        if not self.process.is_alive:
            self.count["deaths at work"] += 1
            self.process = None

    @precondition(lambda self: self.process)
    @rule(
        epochs=st.integers(0, 12),
        values=st.dictionaries(st.sampled_from(["value1", "value2"]), st.floats(-9, 9)),
        files=st.dictionaries(st.sampled_from(["a.csv", "b.txt"]), st.binary(max_size=5)),
        trials=st.integers(0, 2),
    )
    def log(
        self, epochs: int, values: dict[str, float], files: dict[str, bytes], trials: int
    ) -> None:
        wanted = self.wanted
        wanted.epochs = min(MOST, wanted.epochs + epochs)
        wanted.metrics = values | wanted.metrics
        wanted.files = files | wanted.files
        wanted.trials += trials
        opened = self.opened
        assert opened
        self.alive(lambda: self.compute(opened))

    @precondition(lambda self: self.process)
    @rule(steps=st.integers(1, 5))
    def deliver(self, steps: int) -> None:
        """Let the courier deliver a few steps; it waits after an error."""
        delivering = SteppedCourier.latest

        def act() -> None:
            for _ in range(steps):
                try:
                    delivering.step()
                except Lost:
                    self.count["answers lost"] += 1
                except mlflow.MlflowException as error:
                    assert self.is_deleted, error

        self.alive(act)

    @precondition(lambda self: self.process)
    @rule(fault=deaths | lost)
    def strike(self, fault: Fault) -> None:
        """Prepare a fault for the living process."""
        assert self.process
        self.process.fault = fault

    @precondition(lambda self: self.process)
    @rule(how=st.sampled_from(["finish", "finish", "interrupt", "fail", "die"]))
    def leave(self, how: str) -> None:
        """End the command."""
        process, context = self.process, self.context
        assert process
        assert context
        errors = {"interrupt": KeyboardInterrupt(), "fail": RuntimeError("a bug"), "die": Death()}
        error = errors.get(how)
        with self.machine.running(process):
            process.is_alive = how != "die"
            try:
                context.__exit__(error and type(error), error, None)
            except (KeyboardInterrupt, RuntimeError) as raised:
                assert raised is error
            except ValueError as refused:
                assert self.is_deleted, refused
        self.count["finished" if process.is_alive else "deaths"] += 1
        self.machine.end(process)
        self.process = None

    @precondition(lambda self: self.has_plan is not None)
    @rule(fault=faults)
    def sync(self, fault: Fault | None) -> None:
        process = self.machine.start(fault)
        with self.machine.running(process):
            for found in sync():
                self.count[f"sync: {type(found.trouble).__name__}"] += 1
                assert len(found.text.splitlines()) == 1
                if isinstance(found.trouble, BlockingIOError):
                    assert self.process
                elif found.trouble and not isinstance(found.trouble, Lost):
                    assert self.is_deleted, found.text
        self.machine.end(process)

    @precondition(lambda self: self.has_plan is not None)
    @rule(fault=faults, close=st.booleans())
    def reap(self, fault: Fault | None, close: bool) -> None:
        process = self.machine.start(fault)
        with self.machine.running(process):
            try:
                for verdict in examine(self.tracker, HOUR):
                    self.count[f"reap: {verdict.status}"] += 1
                    assert verdict.run_id != self.store.foreign
                    if close:
                        reap(self.tracker, verdict)
            except Lost:
                pass
        self.machine.end(process)

    @precondition(lambda self: self.process)
    @rule(steps=st.integers(0, 60), command=st.sampled_from(["sync", "reap", "resume"]))
    def intrude(self, steps: int, command: str) -> None:
        """Let another command run whole between two steps of the living one."""
        assert self.process
        acts: dict[str, Callable[[], None]] = {
            "sync": lambda: self.sync(None),
            "reap": lambda: self.reap(None, close=True),
            "resume": lambda: self.resume(None),
        }
        self.process.fault = Fault(steps, "before", acts[command])

    # The world.

    @precondition(lambda self: self.has_plan is not None)
    @rule(seconds=st.integers(-2 * HOUR, 2 * HOUR))
    def set_the_clock(self, seconds: int) -> None:
        self.machine.seconds += seconds

    @precondition(lambda self: self.was_open and not self.is_deleted)
    @rule()
    def delete(self) -> None:
        self.store.client.delete_run(self.run_id)
        self.is_deleted = True

    @precondition(lambda self: self.is_deleted)
    @rule()
    def restore(self) -> None:
        self.store.client.restore_run(self.run_id)
        self.is_deleted = False

    @precondition(lambda self: self.has_plan is not None)
    @rule(where=st.sampled_from(["journals", "artifacts", "folder"]))
    def put(self, where: str) -> None:
        """Put a file of somebody else into a journal, its artifacts, or a folder like a journal."""
        folders = {path.parent for path in self.store.spool.glob("*/journal")}
        if where == "artifacts":
            folders = {path / where for path in folders if (path / where).exists()}
        elif where == "folder" and self.store.spool.exists():
            folders = {self.store.spool / "20260101T000000-00000000"}
        for folder in folders:
            folder.mkdir(mode=0o700, exist_ok=True)
            (folder / "mine").write_text(OTHERS)
            self.foreign[folder / "mine"] = OTHERS

    # What is always true.

    @invariant()
    def all_is_well(self) -> None:
        assert self.store.rows(self.store.foreign) == self.store.before
        for path, content in self.foreign.items():
            assert path.read_text() == content
        runs = self.store.runs()
        assert len(runs) <= 1
        for run_id in runs:
            assert self.store.content(run_id) <= self.wanted
        if self.is_over:
            self.check_the_end()

    def check_the_end(self) -> None:
        """Assert that a run whose journal is removed has all, and start again."""
        for run_id, (status, _) in self.store.runs().items():
            self.count[f"{'resumable' if self.has_plan else 'once'}: {status}"] += 1
            content = self.store.content(run_id)
            assert self.sure <= content
            if self.has_plan:
                assert (status, content) == ("FINISHED", self.wanted)
            else:
                assert status in ("FINISHED", "FAILED", "KILLED")
        self.store.clear()
        self.foreign.clear()
        self.forget()

    def teardown(self) -> None:
        """Bring what is open to its end, and look at it."""
        self.machine.seconds = 0
        if self.is_deleted:
            self.restore()
        if self.process:
            self.process.fault = None
            self.leave("finish")
        self.all_is_well()
        if self.has_plan and self.run_id:
            self.resume(None)
            self.leave("finish")
        elif self.has_plan is not None:
            self.sync(None)
        self.all_is_well()
        assert self.has_plan is None


@pytest.fixture
def store(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    shutil.copy(empty_database, tmp_path)
    monkeypatch.setenv("FITREEL_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setattr(run_closing, "Courier", SteppedCourier)
    monkeypatch.setattr(courier, "wait_random_exponential", lambda **_: wait_none())
    monkeypatch.setattr(checkpoints, "LONGEST_GAP", np.inf)  # by epochs alone
    store = Store(tmp_path, Machine(tmp_path / "spool", monkeypatch))
    yield store
    store.close()


def test_whatever_happens_every_run_has_each_loss_once_in_the_end(
    store: Store, torture: bool
) -> None:
    Sequences.store, Sequences.count = store, Counter()
    Sequences.tracker = Tracker(store.uri, "sequences", patience=Patience(0.0))
    run_state_machine_as_test(
        Sequences,
        settings=settings(
            max_examples=3000 if torture else 60,
            stateful_step_count=30,
            derandomize=not torture,
            deadline=None,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{store.machine.steps} steps", dict(Sequences.count))
