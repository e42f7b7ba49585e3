"""Corruption: bytes that changed, files that were cut, emptied or removed.

A journal is cut at the first damage, and `resume` computes the rest again; or a line says what is
damaged. Nothing wrong is ever uploaded, and nothing twice.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fitreel.journal.journal import Journal
from fitreel.journal.records import FILED, read
from tests.disk_model import Tree, read_tree
from tests.faults import journals
from tests.forked import Forks
from tests.test_crash_states import RESUME, RUN, SYNC, Machine, difference, own

# Where the process of a run ended, by what ended it.
STARTS = {
    "in the training": "interrupt",
    "before its delivery": "die_undelivered",
    "in its delivery": "die_delivering",
}
MASKS = (0x01, 0xFF)  # a bit, or all of a byte
SMALL = 3000  # bytes: of files up to this size all bytes are changed


@pytest.fixture(scope="module")
def machine(commands: Forks, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("machine") / "disk", commands.watched())


@pytest.fixture(scope="module")
def expected(machine: Machine) -> list[dict[str, object]]:
    """Return the outcome of a run that nothing broke off."""
    machine.start({"store": None})
    done = machine.run(RUN)
    assert done.code == 0, done.stderr
    return own(machine.outcomes(), {})


@pytest.fixture(scope="module")
def starts(machine: Machine) -> dict[str, Tree]:
    """Return what is on the disk after each kind of end."""
    found = {}
    for name, breaker in STARTS.items():
        machine.start({"store": None})
        assert machine.run(RUN, breaker).code != 0
        found[name] = read_tree(machine.disk)
    return found


def places(content: bytes, chance: random.Random, most: int) -> list[int]:
    """Return positions in a file: all if it is small, else so many, drawn."""
    return sorted(chance.sample(range(len(content)), min(most, len(content))))


def flipped(content: bytes, place: int, mask: int) -> bytes:
    return content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :]


# ---- reading ----------------------------------------------------------------------------------


@pytest.fixture(params=STARTS)
def journal(machine: Machine, starts: dict[str, Tree], request: pytest.FixtureRequest) -> Path:
    """Write a journal of each start to the disk; return its directory."""
    machine.start(starts[request.param])
    (found,) = journals(machine.disk / "spool")
    return found


def mended(directory: Path) -> list[object]:
    """Return the records that are left of a journal once it is mended."""
    journal = Journal(directory)
    journal.mend()
    found: list[object] = [record for _, record in journal.records()]
    journal.close()
    return found


def test_any_changed_byte_of_a_journal_ends_it(journal: Path, torture: bool) -> None:
    whole = (journal / "journal").read_bytes()
    records = mended(journal)
    assert len(records) == whole.count(b"\n")
    chance = random.Random(0)
    tried = places(whole, chance, len(whole) if torture else 100)
    for place in tried:
        for mask in MASKS:
            (journal / "journal").write_bytes(flipped(whole, place, mask))
            assert mended(journal) == records[: whole.count(b"\n", 0, place)]
    print(f"{len(tried)} of {len(whole)} bytes changed, {len(MASKS)} ways each")


def test_any_cut_of_a_journal_ends_it(journal: Path, torture: bool) -> None:
    whole = (journal / "journal").read_bytes()
    records = mended(journal)
    tried = places(whole, random.Random(0), len(whole) if torture else 100)
    for place in tried:
        (journal / "journal").write_bytes(whole[:place])
        assert mended(journal) == records[: whole.count(b"\n", 0, place)]
    print(f"cut at {len(tried)} of {len(whole)} bytes")


def named_files(journal: Path) -> list[Path]:
    """Return the files that its records name: the process may have died before it named others."""
    named = [
        journal / "artifacts" / record[FILED[record["kind"]]]
        for _, record in read(journal)
        if record["kind"] in FILED
    ]
    files = [file for path in named for file in (path, *path.rglob("*")) if file.is_file()]
    return sorted(files)


def test_any_changed_byte_of_an_artifact_is_noticed(journal: Path, torture: bool) -> None:
    chance, tried = random.Random(0), 0
    files = named_files(journal)
    assert files
    for path in files:
        whole, log = path.read_bytes(), (journal / "journal").read_bytes()
        count = min(len(whole), SMALL) if torture else 3
        damaged = [flipped(whole, place, 1) for place in places(whole, chance, count)]
        damaged += [whole[:place] for place in places(whole, chance, count)]
        for content in damaged:
            path.write_bytes(content)
            opened = Journal(journal)
            damage = opened.mend()
            opened.close()
            assert damage is not None, path
            assert "is not what the run wrote" in damage
            (journal / "journal").write_bytes(log)
        path.write_bytes(whole)
        tried += len(damaged)
    print(f"{tried} damages of {len(files)} files")


def test_any_changed_byte_of_a_small_file_is_noticed(journal: Path) -> None:
    """That is a file that is replaced as a whole; its last byte alone, the line's end, is free."""
    found = Counter[str]()
    for name in ("checkpoint", "safe", "delivered"):
        if (journal / name).exists():
            whole = (journal / name).read_bytes()
            opened = Journal(journal)
            for place in range(len(whole) - 1):
                for content in (*(flipped(whole, place, mask) for mask in MASKS), whole[:place]):
                    (journal / name).write_bytes(content)
                    assert opened.kept(name) is None
                    found[name] += 1
            opened.close()
    print(dict(found))


