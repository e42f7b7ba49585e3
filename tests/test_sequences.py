"""Sequences of commands, deaths and other mishaps, which Hypothesis looks for: no loss is lost.

A small model says what a run must have in the end: all that its command computes, each once. A
failure prints its sequence, which is Python; so does `--hypothesis-seed` with the printed seed.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

import mlflow
import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fitreel.journal.records import Damaged
from fitreel.tracking import Patience, Run, Tracker, interrupted, sync
from fitreel.tracking.delivery import nested
from fitreel.tracking.reaper import examine, reap
from tests.modelled import OTHERS, Content, Opened, SteppedCourier, Store, modelled_store
from tests.simulation import Death, Fault, Lost, Process

HOUR = 3600
PLAN = {"command": "run"}
# How a command ends: what it raises, and the status of its run.
ENDS: dict[str, tuple[BaseException | None, str]] = {
    "finish": (None, "FINISHED"),
    "interrupt": (KeyboardInterrupt(), "KILLED"),
    "fail": (RuntimeError("a bug"), "FAILED"),
    "die": (Death(), "KILLED"),
}
# Another command may run whole between two steps of one.
kinds = ["before", "after", "torn", "lost", "sync", "reap", "resume"]
steps = st.integers(0, 3) | st.integers(0, 40)
contents = st.builds(
    Content,
    st.integers(0, 12),
    st.dictionaries(st.sampled_from(["value1", "value2"]), st.floats(-9, 9)),
    st.dictionaries(st.sampled_from(["a.csv", "b.txt"]), st.binary(max_size=5)),
    st.integers(0, 2),
)
faults = st.builds(Fault, steps, st.sampled_from(kinds))


class Sequences(RuleBasedStateMachine):
    """Commands on one run; each is a simulated process, which faults strike."""

    store: ClassVar[Store]
    tracker: ClassVar[Tracker]
    count: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.store.clear()  # also after a sequence that failed
        self.machine = self.store.machine
        self.machine.acts = {
            "sync": lambda: self.intrude(lambda: self.sync(None)),
            "reap": lambda: self.intrude(lambda: self.reap(None, close=True)),
            "resume": lambda: self.intrude(lambda: self.resume(None)),
        }
        self.failures = list[BaseException]()  # of intruders
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
        self.was_open = self.is_deleted = self.is_damaged = False
        self.ends = {"KILLED"}  # what its status may be, unless it is resumed

    @property
    def run_id(self) -> str | None:
        """The run that the command created."""
        return next(iter(self.store.runs()), None)

    @property
    def is_dead(self) -> bool:
        """Whether a command was started, and is not alive: else other commands are intruders."""
        return self.has_plan is not None and self.process is None

    @property
    def is_over(self) -> bool:
        return self.is_dead and not self.store.journals()

    @property
    def is_locked(self) -> bool:
        """Whether another living process has a journal."""
        others = set(self.machine.processes.values()) - {self.machine.current}
        return any(each.locks for each in others)

    # Commands.

    @precondition(lambda self: self.has_plan is None)
    @rule(has_plan=st.booleans() | st.just(True), fault=st.none() | faults)
    def begin(self, has_plan: bool, fault: Fault | None) -> None:
        """Start a command that logs to a new run."""
        self.has_plan = has_plan
        self.enter(fault, lambda: self.tracker.run(plan=PLAN if has_plan else None))

    @precondition(lambda self: self.is_dead)
    @rule(fault=st.none() | faults)
    def resume(self, fault: Fault | None) -> None:
        if run_id := self.run_id:
            self.enter(fault, lambda: self.resumed(run_id))

    def resumed(self, run_id: str) -> AbstractContextManager[Run] | None:
        """Open what was interrupted; ValueError or BlockingIOError as the command has them."""
        for found in interrupted(run_id, self.store.uri):
            return self.tracker.resume(found.journal, found.run_id)
        assert self.store.runs()[run_id][0] == "FINISHED"
        return None

    def enter(
        self, fault: Fault | None, make: Callable[[], AbstractContextManager[Run] | None]
    ) -> None:
        """Start a process and open its run; a living one stays open for other rules."""
        process, opened = self.machine.start(fault), False
        with self.machine.running(process):
            context = run = None
            try:
                if context := make():
                    run = context.__enter__()
            except (Lost, ValueError, BlockingIOError) as error:
                self.check_refusal(error)
            if run:
                opened = self.was_open = True
                self.is_damaged = False
                self.process, self.context = process, context
                self.work(lambda: self.compute(Opened(run)))
        if not (opened and process.is_alive):
            self.machine.end(process)
            self.process = None if opened else self.process

    def compute(self, opened: Opened) -> None:
        self.opened = opened
        opened.compute(self.wanted)
        self.sure = self.wanted

    def check_refusal(self, error: Exception) -> None:
        """Assert that a command was right not to open the run."""
        self.count[type(error).__name__] += 1
        assert len(str(error).splitlines()) == 1
        if isinstance(error, BlockingIOError):
            assert self.is_locked
            assert "its process is alive" in str(error)
        elif isinstance(error, ValueError) and not self.is_deleted:
            assert not self.has_plan, error
            assert re.search("cannot be resumed|left nothing to resume", str(error))

    def work(self, act: Callable[[], None]) -> None:
        """Act in the living process, and leave its run as the act ended."""
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
    @rule(more=contents)
    def log(self, more: Content) -> None:
        """Compute more, and log it."""
        self.wanted |= more
        opened = self.opened
        assert opened
        self.alive(lambda: self.compute(opened))

    @precondition(lambda self: self.process)
    @rule(steps=st.integers(1, 5))
    def deliver(self, steps: int) -> None:
        """Deliver a few steps, as the courier does; it waits after an error."""
        assert self.opened
        delivering = SteppedCourier.of(self.opened.run.run_id)

        def act() -> None:
            for _ in range(steps):
                try:
                    delivering.step()
                except Lost:
                    self.count["answers lost"] += 1
                except mlflow.MlflowException:
                    assert self.is_deleted

        self.alive(act)

    @precondition(lambda self: self.process)
    @rule(fault=faults)
    def strike(self, fault: Fault) -> None:
        """Prepare a fault for the living process."""
        assert self.process
        self.process.fault = fault

    @precondition(lambda self: self.process)
    @rule(how=st.sampled_from([*ENDS, "finish"]))
    def leave(self, how: str) -> None:
        """End the command."""
        process, context = self.process, self.context
        assert process
        assert context
        error, status = ENDS[how]
        with self.machine.running(process):
            process.is_alive = how != "die"
            try:
                context.__exit__(type(error) if error else None, error, None)
            except (KeyboardInterrupt, RuntimeError):
                assert error
            except ValueError:
                assert self.is_deleted
        self.ends = {status} if process.is_alive else {status, "KILLED"}
        self.count[how if process.is_alive else "die"] += 1
        self.machine.end(process)
        self.process = None

    @precondition(lambda self: self.is_dead)
    @rule(fault=st.none() | faults)
    def sync(self, fault: Fault | None) -> None:
        process = self.machine.start(fault)
        with self.machine.running(process):
            for found in sync():
                self.count[f"sync: {type(found.trouble).__name__}"] += 1
                assert len(found.text.splitlines()) == 1
                if isinstance(found.trouble, BlockingIOError):
                    assert self.is_locked
                elif isinstance(found.trouble, Damaged):
                    assert self.is_damaged
                    assert found.text.endswith(f"by: fitreel resume {found.run_id}")
                elif found.trouble and not isinstance(found.trouble, Lost):
                    assert self.is_deleted, found.text
        self.machine.end(process)

    @precondition(lambda self: self.is_dead)
    @rule(fault=st.none() | faults, close=st.booleans())
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

    def intrude(self, command: Callable[[], None]) -> None:
        """Run another command; what fails in it is kept, as the one it intrudes may catch it."""
        self.count["intruders"] += 1
        try:
            command()
        except BaseException as error:
            self.failures.append(error)
            raise

    # The world.

    @precondition(lambda self: self.has_plan is not None)
    @rule(seconds=st.integers(-2 * HOUR, 2 * HOUR))
    def set_the_clock(self, seconds: int) -> None:
        self.machine.seconds += seconds

    @precondition(lambda self: self.was_open and not self.is_deleted)
    @rule()
    def delete(self) -> None:
        self.store.client.delete_run(str(self.run_id))
        self.is_deleted = True

    @precondition(lambda self: self.is_deleted)
    @rule()
    def restore(self) -> None:
        self.store.client.restore_run(str(self.run_id))
        self.is_deleted = False

    @precondition(lambda self: self.has_plan is not None)
    @rule(where=st.sampled_from(["journals", "artifacts", "folder"]))
    def put(self, where: str) -> None:
        """Write a file of somebody else into a journal, its artifacts, or a folder like one."""
        folders = {path.parent for path in self.store.spool.glob("*/journal")}
        if where == "artifacts":
            folders = {path / where for path in folders if (path / where).exists()}
        elif where == "folder" and self.store.spool.exists():
            folders = {self.store.spool / "20260101T000000-00000000"}
        for folder in folders:
            folder.mkdir(mode=0o700, exist_ok=True)
            (folder / "mine").write_text(OTHERS)
            self.foreign[folder / "mine"] = OTHERS

    @precondition(lambda self: self.has_plan and not self.process)
    @rule(name=st.sampled_from(["a.csv", "b.txt", "checkpoint", "safe", "delivered"]))
    def damage(self, name: str) -> None:
        """Flip a bit in a file of a journal whose process is dead."""
        for path in self.store.spool.rglob(name):
            if content := path.read_bytes():
                path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
                self.is_damaged = True

    # What is always true.

    @invariant()
    def all_is_well(self) -> None:
        for failure in self.failures:
            raise failure
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
                assert status in self.ends
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
            if self.process:
                self.leave("finish")
            else:  # it had finished, and died while it removed its journal
                self.count["finished before"] += 1
        self.all_is_well()
        if self.has_plan is not None:
            self.sync(None)
        self.all_is_well()
        assert self.has_plan is None


@pytest.fixture
def store(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with modelled_store(tmp_path, empty_database, monkeypatch) as store:
        Sequences.store, Sequences.count = store, Counter()
        Sequences.tracker = Tracker(store.uri, "sequences", patience=Patience(0.0))
        yield store


@pytest.fixture(params=["trials at once", "trials one by one"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Deliver trials as to a database that is known, or as to a server."""
    if request.param == "trials one by one":
        monkeypatch.setattr(nested, "is_database", lambda _: False)
    return str(request.param)


