"""A simulated machine: its processes share one spool and one store, and die at any step."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fitreel.journal.clock import CLOCK, Clock
from fitreel.journal.entry import is_empty
from fitreel.journal.journal import Journal
from fitreel.journal.lock import Lock
from fitreel.tracking import process as owner
from tests.steps import READS, direct

FIRST = 10**8  # number of a process: greater than any that a system has


class Death(BaseException):
    """The end of a simulated process: nothing of it runs after that."""


class Lost(ConnectionError):
    """An answer that was lost after the store had acted."""


@dataclass(frozen=True)
class Fault:
    """What happens at a step to come."""

    steps: int  # until then
    # "before" and "after" kill, "torn" kills half-way, "lost" loses an answer; others name what
    # another process does before the step.
    kind: str

    def counts(self, step: str) -> bool:
        """Return whether a step is of the kind that it waits for."""
        if self.kind == "lost":
            return step.startswith("store: ") and step not in READS
        if self.kind == "torn":
            return step == "write"
        # A death at a step that only reads is one at the next that does not.
        return self.kind not in ("before", "after") or step not in READS


@dataclass(eq=False)
class Process:
    """A simulated process, with a clock of its own."""

    number: int
    clock: Clock = field(default_factory=Clock)
    is_alive: bool = True
    journals: set[Journal] = field(default_factory=set)
    locks: set[Lock] = field(default_factory=set)  # also of journals that it is just opening
    fault: Fault | None = None


class Machine:
    """The processes, the clock of the machine, and the deaths on it."""

    def __init__(self, spool: Path, patch: pytest.MonkeyPatch) -> None:
        self.processes: dict[int, Process] = {}
        self.seconds = 0  # that its clock is ahead
        self.deaths = Counter[str]()  # and lost answers, by their steps
        self.acts: dict[str, Callable[[], None]] = {}  # of other processes, by the kinds of faults
        self.pause: Callable[[str], None] = lambda _: None  # called before each step
        self._local = threading.local()  # each thread has a process of its own
        wall, nanoseconds = time.time, time.time_ns
        patch.setattr(time, "time", lambda: wall() + self.seconds)
        patch.setattr(time, "time_ns", lambda: nanoseconds() + self.seconds * 10**9)
        patch.setattr(owner, "started", self._started)
        mine = SimpleNamespace(getpid=lambda: self.current.number, kill=os.kill)
        patch.setattr(owner, "os", mine)
        self._patch_journals(patch)
        direct(self, spool, patch)

    def _patch_journals(self, patch: pytest.MonkeyPatch) -> None:
        opening, closing = Journal.__init__, Journal.close
        locking, releasing = Lock.__init__, Lock.release

        def opened(journal: Journal, *arguments: Any, **options: Any) -> None:
            opening(journal, *arguments, **options)
            for process in self.processes.values():
                both = [each for each in process.journals if each.directory == journal.directory]
                # One that just removes it has unlocked it already, and leaves it empty.
                assert not both or is_empty(journal.directory), f"two have {journal.directory}"
            self.current.journals.add(journal)

        def closed(journal: Journal) -> None:
            if self._current and not self._current.is_alive:
                raise Death
            closing(journal)

        def locked(lock: Lock, *arguments: Any, **options: Any) -> None:
            locking(lock, *arguments, **options)
            self.current.locks.add(lock)

        def released(lock: Lock) -> None:
            releasing(lock)
            for process in self.processes.values():
                process.locks.discard(lock)
                process.journals = {each for each in process.journals if each._lock is not lock}

        patch.setattr(Journal, "__init__", opened)
        patch.setattr(Journal, "close", closed)
        patch.setattr(Lock, "__init__", locked)
        patch.setattr(Lock, "release", released)

    @property
    def _current(self) -> Process | None:
        return getattr(self._local, "process", None)

    @_current.setter
    def _current(self, process: Process | None) -> None:
        self._local.process = process

    @property
    def current(self) -> Process:
        """The process that runs now."""
        assert self._current, "nothing runs"
        return self._current

    def start(self, fault: Fault | None = None) -> Process:
        """Start a process."""
        process = Process(FIRST + len(self.processes), fault=fault)
        self.processes[process.number] = process
        return process

    @contextmanager
    def running(self, process: Process) -> Iterator[None]:
        """Run the block as a process; its death ends the block without an error."""
        assert process.is_alive
        before, clock = self._current, dict(vars(CLOCK))
        self._current = process
        vars(CLOCK).update(vars(process.clock))
        try:
            yield
        except Death:
            assert not process.is_alive
        finally:
            vars(process.clock).update(vars(CLOCK))
            vars(CLOCK).update(clock)
            self._current = before
            if not process.is_alive:
                self.end(process)

    def end(self, process: Process) -> None:
        """End a process, as the system does: what it has open is closed, what it locked is free."""
        process.is_alive = False
        before, self._current = self._current, None
        for journal in list(process.journals):
            journal.close()
        self._current = before

    def _started(self, number: int) -> str:
        if self.processes[number].is_alive:
            return f"{number} {owner.TICKS}"
        raise ProcessLookupError(f"process {number} has ended")

    def is_private(self, path: Path) -> bool:
        """Return whether a path belongs to a journal that the current process has locked."""
        journals = self._current.journals if self._current else ()
        return any(path.is_relative_to(each.directory) for each in journals)

    def before(self, step: str, tear: Callable[[], object] | None = None) -> None:
        """Count a step; die before it, or in its middle, or let another process act first."""
        if not (process := self._current):
            return
        if not process.is_alive:
            raise Death
        self.pause(step)
        fault = process.fault
        if fault is None or not fault.counts(step):
            return
        fault = process.fault = replace(fault, steps=fault.steps - 1)
        if fault.steps >= 0:
            return
        if act := self.acts.get(fault.kind):
            process.fault = None
            act()
        elif fault.kind in ("before", "torn"):
            if tear and fault.kind == "torn":
                tear()
            self._die(process, f"{fault.kind} {step}")

    def _die(self, process: Process, where: str) -> None:
        self.deaths[where] += 1
        process.is_alive = False
        raise Death

    def after(self, step: str) -> None:
        """Die after a step, or lose its answer."""
        process = self._current
        fault = process.fault if process and process.is_alive else None
        if process is None or fault is None or fault.steps >= 0 or not fault.counts(step):
            return
        process.fault = None
        if fault.kind == "lost":
            self.deaths[f"lost {step}"] += 1
            raise Lost("the answer was lost")
        self._die(process, f"after {step}")
