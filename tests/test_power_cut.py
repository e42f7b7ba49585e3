"""Power cuts at random moments, on real file systems: the real commands then end as without one.

The file systems are shut down without their log being written, which is what a cut leaves on the
disk, and mounted again. Store and spool are on one disk or on two.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import processes
from tests.contents import Content, contents
from tests.disks import HABITS, KINDS, Disk
from tests.faults import journals

pytestmark = pytest.mark.needs("file systems", "disks")

# A new experiment: the place of the default one's artifacts was chosen when the tables were made.
SMALL = ("--experiment", "cut", "--epochs", "40", "--samples", "30")
RUN = ("run", *SMALL, "--max-frames", "5")


class Case(NamedTuple):
    """A command, the files it starts with, what it ends with, and how long it takes."""

    name: str
    start: Path
    command: tuple[str, ...]
    expected: list[tuple[object, ...]]
    takes: float


class Machine:
    """A machine with a disk for the store and one for the spool, whose power can be cut."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.store, self._other = place / "store", place / "other"
        for each in (self.store, self._other):
            each.mkdir()
        self._disks: list[Disk] = []
        self.spool = self.store / "spool"

    def install(self, kind: str, start: Path, *, has_two: bool) -> None:
        """Format the disks and copy the files that a command starts with."""
        self.close()
        places = [self.store, *([self._other] if has_two else [])]
        self._disks = [Disk(kind, self._place / f"{each.name}.img", each) for each in places]
        for disk in self._disks:
            disk.format()
        self.spool = places[-1] / "spool"
        shutil.copytree(start / "store", self.store, dirs_exist_ok=True)
        shutil.copytree(start / "spool", self.spool, dirs_exist_ok=True)
        self.spool.chmod(0o700)
        for disk in self._disks:
            disk.write_back("all", random.Random())

    def run(self, *command: str) -> tuple[int, str, str]:
        """Run a command to its end."""
        return processes.run(
            *command, directory=self.store, output_to=self._place, FITREEL_SPOOL=str(self.spool)
        )

    def run_until(
        self, seconds: float, habit: str, chance: random.Random, *command: str, wait: float = 0.0
    ) -> int:
        """Run a command, and cut the power after so many seconds; return its exit code, or -9.

        If it ends before, the power is cut ``wait`` seconds later, or up to half a second more.
        """
        process = processes.start(
            *command,
            directory=self.store,
            output_to=self._place,
            FITREEL_SPOOL=str(self.spool),
        )
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and process.is_alive():
            process.join(min(left, chance.expovariate(5)))
            self._write_back(habit, chance)
        if not process.is_alive():
            time.sleep(wait)
            for _ in range(chance.randrange(3)):
                time.sleep(chance.uniform(0, 0.2))
                self._write_back(habit, chance)
        assert process.pid
        with suppress(ProcessLookupError):  # stopped before the cut: nobody lives to see its errors
            os.kill(process.pid, signal.SIGSTOP)
        for disk in self._disks:
            disk.cut()
        process.kill()
        process.join()
        code = process.exitcode
        assert code is not None
        processes.ALIVE.discard(process)
        process.close()
        for disk in self._disks:
            disk.unmount()
        for disk in self._disks:
            disk.mount()
        return code

    def errors(self) -> str:
        """Return what the last command wrote to standard error."""
        return (self._place / "err").read_text()

    def _write_back(self, habit: str, chance: random.Random) -> None:
        for disk in self._disks:
            if chance.random() < 0.7:
                disk.write_back(habit, chance)

    def close(self) -> None:
        """Unmount all disks."""
        for disk in self._disks:
            disk.unmount()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    try:
        yield machine
    finally:
        machine.close()


@pytest.fixture(scope="module")
def cases(machine: Machine, empty_database: Path) -> dict[str, Case]:
    """Run all commands without a power cut, in the same places."""
    place, store, spool = machine.store.parent, machine.store, machine.spool

    def empty() -> None:
        shutil.rmtree(store)
        for each in (store, spool):
            each.mkdir(mode=0o700)
        shutil.copy(empty_database, store)

    def saved(name: str) -> Path:
        shutil.copytree(store, place / name / "store", ignore=lambda *_: ["spool"])
        shutil.copytree(spool, place / name / "spool")
        return place / name

    def case(name: str, start: Path, command: tuple[str, ...]) -> Case:
        started = time.monotonic()
        code, _, errors = machine.run(*command)
        assert code == 0, errors
        found = contents(store)
        assert {run.status for run in found} == {"FINISHED"}
        takes = time.monotonic() - started
        return Case(name, start, command, [run.lasting for run in found], takes)

    machine.run("--version")  # the first command takes long: it waits for all imports
    empty()
    start = saved("new")
    run = case("run", start, RUN)
    case("another run", start, (*RUN, "--lr", "0.05"))
    compare = case("compare", saved("two runs"), ("compare", "--experiment", "cut", "--best", "2"))
    empty()
    sweep = case("sweep", start, ("sweep", *SMALL, "--trials", "3"))
    empty()
    process = processes.start_after(
        refuse_artifacts,
        *(*RUN, "--patience", "0.5"),
        directory=store,
        output_to=place,
        FITREEL_SPOOL=str(spool),
    )
    process.join()
    assert process.exitcode == 75, machine.errors()
    sync = run._replace(name="sync", start=saved("undelivered"), command=("sync",))
    empty()
    return {each.name: each for each in (run, sweep, sync, compare)}


