"""Each request to a server meets each fault once: refused, reset, late, cut, lost, repeated.

A proxy in front of a real `mlflow server`, with SQLite and with PostgreSQL, misbehaves at one
request. What the command left is then delivered, resumed or repeated.
"""

import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest
import sqlalchemy

from tests.failing import NAMES
from tests.failing_cases import (
    PREPARATIONS,
    Call,
    Place,
    Rows,
    check,
    complete,
    numbered,
    outcome,
    prepare_compare,
)
from tests.failing_faults import Fault, faults_of, try_all
from tests.forked import Done, Forks
from tests.postgres import Postgres
from tests.proxy import Proxy, Rule
from tests.servers import Server

ANSWERS = {  # of a server
    "500": Rule("", "", status=500, is_forwarded=False),
    "500 after it was done": Rule("", "", status=500),
    "reset": Rule("", "", is_reset=True, is_forwarded=False),
    "reset after it was done": Rule("", "", is_reset=True),
    "empty after it was done": Rule("", "", is_empty=True),
    "cut": Rule("", "", is_cut=True),
    "late": Rule("", "", after=1.5),
    "429": Rule("", "", status=429, is_forwarded=False),
    "503": Rule("", "", status=503, is_forwarded=False),
    "404": Rule("", "", status=404, is_forwarded=False),
    "done twice": Rule("", "", is_twice=True),
    "done again later": Rule("", "", again_after=3),
    "done later, after a reset": Rule("", "", is_reset=True, is_forwarded=False, again_after=2),
}
SOME = 3  # of the faults, in the short version
IMPATIENT = {"late": {"MLFLOW_HTTP_REQUEST_TIMEOUT": "1"}}  # seconds
NOT_DONE = {"empty": Rule("", "", is_forwarded=False, is_empty=True)}
REALLY_LATE = {"12 s late": Rule("", "", after=12.0)}


def case(database: str, name: str, *, is_long: bool = True) -> object:
    needs = [pytest.mark.needs("postgresql")] if database == "postgresql" else []
    return pytest.param(database, name, marks=[*needs, *[pytest.mark.torture] * is_long])


ALL = [  # where each request meets each fault
    case("sqlite", "run", is_long=False),
    case("sqlite", "sweep"),
    case("postgresql", "run"),
    case("postgresql", "sweep", is_long=False),
]
OTHERS = [case("sqlite", name) for name in ("resume", "sync", "compare")]


class FailingProxy(Proxy):
    """A proxy that counts requests of a kind, and answers one of them wrongly."""

    wanted: tuple[Call, Rule] | None = None
    is_met = False

    def start(self, wanted: tuple[Call, Rule] | None = None) -> None:
        """Count from now on; answer wrongly what is wanted."""
        self.requests, self.wanted, self.is_met = list[str](), wanted, False

    def rule(self, method: str, path: str) -> Rule | None:
        """Return what happens to a request."""
        for pattern, name in (NAMES | {r"case-\d+": "CASE", r"\b\d+\b": "N"}).items():
            path = re.sub(pattern, name, path)
        request = f"{method} {path}"
        self.requests.append(request)
        if self.wanted and self.wanted[0] == (request, self.requests.count(request)):
            self.is_met = True
            return self.wanted[1]
        return None


@dataclass
class PostgresPlace(Place):
    """A directory with a spool, and a store in PostgreSQL."""

    engine: sqlalchemy.Engine = field(kw_only=True)

    def ask(self, question: str, *values: str) -> Rows:
        """Ask the database."""
        asked = question.replace("%", "%%").replace("?", "%s")
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(asked, values)]


@dataclass
class Store:
    """A server, and how to ask its database without it."""

    server: Server
    engine: sqlalchemy.Engine | None = None

    def place(self, commands: Forks, here: Path, url: str) -> Place:
        """Return a directory whose commands ask the server at this address."""
        here.mkdir()
        known = (commands, here, self.server.directory, {"MLFLOW_TRACKING_URI": url})
        return PostgresPlace(*known, engine=self.engine) if self.engine else Place(*known)


@pytest.fixture(scope="module")
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    directory = tmp_path_factory.mktemp("server")
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield Store(stack.enter_context(Server(directory)))
            return
        url = stack.enter_context(Postgres()).make("runs")
        engine = sqlalchemy.create_engine(url)
        stack.callback(engine.dispose)
        yield Store(stack.enter_context(Server(directory, url)), engine)


