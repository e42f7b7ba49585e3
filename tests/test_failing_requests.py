"""Every request to a server fails once: refused, reset, cut, or done and its answer lost."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.failing import NAMES
from tests.failing_cases import (
    PREPARATIONS,
    Call,
    Place,
    check,
    complete,
    numbered,
    outcome,
    prepare_compare,
)
from tests.failing_faults import faults_of, names, try_all, warm_forks
from tests.forked import Forks
from tests.proxy import Proxy, Rule
from tests.servers import Server

ANSWERS = {  # of a server
    "429": Rule("", "", status=429, is_forwarded=False),
    "500": Rule("", "", status=500, is_forwarded=False),
    "503": Rule("", "", status=503, is_forwarded=False),
    "500 after it was done": Rule("", "", status=500),
    "reset": Rule("", "", is_reset=True, is_forwarded=False),
    "lost": Rule("", "", is_reset=True),
    "cut": Rule("", "", is_cut=True),
}


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


@pytest.mark.parametrize("name", names("run"))
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
        faults = faults_of(cases.requests, lambda _: tuple(ANSWERS), torture)
        try_all(name, faults, lambda *wanted: cases.run(name, wanted))
