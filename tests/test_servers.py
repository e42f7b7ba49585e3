"""Each request to a server meets each fault once: refused, reset, late, cut, lost, repeated.

A proxy in front of a real `mlflow server`, with SQLite and with PostgreSQL, misbehaves at one
request; what the command left is then delivered, resumed or repeated.
"""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from tests.failing_faults import Fault, faults_of, names, try_all, warm_forks
from tests.forked import Forks
from tests.postgres import Postgres
from tests.proxy import Proxy, Rule
from tests.servers import Server

ANSWERS = {  # of a server
    "500": Rule("", "", status=500, is_forwarded=False),
    "500 after it was done": Rule("", "", status=500),
    "reset": Rule("", "", is_reset=True, is_forwarded=False),
    "lost": Rule("", "", is_reset=True),
    "empty": Rule("", "", is_forwarded=False, is_empty=True),
    "cut": Rule("", "", is_cut=True),
    "late": Rule("", "", after=1.5),
    "429": Rule("", "", status=429, is_forwarded=False),
    "503": Rule("", "", status=503, is_forwarded=False),
    "404": Rule("", "", status=404, is_forwarded=False),
    "twice": Rule("", "", is_twice=True),
    "again": Rule("", "", again_after=3),
    "overtaken": Rule("", "", is_reset=True, is_forwarded=False, again_after=2),
}
SHORTER = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "1"}  # second, for an answer that is late
LATE = "12 s late"
REALLY_LATE = {LATE: Rule("", "", after=12.0)}
ALL = ("run", "sweep")  # commands in which each request meets each fault, not only one


@pytest.fixture(scope="module")
def forking(request: pytest.FixtureRequest) -> Iterator[Forks]:
    with warm_forks(request.config.getoption("--torture")) as forking:
        yield forking


class FailingProxy(Proxy):
    """A proxy that counts requests of a kind, and answers one of them wrongly."""

    wanted: tuple[Call, str] | None = None
    is_met = False

    def start(self, wanted: tuple[Call, str] | None = None) -> None:
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
            return (ANSWERS | REALLY_LATE)[self.wanted[1]]
        return None


class PostgresPlace(Place):
    """A directory whose store is in PostgreSQL."""

    def use(self, engine: sqlalchemy.Engine) -> "PostgresPlace":
        """Ask this database from now on."""
        self._engine = engine
        return self

    def ask(self, question: str, *values: str) -> Rows:
        """Ask the database."""
        asked = question.replace("%", "%%").replace("?", "%s")
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(asked, values)]


@dataclass
class Store:
    """A server and how to ask its database directly."""

    server: Server
    engine: sqlalchemy.Engine | None

    def place(self, forking: Forks, here: Path, variables: dict[str, str]) -> Place:
        """Return a directory whose commands use the server."""
        if self.engine is None:
            return Place(forking, here, self.server.directory, variables)
        return PostgresPlace(forking, here, self.server.directory, variables).use(self.engine)


@contextmanager
def sqlite(directory: Path) -> Iterator[Store]:
    """Start a server with an SQLite database."""
    with Server(directory) as server:
        yield Store(server, None)


@contextmanager
def postgresql(directory: Path) -> Iterator[Store]:
    """Start a server with a PostgreSQL database."""
    with Postgres() as postgres:
        url = postgres.make("runs")
        engine = sqlalchemy.create_engine(url)
        with Server(directory, url) as server:
            yield Store(server, engine)
        engine.dispose()


@pytest.fixture(
    scope="module",
    params=[sqlite, pytest.param(postgresql, marks=pytest.mark.needs("postgresql"))],
    ids=lambda start: start.__name__,
)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    with request.param(tmp_path_factory.mktemp("server")) as store:
        yield store


@dataclass
class RemoteCases:
    """A command that starts in a new experiment each time; a request fails in it."""

    place: Place
    proxy: FailingProxy
    compared: list[str] = field(default_factory=list)
    tried: int = 0

    def run(self, name: str, wanted: Fault | None = None) -> str:
        """Prepare and run the command, then complete it; return how it ended."""
        self.tried += 1
        place = self.place
        known = set(place.runs(set()))
        self.proxy.start()
        experiment = ["--experiment", f"case-{name}-{self.tried}"]
        if name == "compare":  # the same runs each time: their ids and names are on its page
            self.compared = self.compared or prepare_compare(place)
            command, known = [*self.compared, *experiment], set(place.runs(set()))
        else:
            command = PREPARATIONS[name](place, *experiment)
        self.proxy.start(wanted)
        usual = place.variables
        place.variables = usual | (SHORTER if wanted and wanted[1] == "late" else {})
        done = place.run(*command)
        place.variables = usual
        self.proxy.release(every=True)
        requests, is_met = list(self.proxy.requests), self.proxy.is_met
        if wanted is None:
            assert done.code == 0, done
            (run_id,) = place.runs(known)
            self.expected = outcome(place, run_id)
            self.requests = numbered(requests)
            return ""
        try:
            ended = check(place, command, known, done)
            complete(place, command, known, done, self.expected)
        except AssertionError as trouble:
            shutil.rmtree(place.here / "spool")
            raise AssertionError(f"{trouble}\n{done.stderr}") from trouble
        return ended if is_met else "not reached"


@pytest.mark.parametrize("name", names("run"))
def test_every_request_to_a_server_meets_every_fault(
    forking: Forks, store: Store, tmp_path: Path, name: str, torture: bool
) -> None:
    (tmp_path / "here").mkdir()
    with FailingProxy(store.server.url) as proxy:
        place = store.place(forking, tmp_path / "here", {"MLFLOW_TRACKING_URI": proxy.url})
        cases = RemoteCases(place, proxy)
        cases.run(name)
        print(f"{name}: {len(cases.requests)} requests")
        if os.environ.get("ONLY"):
            for each in cases.requests: print(each)
        only = os.environ.get("ONLY")
        faults = [(c, a) for c in cases.requests for a in only.split(",")] if only else faults_of(cases.requests, lambda _: tuple(ANSWERS), torture)
        started = time.monotonic()
        try_all(name, faults, lambda *wanted: cases.run(name, wanted))
        print(time.monotonic() - started)
