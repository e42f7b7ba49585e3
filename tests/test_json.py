"""--json: one object on standard output, with the keys that docs/runs.md lists."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.app import app
from pipeline.shared.result import print_json
from tests import processes
from tests.conftest import ROOT
from tests.needs import is_met, require

SHORT = ("--epochs", "20", "--max-frames", "3")
COMMANDS = {  # in this order; RUN is the run that generate printed
    "run": SHORT,
    "generate": (),
    "train": ("--run", "RUN", "--epochs", "20", "--lr", "0.2"),
    "evaluate": ("--run", "RUN"),
    "animate": ("--run", "RUN", "--max-frames", "3"),
    "compare": ("--out", "compared"),
    "sweep": ("--trials", "2", "--epochs", "20"),
    "resume": ("RUN",),
    "predict": ("--run", "RUN", "--data", "points.csv", "--out", "predictions.csv"),
    "export": ("RUN", "--out", "written.onnx"),
    "show": ("RUN",),
    "list": (),
    "open": ("RUN",),
    "watch": ("RUN",),
    "reproduce": ("RUN",),
    "reap": (),
    "sync": (),
    "doctor": (),
}
NEEDS = {"export": "onnx"}


def documented() -> dict[str, tuple[set[str], dict[str, set[str]]]]:
    """Return the keys of each command's object, and those of the objects in its lists."""
    page = (ROOT / "docs/runs.md").read_text(encoding="utf-8").partition("## For scripts")[2]
    keys = dict[str, tuple[set[str], dict[str, set[str]]]]()
    for commands, text in re.findall(r"^\| (`.*?) \| (.*?) \|$", page, re.MULTILINE):
        outer, _, inner = text.partition(": of each ")
        found = set(re.findall(r"`(\w+)`", outer))
        if text.startswith("the same without"):
            found = keys["run"][0] - found
        names = re.findall(r"`(\w+)`", inner)
        within = {re.findall(r"`(\w+)`", outer)[-1]: set(names)} if names else {}
        for command in re.findall(r"`(\w+)`", commands):
            keys[command] = (found, within)
    return keys


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Run every command with --json; return what each printed."""
    directory = tmp_path_factory.mktemp("json")
    (directory / "points.csv").write_text("x\n0.5\n")
    printed = dict[str, dict[str, Any]]()
    for command, options in COMMANDS.items():
        if command in NEEDS and not is_met(NEEDS[command]):
            continue
        words = (printed["generate"]["run_id"] if word == "RUN" else word for word in options)
        own = {"BROWSER": "true %s", "FITREEL_SPOOL": str(directory / "spool")}
        code, output, errors = processes.run(command, *words, "--json", directory=directory, **own)
        assert code == 0, errors
        assert output.count("\n") == 1
        printed[command] = json.loads(output)
    return printed


def test_every_command_has_it_and_is_documented() -> None:
    names = {
        each.name or each.callback.__name__ for each in app.registered_commands if each.callback
    }
    assert names - {"either"} | {"sweep"} == set(COMMANDS) == set(documented())


@pytest.mark.parametrize("command", COMMANDS)
def test_an_object_has_the_documented_keys(
    printed: dict[str, dict[str, Any]], command: str
) -> None:
    if command in NEEDS:
        require(NEEDS[command])
    outer, within = documented()[command]
    assert set(printed[command]) == outer
    for name, keys in within.items():
        assert all(set(each) == keys for each in printed[command][name])


def test_the_values_are_those_of_the_run(printed: dict[str, dict[str, Any]]) -> None:
    assert printed["animate"]["run_id"] == printed["train"]["run_id"]
    assert printed["show"] | {"copies": []} == printed["animate"] == printed["resume"]
    assert printed["show"]["params"]["lr"] == "0.2"
    assert Path(printed["show"]["files"]["rst.gif"]).is_file()
    copies = [Path(copy) for copy in printed["compare"]["copies"]]
    assert {copy.parent.name for copy in copies} == {"compared"}
    assert all(copy.is_file() for copy in copies)
    assert printed["reproduce"]["identical"] is True
    assert printed["watch"]["status"] == printed["show"]["status"] == "FINISHED"
    assert {run["run_id"] for run in printed["list"]["runs"]} == {
        printed[command]["run_id"] for command in ("run", "generate", "compare", "sweep")
    }
    assert {each["outcome"] for each in printed["doctor"]["checks"]} <= {"ok", "note"}
    assert printed["reap"] == {"runs": []}
    assert printed["sync"] == {"journals": []}


def test_numbers_that_are_not_finite_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": Path("x")}, "e": "…"})
    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "b": [None, 1.5],
        "c": {"d": "x"},
        "e": "…",
    }
