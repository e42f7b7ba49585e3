"""Power cuts at every moment: what is left of spool and store ends right, or says what is gone.

Commands are recorded, call by call. A model of a disk then makes the states that a power cut may
leave, and for each of them `resume`, `sync` and `reap --close` run for real.
"""

import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from fitreel.journal import checkpoints
from fitreel.tracking.delivery.courier import Courier
from fitreel.tracking.run import Run
from tests.crash_outcomes import outcomes
from tests.disk_model import Tree, disk_of, power_cuts, read_tree, write_tree
from tests.faults import SPOOL, journals
from tests.file_calls import TRACE, Replay, calls, wait_for_end
from tests.forked import ALL, Done, Forks, forks
from tests.needs import require
from tests.test_crash import die_at

SMALL = ["--epochs", "20", "--samples", "20", "--checkpoint-every", "5"]
RUN, SWEEP = ["run", *SMALL], ["sweep", "--trials", "3", *SMALL[:4]]
# What is recorded: the command, and what is done before, each with what breaks it off.
RECORDED = {
    "run": [(RUN, "")],
    "interrupted run": [(RUN, "interrupt")],
    "resume": [(RUN, "interrupt"), (["resume", "RUN"], "")],
    "sync": [(RUN, "die"), (["sync"], "")],
    "resume of the dead": [(RUN, "die_early"), (["resume", "RUN"], "")],
    "sweep": [(SWEEP, "")],
}


def interrupt() -> None:
    """Let this process interrupt its training, after a checkpoint that survives a power cut."""
    write = checkpoints.Checkpoints.on_epoch

    def on_epoch(self: checkpoints.Checkpoints, epoch: int, training: Any) -> None:
        write(self, epoch, training)
        if epoch == 12:
            signal.raise_signal(signal.SIGINT)

    checkpoints.SAFE_GAP = 0
    checkpoints.Checkpoints.on_epoch = on_epoch  # type: ignore[method-assign]


def die() -> None:
    """Let this process die when all is computed and nothing of it delivered."""
    Courier.run = lambda _: None  # type: ignore[method-assign]
    write = Run.end

    def end(self: Run, status: str, *, resumable: bool = False) -> None:
        write(self, status, resumable=resumable)
        os.kill(os.getpid(), signal.SIGKILL)

    Run.end = end  # type: ignore[method-assign]


def die_early() -> None:
    """Let this process die when it delivers its model."""
    die_at("mlflow.models.Model", "save")


@dataclass
class Machine:
    """A machine with a disk: its files are in a folder, and its commands in forks."""

    disk: Path
    commands: Forks

    def start(self, tree: Tree) -> None:
        """Start it again, with this on its disk."""
        shutil.rmtree(self.disk, ignore_errors=True)
        self.disk.mkdir()
        write_tree(self.disk, tree)

    def run(self, *arguments: str, before: tuple[str, ...] = (), **changes: str) -> Done:
        """Run `fitreel`."""
        changes[SPOOL] = str(self.disk / "spool")
        return self.commands.run([*arguments], self.disk / "store", before, **changes)

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """Return what its store has."""
        return outcomes(self.disk / "store")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    require("strace")
    with forks(*ALL, "tests.test_crash_states") as commands:
        yield Machine(tmp_path_factory.mktemp("machine") / "disk", commands)


@pytest.fixture(scope="module")
def first(machine: Machine) -> Tree:
    """Return the disk with the run of somebody else in the store."""
    machine.start({"store": None})
    done = machine.run("generate", "--samples", "5")
    assert done.code == 0, done.stderr
    shutil.rmtree(machine.disk / "spool")
    return read_tree(machine.disk)


def without(others: dict[str, Any], found: dict[str, Any]) -> list[Any]:
    """Return the outcomes of all other runs, those of trials last."""
    assert others.items() <= found.items(), "the run of somebody else was changed"
    return sorted(
        (each for run_id, each in found.items() if run_id not in others),
        key=lambda each: str(each["trial"]),
    )


