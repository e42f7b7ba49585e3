"""Power cuts at every moment: what is left of spool and store ends right, or says what is gone.

Commands are recorded, call by call. A model of a disk then makes the states that a power cut may
leave, and for each of them `resume`, `sync` and `reap --close` run for real.
"""

import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.crash_outcomes import outcomes
from tests.disk_model import Tree, disk_of, power_cuts, read_tree, write_tree
from tests.faults import SPOOL, journals
from tests.file_calls import Call, Replay, calls, wait_for_end
from tests.forked import Done, Forks
from tests.needs import require

RUN = ("run", "--epochs", "20", "--samples", "20", "--checkpoint-every", "5")
SWEEP = ("sweep", "--trials", "3", "--epochs", "20", "--samples", "20")
RESUME, SYNC, REAP = ("resume", "RUN"), ("sync",), ("reap", "--close")
Broken = tuple[tuple[str, ...], str]  # a command, and what breaks it off if anything does
# What is recorded, and the command before it.
RECORDED: dict[str, list[Broken]] = {
    "a run": [(RUN, "")],
    "an interrupted run": [(RUN, "interrupt")],
    "a resume": [(RUN, "interrupt"), (RESUME, "")],
    "a resume of a run that died": [(RUN, "die_delivering"), (RESUME, "")],
    "a sync": [(RUN, "die_undelivered"), (SYNC, "")],
    "a sweep": [(SWEEP, "")],
}


@dataclass(frozen=True)
class Machine:
    """A machine with a disk: its files are in a folder, and its commands in forks."""

    disk: Path
    commands: Forks

    def start(self, tree: Tree) -> None:
        """Start it again, with this on its disk."""
        shutil.rmtree(self.disk, ignore_errors=True)
        self.disk.mkdir()
        write_tree(self.disk, tree)

    def run(self, arguments: Sequence[str], broken_by: str = "", trace: Path | None = None) -> Done:
        """Run `fitreel`, perhaps broken off, and perhaps recorded in a file."""
        before = ("tests.crash_commands.begin", [broken_by, str(trace or "")])
        variables = {SPOOL: str(self.disk / "spool")}
        return self.commands.run_after(before, [*arguments], self.disk / "store", **variables)

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """Return what its store has of each run."""
        return outcomes(self.disk / "store")


@dataclass(frozen=True)
class Recording:
    """A command that was recorded."""

    before: Tree
    calls: list[Call]
    code: int  # of its end
    run_id: str
    others: dict[str, dict[str, Any]]  # the outcomes of runs that it has nothing to do with
    expected: list[dict[str, Any]]  # the outcomes of its own, had nothing broken them off

    def own(self, machine: Machine) -> list[dict[str, Any]]:
        """Return what the store has of its own runs, those of trials last."""
        found = machine.outcomes()
        assert self.others.items() <= found.items(), "the run of somebody else was changed"
        return own(found, self.others)


