"""Every call on files, locks and a database fails once in a run, a resume, a sync and others."""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.failing_cases import (
    PREPARATIONS,
    Call,
    Place,
    check,
    complete,
    errors_of,
    numbered,
    outcome,
    prepare_generate,
)
from tests.failing_faults import faults_of, names, try_all
from tests.forked import Forks


@pytest.fixture
def local(commands: Forks, empty_database: Path, tmp_path: Path) -> Place:
    here = tmp_path / "here"
    here.mkdir()
    shutil.copy(empty_database, here)
    place = Place(commands, here, here)
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


@pytest.mark.parametrize("name", names("run", "sync"))
def test_every_call_on_files_and_the_database_fails_once(
    local: Place, name: str, torture: bool
) -> None:
    cases = LocalCases(local)
    calls = cases.count(name)
    print(f"{name}: {len(calls)} calls", dict(Counter(call.split()[0] for call, _ in calls)))
    try_all(name, faults_of(calls, errors_of, torture), cases.attempt)


@pytest.mark.torture
def test_every_call_on_files_fails_once_while_a_store_is_created(local: Place) -> None:
    """MLflow's statements are left out: they go to a draft, which nobody else knows."""
    cases = LocalCases(local)
    calls = [call for call in cases.count("generate") if not call[0].startswith("sql ")]
    print(f"generate: {len(calls)} calls", dict(Counter(call.split()[0] for call, _ in calls)))
    try_all("generate", faults_of(calls, errors_of, torture=True), cases.attempt)