# ---- commands ---------------------------------------------------------------------------------

DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "a bit": lambda whole, chance: flipped(whole, chance.randrange(len(whole)), 1),
    "a byte": lambda whole, chance: flipped(whole, chance.randrange(len(whole)), 0xFF),
    "cut": lambda whole, chance: whole[: chance.randrange(len(whole))],
    "half": lambda whole, _: whole[: len(whole) // 2],
    "empty": lambda *_: b"",
}


def damaged(tree: Tree, chance: random.Random, count: int) -> Iterator[tuple[str, Tree]]:
    """Yield trees with one damage in the spool each, drawn."""
    files = [
        path
        for path, content in tree.items()
        if content and path.startswith("spool/2") and path.rpartition("/")[2] != "reserve"
    ]
    lines = [path for path in files if path.endswith("/journal")]
    for _ in range(count):
        # The journal is the file that matters most.
        path = chance.choice([*files, *lines * 3])
        content = tree[path]
        assert content
        how = chance.choice([*DAMAGES, "gone"])
        left = DAMAGES[how](content, chance) if how != "gone" else None
        if path in lines and b"\n" not in (left or b""):
            continue  # it counts as what a command left that never began
        changed = {name: text for name, text in tree.items() if name != path}
        if left is not None:
            changed[path] = left
        yield f"{how} of {path.partition('/')[2].partition('/')[2]}", changed


@pytest.mark.parametrize("start", STARTS)
def test_commands_end_right_or_say_what_is_damaged(
    machine: Machine,
    starts: dict[str, Tree],
    expected: list[dict[str, object]],
    start: str,
    torture: bool,
) -> None:
    seed = random.randrange(2**32) if torture else 0
    chance = random.Random(seed)
    ends, wrong = Counter[str](), list[str]()
    for what, tree in damaged(starts[start], chance, 400 if torture else 12):
        machine.start(tree)
        (run_id,) = machine.outcomes()
        order = chance.choice([(RESUME, SYNC), (SYNC, RESUME, SYNC), (SYNC,)])
        said = list[str]()
        for command in order:
            done = machine.run([each.replace("RUN", run_id) for each in command])
            said.append(f"{command[0]} {done.code} {done.stderr.strip()}")
        try:
            ends[end_of(machine, expected, said)] += 1
        except AssertionError as error:
            wrong.append(f"{start}, {what}, seed {seed}: {error}: {said}")
            print(wrong[-1])
    print(f"{start}: {dict(ends)}, {len(wrong)} wrong, seed {seed}")
    assert not wrong, wrong[0]


def end_of(machine: Machine, expected: list[dict[str, object]], said: list[str]) -> str:
    """Return how commands ended; AssertionError if badly."""
    text = " ".join(said)
    assert "Traceback" not in text
    assert not any(each.split()[1] not in ("0", "2") for each in said)
    found = own(machine.outcomes(), {})
    if not difference(found, expected):
        return "right"
    # What is not right is reported, and nothing wrong is in the store.
    last = said[-1]
    assert "is damaged" in last or "fitreel resume" in last or "left nothing to resume" in text
    (run,) = found
    files, known = run["files"], expected[0]["files"]
    assert isinstance(files, dict)
    assert isinstance(known, dict)
    assert files.items() <= known.items(), "a wrong artifact"
    assert run["status"] != "FINISHED"
    losses = [each for each in run["metrics"] if each[0] == "loss"]
    assert len(losses) == len(set(losses)), "a loss twice"
    return "reported"