def own(found: dict[str, dict[str, Any]], others: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the outcomes of all other runs, those of trials last."""
    mine = [each for run_id, each in found.items() if run_id not in others]
    return sorted(mine, key=lambda each: str(each["trial"]))


@pytest.fixture(scope="module")
def machine(commands: Forks, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    require("strace")
    return Machine(tmp_path_factory.mktemp("machine") / "disk", commands.watched())


@pytest.fixture(scope="module")
def first(machine: Machine) -> Tree:
    """Return what is on a disk whose store has the run of somebody else."""
    machine.start({"store": None})
    done = machine.run(["generate", "--samples", "5"])
    assert done.code == 0, done.stderr
    shutil.rmtree(machine.disk / "spool")
    return read_tree(machine.disk)


def record(machine: Machine, first: Tree, commands: list[Broken]) -> Recording:
    """Run commands, and record the last of them."""
    machine.start(first)
    others = machine.outcomes()
    done = machine.run(commands[0][0])
    assert done.code == 0, done.stderr
    expected = own(machine.outcomes(), others)
    machine.start(first)
    *earlier, (command, broken_by) = commands
    run_id = ""
    for arguments, breaker in earlier:
        machine.run(arguments, breaker)
        (run_id,) = machine.outcomes().keys() - others.keys()
    before, trace = read_tree(machine.disk), machine.disk.with_name("trace")
    done = machine.run([each.replace("RUN", run_id) for each in command], broken_by, trace)
    assert done.code == (130 if broken_by else 0), done.stderr
    wait_for_end(trace)
    (run_id,) = (
        each
        for each, outcome in machine.outcomes().items()
        if each not in others and not outcome["trial"]
    )
    found = Recording(before, [*calls(trace)], done.code, run_id, others, expected)
    # The model is a good one if it leads to the same files.
    replay = Replay(machine.disk, root := disk_of(before))
    for call in found.calls:
        replay.apply(call)
    assert power_cuts(root, random.Random())["everything"]() == read_tree(machine.disk)
    return found


def states(
    recording: Recording, disk: Path, chance: random.Random, count: int
) -> Iterator[tuple[str, bool, Tree]]:
    """Yield states that a power cut may leave, each once: what it is, and whether it is at the end.

    One of four is at the end, when the command has exited.
    """
    root = disk_of(recording.before)
    replay = Replay(disk, root)
    cuts = power_cuts(root, chance)
    last = sum(map(Replay(disk, disk_of(recording.before)).apply, recording.calls))
    steps = Counter(chance.choices(range(last), k=count * 3 // 4))
    steps[last] = count // 4
    tried, step = set[int](), 0
    for call in recording.calls:
        if not replay.apply(call):
            continue
        step += 1
        for _ in range(steps[step]):
            how = chance.choice([*cuts])
            tree = cuts[how]()
            key = hash(frozenset(tree.items()))
            if key not in tried:
                tried.add(key)
                yield f"{how} after call {step} of {last}", step == last, tree


@pytest.mark.parametrize("name", RECORDED)
def test_what_a_power_cut_leaves(machine: Machine, first: Tree, name: str, torture: bool) -> None:
    recording = record(machine, first, RECORDED[name])
    seed = random.randrange(2**32) if torture else 0
    chance = random.Random(seed)
    resume = (RESUME[0], recording.run_id)
    ends, wrong = Counter[str](), list[str]()
    for what, is_last, tree in states(recording, machine.disk, chance, 600 if torture else 20):
        machine.start(tree)
        order = chance.choice([*permutations((resume, SYNC, REAP))])
        try:
            ends[end_of(machine, recording, order, is_over=is_last and recording.code == 0)] += 1
        except AssertionError as error:
            ends["wrong"] += 1
            wrong.append(f"{name}, {what}, seed {seed}: {[each[0] for each in order]}: {error}")
            print(wrong[-1])
    print(f"{name}: {ends.total()} states, {dict(ends)}, seed {seed}")
    assert not wrong, wrong[0]


def end_of(
    machine: Machine, recording: Recording, order: Sequence[Sequence[str]], *, is_over: bool
) -> str:
    """Run commands on what a power cut left; return how that ended, AssertionError if badly."""
    expected = recording.expected
    if is_over:  # the command said so: nothing is left to do
        assert not difference(recording.own(machine), expected)
    reports = list[str]()
    for command in order:
        done = machine.run(command)
        text = f"{command[0]} {done.code}: {done.stderr}"
        assert done.code in (0, 2), text
        assert "Traceback" not in done.stderr, text
        reports += [text] if done.code else []
    found = recording.own(machine)
    waiting = journals(machine.disk / "spool")
    assert not waiting, f"a journal stays: {reports}"
    if not found:
        return "no run was created"
    assert not difference(found, expected), f"{difference(found, expected)}: {reports}"
    return "all was there" if is_over else "right"


def difference(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> str:
    """Return what differs between the outcomes of runs; nothing if all is the same."""
    if len(found) != len(expected):
        return f"{len(found)} runs instead of {len(expected)}"
    return "; ".join(
        f"{name} of run {number}: {is_} instead of {should}"
        for number, pair in enumerate(zip(found, expected, strict=True))
        for name, is_ in pair[0].items()
        if (should := pair[1][name]) != is_
    )
