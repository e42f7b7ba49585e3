"""Two commands at once on one run, in every order of their steps: one works, the other says so.

In every order in which commands are broken off twice at most, that is: between two breaks each runs
on, as a system lets it. `make test` tries those with one break, at every ninth step.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from fitreel.tracking import Patience, Tracker, interrupted, sync
from fitreel.tracking.reaper import examine, reap
from tests.modelled import Content, Opened, SteppedCourier, Store, modelled_store
from tests.schedules import Actor, Schedule, all_schedules
from tests.simulation import Death, Process

# Steps that another command cannot notice.
UNSEEN = {"open", "fsync", "ftruncate"}
PLAN = {"command": "run"}
SHORT = Content(epochs=2, metrics={"value1": 0.5}, files={"a.csv": b"1,2"})
WHOLE = Content(6, {"value1": 0.5}, {"a.csv": b"1,2", "b.txt": b"3"})


@pytest.fixture
def store(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with modelled_store(tmp_path, empty_database, monkeypatch) as store:
        yield store


# What commands say: that they did the work, that another does it, that it is done.
DONE, SO_FAR, KILLED = "finished", "delivered so far", "delivered, KILLED"
ALIVE, NOTHING = "its process is alive", "nothing to do"
ONE, NONE = "1 closed", "0 closed"


@dataclass(frozen=True)
class Sweeping:
    """A sweep that is open, and the courier of its process."""

    process: Process
    courier: SteppedCourier


class Commands:
    """The commands of a test, each in a process of its own, and what each said."""

    def __init__(self, store: Store, names: Sequence[str] = (), content: Content = WHOLE) -> None:
        self.store = store
        self.machine = store.machine
        self.content = content  # of the run in the end
        self.said = [""] * len(names)
        self.actors = [self._actor(place, name) for place, name in enumerate(names)]
        self.schedule = Schedule(self.actors)
        self.sweeping: Sweeping | None = None

    def _actor(self, place: int, name: str) -> Actor:
        process = self.machine.start()

        def act() -> None:
            with self.machine.running(process):
                self.said[place] = getattr(self, name)()
            self.machine.end(process)

        return Actor(name, act)

    def tracker(self) -> Tracker:
        return Tracker(self.store.uri, "sequences", patience=Patience(0.0))

    def start(self) -> str:
        """Run a command from its start to its end."""
        with self.tracker().run(plan=PLAN) as run:
            opened = Opened(run)
            opened.compute(SHORT)
            SteppedCourier.of(run.run_id).step()
            opened.compute(self.content)
        return DONE

    def sweep(self) -> str:
        """Log trials, which another thread delivers meanwhile."""
        with self.tracker().run(plan=PLAN) as run:
            courier = SteppedCourier.of(run.run_id)
            self.sweeping = Sweeping(self.machine.current, courier)
            # The end only waits for the other thread.
            (other,) = [each for each in self.actors if each.name == "courier"]
            courier.before_the_end = lambda: self.schedule.pause("end", lambda: other.is_done)
            opened = Opened(run)
            for trials in (1, 2):
                opened.compute(Content(trials=trials))
        return DONE

    def courier(self) -> str:
        """Deliver what a sweep logs, as a thread of its process."""
        self.schedule.pause("wait for a sweep", lambda: self.sweeping is not None)
        assert self.sweeping
        with self.machine.running(self.sweeping.process):
            for _ in range(2):
                self.sweeping.courier.step()
        return DONE

    def resume(self) -> str:
        """Resume the run, as the command does, once it is there."""
        self.schedule.pause("wait for a run", lambda: bool(self.store.runs()))
        (run_id,) = self.store.runs()
        opening = interrupted(run_id, self.store.uri)
        try:
            found = next(opening, None)
        except BlockingIOError as error:
            return str(error).removeprefix(f"run {run_id} is not interrupted: ")
        if found is None:
            return NOTHING
        with self.tracker().resume(found.journal, found.run_id) as run:
            courier, opened = SteppedCourier.of(run_id), Opened(run)
            courier.step()
            opened.compute(self.content)
            while courier.step():
                pass
            assert self.store.runs()[run_id] == ("RUNNING", "active")
        assert next(opening, None) is None
        return DONE

    def sync(self) -> str:
        texts = [each.text for each in sync()]
        assert len(texts) <= 1
        return next((each for each in (SO_FAR, KILLED, ALIVE) if each in " ".join(texts)), NOTHING)

    def reap(self) -> str:
        tracker = self.tracker()
        found = [reap(tracker, each) for each in examine(tracker, 3600) if each.status]
        return f"{sum(found)} closed"

    def die(self, *, has_plan: bool = True) -> None:
        """Leave a run whose process died when a part of it was delivered."""
        process = self.machine.start()
        with self.machine.running(process):
            context = self.tracker().run(plan=PLAN if has_plan else None)
            run = context.__enter__()
            Opened(run).compute(SHORT)
            for _ in range(2):
                SteppedCourier.of(run.run_id).step()
            process.is_alive = False
            context.__exit__(Death, Death(), None)


def nothing(_: Commands) -> None:
    """Start with an empty spool."""


def dead(commands: Commands) -> None:
    """Start with a run whose process died."""
    commands.die()


def dead_for_good(commands: Commands) -> None:
    """Start with a run whose process died, and that cannot be resumed."""
    commands.die(has_plan=False)


@dataclass(frozen=True)
class Case:
    """Commands that run at once, what is there before, and what they may say in the end."""

    prepare: Callable[[Commands], None]
    names: tuple[str, ...]
    said: set[tuple[str, ...]]
    content: Content = WHOLE


CASES = [
    Case(
        dead,
        ("resume", "resume"),
        {(DONE, ALIVE), (DONE, NOTHING), (ALIVE, DONE), (NOTHING, DONE)},
    ),
    Case(nothing, ("start", "sync"), {(DONE, ALIVE), (DONE, NOTHING)}),
    Case(nothing, ("start", "start"), {(DONE, DONE)}),
    Case(nothing, ("start", "reap"), {(DONE, NONE)}),
    Case(
        dead,
        ("resume", "sync"),
        {(DONE, SO_FAR), (DONE, ALIVE), (DONE, NOTHING), (ALIVE, SO_FAR)},
    ),
    Case(dead, ("sync", "sync"), {(SO_FAR, SO_FAR), (SO_FAR, ALIVE), (ALIVE, SO_FAR)}),
    Case(
        dead_for_good,
        ("sync", "sync"),
        {(KILLED, ALIVE), (KILLED, NOTHING), (ALIVE, KILLED), (NOTHING, KILLED)},
        SHORT,
    ),
    # To close a run, reap locks its journal for a moment.
    Case(dead, ("resume", "reap"), {(DONE, ONE), (DONE, NONE), (ALIVE, ONE)}),
    Case(dead_for_good, ("sync", "reap"), {(KILLED, ONE), (KILLED, NONE), (ALIVE, ONE)}, SHORT),
    Case(
        nothing,
        ("sweep", "courier", "resume"),
        {(DONE, DONE, ALIVE), (DONE, DONE, NOTHING)},
        Content(trials=2),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{' and '.join(case.names)}")
def test_one_command_works_and_the_other_says_so(store: Store, torture: bool, case: Case) -> None:
    case.prepare(Commands(store))
    start, count, steps = store.kept(), Counter[tuple[str, ...]](), 0

    def run(given: Sequence[int]) -> Schedule:
        store.restore(start)
        commands = Commands(store, case.names, case.content)
        schedule = commands.schedule
        schedule.given = given
        store.machine.pause = lambda step: None if step in UNSEEN else schedule.pause(step)
        try:
            schedule.run()
            store.machine.pause = lambda _: None
            assert tuple(commands.said) in case.said
            check_the_end(commands, case)
        except BaseException:
            print(*schedule.steps, commands.said, sep="\n")
            raise
        count[tuple(commands.said)] += 1
        return schedule

    for schedule in all_schedules(run, *((2, 1) if torture else (1, 9))):
        steps = max(steps, len(schedule.choices))
    print(f"{count.total()} orders of {' and '.join(case.names)}, {steps} steps:", dict(count))


def check_the_end(commands: Commands, case: Case) -> None:
    """Assert that nothing is locked, and that the run is right once it is resumed."""
    store = commands.store
    assert not any(each.locks for each in store.machine.processes.values())
    if store.journals():
        is_for_good = case.prepare is dead_for_good
        ending = Commands(store, ["sync" if is_for_good else "resume"], case.content)
        ending.actors[0].act()
        assert ending.said == [KILLED if is_for_good else DONE]
    for run_id, (status, stage) in store.runs().items():
        assert status == ("KILLED" if case.prepare is dead_for_good else "FINISHED")
        assert (stage, store.content(run_id)) == ("active", case.content)
    assert [path.name for path in store.spool.iterdir()] == ["fitreel-spool"]
