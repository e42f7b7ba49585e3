"""All orders in which commands can take their steps: each is run, one step at a time."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

LIMIT = 60.0  # seconds for one step: a test fails instead of hanging


@dataclass(eq=False)
class Actor:
    """A thread that takes a step when it is its turn."""

    name: str
    act: Callable[[], None]
    at: str = "start"  # the step that it would take next
    is_done: bool = False
    may_go: Callable[[], bool] = lambda: True
    error: BaseException | None = None
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@dataclass(frozen=True)
class Choice:
    """Whose turn it was, who else could have had it, and how often an actor was broken off."""

    actor: int
    others: tuple[int, ...]
    breaks: int


class Schedule:
    """One order of the steps of some actors: as given at first, then each to its end."""

    def __init__(self, actors: Sequence[Actor]) -> None:
        self.given: Sequence[int] = ()
        self.choices: list[Choice] = []
        self.steps: list[str] = []
        self._actors = actors
        self._here = threading.local()
        self._back = threading.Semaphore(0)

    def pause(self, step: str, may_go: Callable[[], bool] = lambda: True) -> None:
        """Wait for the turn of this thread; do nothing in one that is not an actor."""
        actor: Actor | None = getattr(self._here, "actor", None)
        if actor is None:
            return
        actor.at, actor.may_go = step, may_go
        self._back.release()
        actor.turn.acquire()

    def run(self) -> None:
        """Run all actors to their ends; raise what one of them raised."""
        # daemon: one that hangs must not keep the tests alive.
        threads = [
            threading.Thread(target=self._act, args=[each], daemon=True) for each in self._actors
        ]
        for thread in threads:
            thread.start()
            self._wait()
        last, breaks = 0, 0
        while waiting := [n for n, each in enumerate(self._actors) if not each.is_done]:
            able = [number for number in waiting if self._actors[number].may_go()]
            assert able, f"all wait: {[self._actors[number].at for number in waiting]}"
            place = len(self.choices)
            usual = last if last in able else able[0]
            chosen = self.given[place] if place < len(self.given) else usual
            breaks += last in able and chosen != last
            others = tuple(number for number in able if number != chosen)
            self.choices.append(Choice(chosen, others, breaks))
            self.steps.append(f"{self._actors[chosen].name}: {self._actors[chosen].at}")
            self._actors[chosen].turn.release()
            self._wait()
            last = chosen
        for thread in threads:
            thread.join()
        for actor in self._actors:
            if actor.error:
                raise actor.error

    def _wait(self) -> None:
        assert self._back.acquire(timeout=LIMIT), self.steps[-1:]

    def _act(self, actor: Actor) -> None:
        self._here.actor = actor
        self.pause("start")
        try:
            actor.act()
        except BaseException as error:
            actor.error = error
        actor.is_done = True
        self._back.release()


def all_schedules(
    run: Callable[[Sequence[int]], Schedule], most_breaks: int, stride: int = 1
) -> Iterator[Schedule]:
    """Yield every schedule in which actors are broken off at most so often, each once.

    With a stride those that part from another at every so many steps. ``run`` runs the actors from
    the same start again, with the first choices given.
    """
    given: list[list[int]] = [[]]
    while given:
        first = given.pop()
        done = run(first)
        yield done
        chosen = [each.actor for each in done.choices]
        for place in range(len(first), len(chosen), stride):
            choice = done.choices[place]
            last = chosen[place - 1] if place else 0
            could_stay = last == choice.actor or last in choice.others
            before = done.choices[place - 1].breaks if place else 0
            given += [
                [*chosen[:place], other]
                for other in choice.others
                if before + (could_stay and other != last) <= most_breaks
            ]
