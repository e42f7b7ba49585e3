"""Every call fails once: on files, locks and a database, and every request to a server."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet

from tests.failing import NAMES
from tests.failing_cases import (
    PREPARATIONS,
    RUN,
    SWEEP,
    Call,
    Place,
    check,
    complete,
    errors_of,
    numbered,
    outcome,
    prepare_compare,
    prepare_generate,
)
from tests.forked import ALL, Forks, forks
from tests.proxy import Proxy, Rule
from tests.servers import Server

SAMPLE = 3  # faults of a command in the short version
ANSWERS = {  # of a server
    "429": Rule("", "", status=429, is_forwarded=False),
    "500": Rule("", "", status=500, is_forwarded=False),
    "503": Rule("", "", status=503, is_forwarded=False),
    "500 after it was done": Rule("", "", status=500),
    "reset": Rule("", "", is_reset=True, is_forwarded=False),
    "lost": Rule("", "", is_reset=True),
    "cut": Rule("", "", is_cut=True),
}
Fault = TypeVar("Fault")


def commands(*short: str) -> list[ParameterSet]:
    """Return the names of all commands; those that are not named are for the long version."""
    marks = {name: [] if name in short else [pytest.mark.torture] for name in PREPARATIONS}
    return [pytest.param(name, marks=marks[name]) for name in PREPARATIONS]


@pytest.fixture(scope="module")
def forking(request: pytest.FixtureRequest) -> Iterator[Forks]:
    more = (SWEEP, [*RUN, "--lr", "0.2"], ["compare", "--best", "2"])
    first = (RUN, *(more if request.config.getoption("--torture") else ()))
    with forks(*ALL, "tests.failing", first=first) as forking:
        yield forking


def spread(faults: Sequence[Fault], torture: bool) -> Sequence[Fault]:
    """Return all faults, or some from the first to the last."""
    return faults if torture else faults[len(faults) // SAMPLE // 2 :: len(faults) // SAMPLE]


def try_all(name: str, faults: Sequence[tuple[Call, str]], attempt: Callable[..., str]) -> None:
    """Make each call fail with its error; print how often it ended how, and report all trouble."""
    ended, troubles = Counter[str](), list[str]()
    for call, error in faults:
        try:
            ended[attempt(call, error)] += 1
        except (AssertionError, OSError) as trouble:
            troubles.append(f"{call}, {error}: {trouble}")
    print(f"{name}: {len(faults)} faults: {dict(ended)}, {len(troubles)} troubles")
    assert not troubles, "\n\n".join(troubles)


# ---- files, locks and a database --------------------------------------------------------------


@pytest.fixture
def local(forking: Forks, empty_database: Path, tmp_path: Path) -> Place:
    here = tmp_path / "here"
    here.mkdir()
    shutil.copy(empty_database, here)
    place = Place(forking, here, here)
    # Its artifacts would lie where the database was created.
    place.ask("UPDATE experiments SET artifact_location = ?", str(here / "mlruns" / "0"))
    return place


@dataclass
class LocalCases:
    """A command that starts from the same files each time; a call fails in it."""

    place: Place

    def count(self, name: str) -> list[Call]:
        """Run the command undisturbed; return its calls."""
        place = self.place
        self.command = (PREPARATIONS | {"generate": prepare_generate})[name](place)
        self.known = set(place.runs(set())) if name == "compare" else set()
        place.keep()
        done = place.run_failing(*self.command)
        assert done.code == 0, done
        (run_id,) = place.runs(self.known)
        self.expected = outcome(place, run_id)
        assert self.expected["status"] == "FINISHED"
        return numbered(place.trace.read_text().splitlines())

    def attempt(self, call: Call, error: str) -> str:
        """Make a call fail, then complete the command; return how it ended."""
        place = self.place
        place.bring_back()
        done = place.run_failing(*self.command, call=call, error=error)
        failed = place.trace.read_text().partition("\nFAILED ")[2].partition("\n")[0]
        if not failed:  # threads do not call in the same order each time
            return "not reached"
        try:
            ended = check(place, self.command, self.known, done)
            complete(place, self.command, self.known, done, self.expected)
        except AssertionError as trouble:
            raise AssertionError(f"{trouble}\n{done.stderr}\nat {failed}") from trouble
        return ended


@pytest.mark.parametrize("name", commands("run", "sync"))
def test_every_call_on_files_and_the_database_fails_once(
    local: Place, name: str, torture: bool
) -> None:
    cases = LocalCases(local)
    calls = cases.count(name)
    print(f"{name}: {len(calls)} calls", dict(Counter(call.split()[0] for call, _ in calls)))
    faults = [(call, error) for call in calls for error in errors_of(call)]
    try_all(name, spread(faults, torture), cases.attempt)


# ---- requests to a server ---------------------------------------------------------------------


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
            return ANSWERS[self.wanted[1]]
        return None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@dataclass
class RemoteCases:
    """A command that starts in a new experiment each time; a request fails in it."""

    place: Place
    proxy: FailingProxy
    compared: list[str] = field(default_factory=list)
    tried: int = 0

    def run(self, name: str, wanted: tuple[Call, str] | None = None) -> str:
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
        done = place.run(*command)
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


@pytest.mark.torture
def test_every_call_on_files_fails_once_while_a_store_is_created(local: Place) -> None:
    """MLflow's statements are left out: they go to a draft, which nobody else knows."""
    cases = LocalCases(local)
    calls = [call for call in cases.count("generate") if not call[0].startswith("sql ")]
    print(f"generate: {len(calls)} calls", dict(Counter(call.split()[0] for call, _ in calls)))
    faults = [(call, error) for call in calls for error in errors_of(call)]
    try_all("generate", faults, cases.attempt)


@pytest.mark.parametrize("name", commands("run"))
def test_every_request_to_a_server_fails_once(
    forking: Forks, server: Server, tmp_path: Path, name: str, torture: bool
) -> None:
    (tmp_path / "here").mkdir()
    with FailingProxy(server.url) as proxy:
        variables = {"MLFLOW_TRACKING_URI": proxy.url}
        place = Place(forking, tmp_path / "here", server.directory, variables)
        cases = RemoteCases(place, proxy)
        cases.run(name)
        print(f"{name}: {len(cases.requests)} requests")
        faults = [(request, error) for request in cases.requests for error in ANSWERS]
        try_all(name, spread(faults, torture), lambda *wanted: cases.run(name, wanted))