@dataclass
class RemoteCases:
    """A command that starts in a new experiment each time; a request fails in it."""

    name: str
    place: Place
    proxy: FailingProxy
    answers: Mapping[str, Rule]
    compared: list[str] = field(default_factory=list)
    tried: int = 0

    def count(self) -> list[Call]:
        """Run the command undisturbed; return its requests."""
        done, known, _ = self._run()
        assert done.code == 0, done
        (run_id,) = self.place.runs(known)
        self.expected = outcome(self.place, run_id)
        print(f"{self.name}: {len(self.proxy.requests)} requests")
        return numbered(self.proxy.requests)

    def attempt(self, call: Call, answer: str) -> str:
        """Run the command, of which a request fails, then complete it; return how it ended."""
        done, known, command = self._run((call, answer))
        try:
            ended = check(self.place, command, known, done)
            complete(self.place, command, known, done, self.expected)
        except AssertionError as trouble:
            shutil.rmtree(self.place.here / "spool")
            raise AssertionError(f"{trouble}\n{done.stderr}") from trouble
        return ended if self.proxy.is_met else "not reached"

    def _run(self, fault: Fault | None = None) -> tuple[Done, set[str], list[str]]:
        """Prepare and run the command; return its end, the runs before it, and the command."""
        place, proxy = self.place, self.proxy
        self.tried += 1
        experiment = ["--experiment", f"case-{self.name}-{self.tried}"]
        known = set(place.runs(set()))
        proxy.start()
        if self.name == "compare":  # the same runs each time: their ids and names are on its page
            self.compared = self.compared or prepare_compare(place)
            command, known = [*self.compared, *experiment], set(place.runs(set()))
        else:
            command = PREPARATIONS[self.name](place, *experiment)
        usual = place.variables
        if fault:
            place.variables = usual | IMPATIENT.get(fault[1], {})
        proxy.start((fault[0], self.answers[fault[1]]) if fault else None)
        done = place.run(*command)
        proxy.wanted, place.variables = None, usual
        proxy.release(every=True)
        return done, known, command


@contextmanager
def cases(
    name: str, store: Store, commands: Forks, directory: Path, answers: Mapping[str, Rule] = ANSWERS
) -> Iterator[RemoteCases]:
    """Start a proxy in front of a server, for the cases of a command."""
    with FailingProxy(store.server.url) as proxy:
        yield RemoteCases(
            name, store.place(commands, directory / "here", proxy.url), proxy, answers
        )


def spread(calls: Sequence[Call], answers: Collection[str], many: int) -> list[Fault]:
    """Return so many calls, from the first to the last, and for each another answer."""
    places = [(2 * number + 1) / (2 * many) for number in range(many)]
    every = list(answers)
    return [(calls[int(len(calls) * at)], every[int(len(every) * at)]) for at in places]


@pytest.mark.parametrize(("store", "name"), ALL, indirect=["store"])
def test_each_request_meets_each_fault(
    commands: Forks, store: Store, tmp_path: Path, name: str, torture: bool
) -> None:
    with cases(name, store, commands, tmp_path) as some:
        calls = some.count()
        every = list(product(calls, ANSWERS))
        try_all(name, every if torture else spread(calls, ANSWERS, SOME), some.attempt)


@pytest.mark.parametrize(("store", "name"), OTHERS, indirect=["store"])
def test_each_request_of_other_commands_meets_a_fault(
    commands: Forks, store: Store, tmp_path: Path, name: str
) -> None:
    with cases(name, store, commands, tmp_path) as some:
        faults = faults_of(some.count(), lambda _: tuple(ANSWERS), torture=True)
        try_all(name, faults, some.attempt)


@pytest.mark.torture
@pytest.mark.parametrize(("store", "name"), ALL, indirect=["store"])
def test_an_answer_is_12_seconds_late(
    commands: Forks, store: Store, tmp_path: Path, name: str
) -> None:
    with cases(name, store, commands, tmp_path, REALLY_LATE) as some:
        firsts = [call for call in some.count() if call[1] == 1]
        try_all(name, list(product(firsts, REALLY_LATE)), some.attempt)


@pytest.mark.torture
@pytest.mark.parametrize(("store", "name"), ALL, indirect=["store"])
def test_an_answer_is_empty_and_nothing_was_done(
    commands: Forks, store: Store, tmp_path: Path, name: str
) -> None:
    with cases(name, store, commands, tmp_path, NOT_DONE) as some:
        try_all(name, list(product(some.count(), NOT_DONE)), some.attempt)