@pytest.mark.parametrize("name", RECORDED)
def test_a_power_cut(machine: Machine, first: Tree, name: str, torture: bool) -> None:
    *earlier, (command, broken_by) = RECORDED[name]
    machine.start(first)
    others = machine.outcomes()
    done = machine.run(*earlier[0][0] if earlier else command)
    assert done.code == 0, done.stderr
    expected = without(others, machine.outcomes())
    machine.start(first)
    for arguments, breaker in earlier:
        machine.run(*arguments, before=(f"{__name__}.{breaker}",))
    run_id = next((run_id for run_id in machine.outcomes() if run_id not in others), "")
    before, trace = read_tree(machine.disk), machine.disk.parent / "trace"
    breakers = (f"{__name__}.{broken_by}",) if broken_by else ()
    done = machine.run(
        *(each.replace("RUN", run_id) for each in command),
        before=("tests.file_calls.trace", *breakers),
        **{TRACE: str(trace)},
    )
    wait_for_end(trace)
    assert done.code == (130 if broken_by else 0), done.stderr
    run_id = run_id or next(
        run_id
        for run_id, each in machine.outcomes().items()
        if run_id not in others and not each["trial"]
    )
    after = read_tree(machine.disk)
    replay = Replay(machine.disk, root := disk_of(before))
    every = [(call, replay.apply(call)) for call in calls(trace)]
    last = sum(changes for _, changes in every)
    assert power_cuts(root, random.Random())["everything"]() == after
    count = 400 if torture else 20
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    steps = Counter(chance.choices(range(last + 1), k=count * 9 // 10))
    steps[last] += count // 10
    replay = Replay(machine.disk, root := disk_of(before))
    counted, wrong, tried = Counter[str](), list[str](), set[int]()
    step = 0
    for call, changes in [(None, True), *every]:
        if call:
            replay.apply(call)
            step += changes
        for _ in range(steps[step] if changes else 0):
            cuts = power_cuts(root, chance)
            how = chance.choice([*cuts])
            tree = cuts[how]()
            if (key := hash(frozenset(tree.items()))) in tried:
                continue
            tried.add(key)
            what = f"{name}, {how} after call {step} of {last}, seed {seed}"
            order = chance.choice([*permutations((("resume", run_id), ("sync",), ("reap", "--close")))])
            machine.start(tree)
            try:
                verdict = _verdict(machine, others, expected, order, step == last and done.code == 0)
            except AssertionError as error:
                verdict = "wrong"
                wrong.append(f"{what}: {order} {error}")
                print(wrong[-1][:900])
            counted[verdict] += 1
    print(f"{name}: {last} calls, {sum(counted.values())} states, {dict(counted)}, seed {seed}")
    assert not wrong, wrong[0]


def _verdict(
    machine: Machine,
    others: dict[str, Any],
    expected: list[Any],
    order: tuple[tuple[str, ...], ...],
    is_over: bool,
) -> str:
    if is_over:
        found = without(others, machine.outcomes())
        _show(found, expected)
        assert found == expected, "not right after exit code 0"
    reports = []
    for command in order:
        done = machine.run(*command)
        text = f"{command[0]}: {done.code} {done.stderr}"
        assert done.code in (0, 2), text
        assert "Traceback" not in done.stderr, text
        if done.code == 2:
            reports.append(text)
    found = without(others, machine.outcomes())
    assert not journals(machine.disk / "spool"), f"a journal is left: {reports}"
    if found == expected:
        return "over" if is_over else "right"
    if not found:
        return "no run"
    _show(found,expected)
    assert found[0]["status"] not in ("FINISHED", "RUNNING"), f"{found[0]['status']}: {reports}"
    assert reports, found[0]["status"]
    print(reports)
    return "reported"


def _show(found, expected):
    for a, b in zip(found, expected):
        for k in a:
            if a[k] != b[k]: print("   DIFF", k, str(a[k])[-500:] ,"EXPECTED", str(b[k])[-500:])