def test_whatever_happens_every_run_has_each_loss_once_in_the_end(
    store: Store, way: str, torture: bool
) -> None:
    many = 40 if way == "trials at once" else 15
    run_state_machine_as_test(
        Sequences,
        settings=settings(
            max_examples=many * (50 if torture else 1),
            stateful_step_count=30,
            derandomize=not torture,
            deadline=None,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(
        f"{way}, {store.machine.deaths.total()} deaths and lost answers:",
        dict(store.machine.deaths),
    )
    print(dict(Sequences.count))


# ---- sequences that were found ----------------------------------------------------------------


@pytest.mark.usefixtures("store")
def test_no_loss_is_doubled_if_a_file_and_the_position_are_damaged() -> None:
    state = Sequences()
    state.begin(fault=None, has_plan=True)
    state.log(more=Content(2, {"value1": 1.0}, {"a.csv": b"1"}))
    state.deliver(steps=5)
    state.leave(how="die")
    state.damage(name="a.csv")
    state.damage(name="delivered")
    state.resume(fault=None)
    state.teardown()


@pytest.mark.usefixtures("store", "way")
@pytest.mark.parametrize("name", ["delivered", "a.csv"])
def test_no_trial_is_doubled_if_the_position_or_a_file_before_is_damaged(name: str) -> None:
    """Each trial is a call of its own here: not only the first may be in the store."""
    state = Sequences()
    state.begin(fault=None, has_plan=True)
    state.log(more=Content(files={"a.csv": b"1"}))
    for _ in range(3):
        state.log(more=Content(epochs=1, trials=1))
    for _ in range(3):
        state.deliver(steps=5)
    state.leave(how="die")
    state.damage(name=name)
    state.sync(fault=None)
    state.resume(fault=None)
    state.teardown()