def refuse_artifacts() -> None:
    """Raise an error at each upload of artifacts, as if the store were away."""
    from fitreel.tracking.store.client import Client

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("away")

    Client.log_artifacts = refuse  # type: ignore[method-assign]


def only_run(found: list[Content]) -> Content | None:
    """Return the run that a command created; not those of its trials."""
    whole = [run for run in found if run.parent is None]
    assert len(whole) <= 1
    return whole[0] if whole else None


def put_right(machine: Machine, case: Case) -> str:
    """Run what people run after a power cut; return what that was."""

    def succeed(*command: str) -> None:
        code, _, errors = machine.run(*command)
        assert code == 0, f"{command} ended with {code}: {errors}"
        assert "Traceback" not in errors

    what = "stood"
    if case.name != "compare":
        run = only_run(contents(machine.store))
        if run and run.status != "FINISHED":
            what = "resumed"
            succeed("resume", run.run_id)
    succeed("sync")
    if any(run.status == "RUNNING" for run in contents(machine.store)):
        succeed("reap", "--close")
    after = contents(machine.store)
    assert not [run.run_id for run in after if run.status == "RUNNING"]
    if case.name == "compare":
        before = sum(run.status == "FINISHED" for run in after)
        if before < len(case.expected):
            what = "done again"
            succeed(*case.command)
    elif only_run(after) is None:
        what = "no run yet"
        succeed(*(RUN if case.name == "sync" else case.command))
    return what


def check(machine: Machine, case: Case) -> None:
    """Assert that the store has what it has without a power cut, and the spool nothing."""
    found = contents(machine.store)
    if case.name == "compare":  # one that was broken off is not resumed
        found = [run for run in found if run.status == "FINISHED"]
    for run, expected in zip(found, case.expected, strict=True):
        for mine, theirs in zip(run.lasting, expected, strict=True):
            assert mine == theirs, f"run {run.run_id} ({run.name}): {mine} is not {theirs}"[:900]


def cut_once(machine: Machine, case: Case, kind: str, chance: random.Random) -> str:
    """Cut the power once or several times, run what is to be run; return what happened."""
    machine.install(kind, case.start, has_two=chance.random() < 0.5)
    habit = chance.choice(HABITS)
    seconds = chance.uniform(0, case.takes) if chance.random() < 0.7 else 60
    code = machine.run_until(seconds, habit, chance, *case.command)
    assert code in (0, -signal.SIGKILL), machine.errors()
    if code == 0:
        check(machine, case)
    run = only_run(contents(machine.store)) if case.name != "compare" else None
    again = bool(run and run.status != "FINISHED" and chance.random() < 0.3)
    if again and run:
        seconds = chance.uniform(0, case.takes * 1.5)
        code = machine.run_until(seconds, habit, chance, "resume", run.run_id)
        assert code in (0, -signal.SIGKILL), machine.errors()
        if code == 0:
            check(machine, case)
    what = put_right(machine, case)
    check(machine, case)
    assert not journals(machine.spool)
    assert what == "stood" or code != 0
    return f"{'after exit 0' if code == 0 else 'during'}{', again' if again else ''}: {what}"


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_power_cut_all_is_as_without_one(
    machine: Machine, cases: dict[str, Case], kind: str, torture: bool
) -> None:
    seed = random.randrange(2**32) if torture else 0
    chance = random.Random(seed)
    names = [*cases, "run"] * (40 if torture else 1)
    outcomes, wrong = Counter[str](), list[str]()
    started = time.monotonic()
    for number, name in enumerate(names):
        try:
            outcomes[f"{name}, {cut_once(machine, cases[name], kind, chance)}"] += 1
        except AssertionError as error:
            wrong.append(f"state {number}, {name}: {error}")
    seconds = (time.monotonic() - started) / len(names)
    print(f"{kind}: {len(names)} states, {seconds:.1f} s each, seed {seed}")
    for outcome, count in sorted(outcomes.items()):
        print(f"  {count:3} {outcome}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.torture
@pytest.mark.parametrize("kind", KINDS)
def test_a_power_cut_up_to_40_seconds_after_the_end_changes_nothing(
    machine: Machine, cases: dict[str, Case], kind: str
) -> None:
    chance = random.Random()
    names = [*cases] * 5
    for name in names:
        machine.install(kind, cases[name].start, has_two=chance.random() < 0.5)
        wait = chance.uniform(0, 40)  # in which the system writes back when it likes
        code = machine.run_until(60, "nothing", chance, *cases[name].command, wait=wait)
        assert code == 0, machine.errors()
        check(machine, cases[name])
    print(f"{kind}: {len(names)} states")


def test_the_disks_lose_what_was_not_synced(machine: Machine, cases: dict[str, Case]) -> None:
    for kind in KINDS:
        machine.install(kind, cases["run"].start, has_two=False)
        kept, lost = machine.store / "kept", machine.store / "lost"
        kept.write_text("kept")
        subprocess.run(["sync", "--file-system", str(machine.store)], check=True)
        lost.write_text("lost")
        machine.run_until(60, "nothing", random.Random(0), "--version")
        assert kept.read_text() == "kept"
        assert not lost.exists()
