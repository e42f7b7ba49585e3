"""Invalid and hostile input, and unusual but valid input: the cases are in tests/corpus.

Every case is tried with every command that takes such input. Invalid input is an error in one line
with exit code 2, and nothing else happens; unusual but valid input is read.
"""

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
import yaml

from fitreel.checks.files import sha256
from fitreel.checks.text import shown
from fitreel.data.files import load_dataset
from fitreel.settings import (
    CheckpointSettings,
    ComparisonSettings,
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    ImageSettings,
    LiveSettings,
    PlayerSettings,
    Settings,
    SweepSettings,
    TrainingSettings,
    range_text,
)
from tests.conftest import ROOT
from tests.forked import Done, Forks, forks, run_alone
from tests.inputs import place, text

# Which command takes which input. Add a new command to every line that applies to it.
SETTINGS: dict[str, list[type[Settings]]] = {
    "run": [
        DataSettings,
        TrainingSettings,
        CheckpointSettings,
        LiveSettings,
        EvaluationSettings,
        FilmSettings,
        PlayerSettings,
        ImageSettings,
    ],
    "generate": [DataSettings],
    "train": [TrainingSettings, CheckpointSettings, LiveSettings],
    "evaluate": [EvaluationSettings],
    "animate": [FilmSettings, PlayerSettings, ImageSettings],
    "sweep": [SweepSettings],  # the shared settings of its trials are read as in the stages
    "compare": [ComparisonSettings],
}
TARGETED = {
    "run": ["run", "generate", "train", "evaluate", "animate", "sweep"],
    "name": ["run", "generate", "train", "evaluate", "animate", "sweep", "compare"],
    "experiment": ["run", "generate", "train", "evaluate", "animate", "sweep", "compare"],
    "tracking_uri": ["run", "generate", "train", "evaluate", "animate", "sweep", "compare"],
    "runs": ["compare"],
    "filter": ["compare"],
    "out": ["compare"],
}
# The same for commands that take a run as argument (ARGUED), or a store but no options (STORED).
# True: the command reports an error of the store in one line. False: it does not ask the store for
# an unknown run, or reports the error in a table or for one run among others.
ARGUED = {"resume": True, "reproduce": True, "sync": False, "compare": False}
STORED = {"reap": True, "reproduce": True, "resume": True, "sync": False, "doctor": False}
DATASET = "data/dataset.csv"
READERS = {
    DATASET: ["train", "evaluate", "animate", "compare"],
    "weights.safetensors": ["evaluate"],
    "training/history.csv": ["animate", "compare"],
    "training/frames.safetensors": ["animate", "compare"],
    "rst.gif": ["animate"],
}
# The run that a command reads, and the options that shorten the command. The run is passed to every
# command except compare, which finds it and the other one.
READS = {"train": "points", "evaluate": "trained", "animate": "trained", "compare": "trained"}
SHORT = {
    "run": ["--epochs", "4", "--samples", "9"],
    "generate": ["--samples", "9"],
    "train": ["--epochs", "4"],
    "sweep": ["--epochs", "4", "--samples", "9", "--trials", "2"],
}

MOST_SECONDS = 5
MOST_MEMORY = 10**9
CORPUS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "tests/corpus").glob("*.yaml"))
}


@dataclass(frozen=True)
class Base:
    """A store with three runs: ``points``, ``trained`` on equal points, ``other`` on others."""

    directory: Path
    ids: dict[str, str]

    def known(self) -> dict[str, bytes]:
        """Return the files of the trained run, and those of the other one as ``other:path``."""
        found = {}
        for prefix, name in (("", "trained"), ("other:", "other")):
            folder = self.directory / "mlruns/0" / self.ids[name] / "artifacts"
            for path in READERS:
                found[f"{prefix}{path}"] = (folder / path).read_bytes()
        return found


@pytest.fixture(scope="module")
def forker(commands: Forks) -> Forks:
    return commands.watched()


@pytest.fixture(scope="module")
def light() -> Iterator[Forks]:
    """Start forks without imports: enough for input that is refused before anything starts."""
    with forks(is_warm=False) as server:
        yield server.watched()


@pytest.fixture(scope="module")
def base(forker: Forks, tmp_path_factory: pytest.TempPathFactory) -> Base:
    directory = tmp_path_factory.mktemp("base") / "work"
    directory.mkdir()
    commands = {
        "trained": ["run", "--epochs", "40", "--samples", "30"],
        "other": ["run", "--epochs", "40", "--samples", "30", "--seed", "1", "--data-seed", "1"],
        "points": ["generate", "--samples", "30"],
    }
    ids = {}
    for name, arguments in commands.items():
        done = forker.run(arguments, directory)
        assert done.code == 0, done.stderr
        ids[name] = done.stdout.strip()
    return Base(directory, ids)


class Place:
    """A directory for one command, whose files are compared before and after."""

    def __init__(self, root: Path, base: Base | None = None) -> None:
        self.root = root
        self.work = root / "work"
        self.base = base
        for name in ("home", "temporary"):
            (root / name).mkdir(parents=True)
        if base is None:
            self.work.mkdir()
            return
        shutil.copytree(base.directory, self.work)
        with self.database() as database:
            for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location")):
                database.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?)",
                    (str(base.directory), str(self.work)),
                )
            database.commit()

    def database(self) -> Any:
        return closing(sqlite3.connect(self.work / "mlflow.db"))

    def artifacts(self, run: str) -> Path:
        assert self.base
        return self.work / "mlruns/0" / self.base.ids[run] / "artifacts"

    def run(self, forker: Forks | None, *arguments: str, **changes: str) -> Done:
        """Run ``fitreel`` here, in a fork or, without a forker, in a new process."""
        run = forker.run if forker else run_alone
        homes = {"HOME": str(self.root / "home"), "TMPDIR": str(self.root / "temporary")}
        return run(list(arguments), self.work, **homes, **changes)

    def files(self) -> dict[str, tuple[int, ...]]:
        """Return the files here with their mode, size and modification time."""
        return {
            str(path.relative_to(self.root)): (info.st_mode, info.st_size, info.st_mtime_ns)
            for path in self.root.rglob("*")
            if not path.is_dir()
            for info in [path.lstat()]
        }

    def write(self, statement: str, *values: object) -> None:
        with self.database() as database:
            database.execute(statement, values)
            database.commit()

    def change_run(self, run: str, described: dict[str, Any]) -> None:
        """Change params, tags, metrics or name of a run in the store as a case describes."""
        assert self.base
        run_id = self.base.ids[run]
        for column, value in described.items():
            if column == "name":
                self.write("UPDATE runs SET name = ? WHERE run_uuid = ?", text(value), run_id)
                tag = "UPDATE tags SET value = ? WHERE run_uuid = ? AND key = 'mlflow.runName'"
                self.write(tag, text(value), run_id)
            elif column == "lifecycle_stage":
                self.write("UPDATE runs SET lifecycle_stage = ? WHERE run_uuid = ?", value, run_id)
            elif column == "facts":
                self.change_facts(run, **value)
            elif value is None:
                self.write(f"DELETE FROM {column} WHERE run_uuid = ?", run_id)
            else:
                for key, each in value.items():
                    found = (run_id, key)
                    if column == "metrics":
                        statement = (
                            "UPDATE latest_metrics SET value = ? WHERE run_uuid = ? AND key = ?"
                        )
                        self.write(statement, each, *found)
                    else:
                        statement = f"REPLACE INTO {column} (run_uuid, key, value) VALUES (?, ?, ?)"
                        self.write(statement, *found, text(each))

    def write_digests(self, run: str) -> None:
        """Log the SHA-256 of the present files of a run."""
        files = {path: self.artifacts(run) / path for path in READERS}
        self.change_facts(run, sha256={path: sha256(file) for path, file in files.items()})

    def forget_digests(self, run: str) -> None:
        """Remove the SHA-256 of the files, as in a run that another program logged."""
        self.change_facts(run, sha256={})

    def change_facts(self, run: str, **changes: Any) -> None:
        """Change some of the facts of a run that one tag packs."""
        assert self.base
        with self.database() as database:
            row = "SELECT value FROM tags WHERE run_uuid = ? AND key = 'fitreel.facts'"
            (found,) = database.execute(row, [self.base.ids[run]]).fetchone()
        facts = json.loads(found) | changes
        self.change_run(run, {"tags": {"fitreel.facts": json.dumps(facts)}})

    def values(self, run_id: str, setting: str) -> set[str]:
        """Return the values of a setting in a run: its param, and its tag if that differs."""
        with self.database() as database:
            rows = database.execute(
                "SELECT value FROM params WHERE run_uuid = ?1 AND key = ?2 "
                "UNION SELECT value FROM tags "
                "WHERE run_uuid = ?1 AND key = 'fitreel.override.' || ?2",
                (run_id, setting),
            )
            return {value for (value,) in rows}

    def names(self, run_id: str) -> set[str]:
        """Return the names of a run and of its experiment."""
        with self.database() as database:
            rows = database.execute(
                "SELECT runs.name, experiments.name FROM runs JOIN experiments "
                "USING (experiment_id) WHERE run_uuid = ?",
                (run_id,),
            )
            return {name for row in rows for name in row}

    def statuses(self) -> dict[str, str]:
        with self.database() as database:
            return dict(database.execute("SELECT run_uuid, status FROM runs"))


def check_refused(done: Done, message: str) -> None:
    """Assert that a command refused its input; ``[…]`` in the message matches anything."""
    expected = ".*".join(re.escape(part) for part in message.split("[…]"))
    assert done.stderr.count("\n") == 1, done.stderr
    assert re.fullmatch(f"fitreel: {expected}\n", done.stderr), done.stderr
    assert len(done.stderr) < 700
    assert (done.code, done.stdout) == (2, "")
    check_cost(done)


def check_cost(done: Done) -> None:
    assert done.seconds < MOST_SECONDS
    assert done.memory < MOST_MEMORY


def check_read(done: Done, here: Place) -> str:
    """Assert that a command read its input; return the id of the run that it logged to."""
    assert done.code == 0, done.stderr
    for line in done.stderr.splitlines():
        assert shown(line, len(line)) == line
    assert "Warning" not in done.stderr
    assert set(here.statuses().values()) == {"FINISHED"}
    assert {path.split("/")[0] for path in here.files()} == {"work"}
    check_cost(done)
    (run_id,) = done.stdout.split()
    return run_id


def is_early(case: Any) -> bool:
    """Return whether the input of a case is refused before anything starts."""
    return str(case.get("refused")).startswith("Invalid value for ")


def filled(message: str, **words: object) -> str:
    """Replace names in braces with their values."""
    for name, word in words.items():
        message = message.replace(f"{{{name}}}", str(word))
    return message


def arguments_for(base: Base, command: str) -> list[str]:
    """Return the arguments that pass a run to a command and make it short."""
    named = command in READS and command != "compare"
    run = ["--run", base.ids[READS[command]]] if named else []
    return [*run, *SHORT.get(command, [])]


def refusal(command: str, message: str) -> str:
    """Return the message of a command about a run that it cannot read."""
    if command != "compare":
        return message
    return (
        "nothing to compare: only one of the runs whose test_rmse is a finite number can be used, "
        f"two are needed; left out: […]: {message}"
    )


# ---- values of options ------------------------------------------------------------------------


def options() -> Iterator[Any]:
    for case in CORPUS["options"]:
        for command, groups in SETTINGS.items():
            for group in groups:
                hints = get_type_hints(group)
                for each in fields(group):  # type: ignore[arg-type]
                    choices = get_args(hints[each.name])
                    kind = "choice" if choices else hints[each.name].__name__
                    if kind == case["kind"] and each.name in case.get("options", [each.name]):
                        words = {
                            "option": each.name,
                            "flag": f"--{each.name.replace('_', '-')}",
                            "choices": ", ".join(choices),
                            "range": "" if choices else range_text(each.metadata),
                        }
                        name = f"{case['name']}-{command}-{each.name}"
                        yield pytest.param(case, command, words, id=name)


@pytest.mark.parametrize(("case", "command", "words"), list(options()))
def test_values_of_options(
    light: Forks,
    forker: Forks,
    base: Base,
    tmp_path: Path,
    case: Any,
    command: str,
    words: dict[str, str],
) -> None:
    option = f"{words['flag']}={text(case['value'])}"
    if "refused" in case:
        here = Place(tmp_path)
        done = here.run(light, command, option)
        check_refused(done, filled(case["refused"], **words))
        assert not here.files()
    else:
        here = Place(tmp_path, base)
        run_id = check_read(here.run(forker, command, *arguments_for(base, command), option), here)
        assert case["read"] in here.values(run_id, words["option"])


# ---- files of a run ---------------------------------------------------------------------------


def files_of_runs() -> Iterator[Any]:
    for case in CORPUS["datasets"] + CORPUS["artifacts"]:
        for command in READERS[case.get("file", DATASET)]:
            yield pytest.param(case, command, id=f"{case['name']}-{command}")


@pytest.mark.parametrize(("case", "command"), list(files_of_runs()))
def test_files_of_runs(forker: Forks, base: Base, tmp_path: Path, case: Any, command: str) -> None:
    here, run = Place(tmp_path, base), READS[command]
    path = case.get("file", DATASET)
    here.write_digests(run) if case.get("digests") else here.forget_digests(run)
    place(here.artifacts(run) / path, case["content"], base.known())
    before = here.files()
    done = here.run(
        None if case.get("alone") == command else forker, command, *arguments_for(base, command)
    )
    if "refused" in case:
        message = refusal(command, case["refused"])
        check_refused(done, filled(message, run=base.ids[run], here=here.work))
        assert here.files() == before
    else:
        check_read(done, here)
        if path == DATASET:
            points = load_dataset(here.artifacts(run) / path)
            read = torch.stack([points.x, points.y], dim=1)
            assert torch.equal(read, torch.tensor(case["read"], dtype=torch.float32))


# ---- tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [case for case in CORPUS["tables"] if "refused" in case],
    ids=lambda case: str(case["name"]),
)
def test_tables(forker: Forks, tmp_path: Path, case: Any) -> None:
    """What is wrong with each is tested with the reading; here that nothing is left behind."""
    here, name = Place(tmp_path), case.get("file", "table.csv")
    place(here.work / name, case["content"], {})
    before = here.files()
    options = {"target": "y", "test_size": 0.0, "validation_size": 0.0} | case.get("settings", {})
    given = [f"--{option.replace('_', '-')}={value}" for option, value in options.items()]
    check_refused(here.run(forker, "generate", f"--data={name}", *given), case["refused"])
    assert here.files() == before


# ---- ids and names ----------------------------------------------------------------------------


def ids_and_names() -> Iterator[Any]:
    for case in CORPUS["runs"]:
        for command in case.get("commands", TARGETED[case["option"]]):
            yield pytest.param(case, command, id=f"{case['option']}-{case['name']}-{command}")
        if case["option"] == "run" and "commands" not in case:
            for command, asks in ARGUED.items():
                if asks or is_early(case):
                    yield pytest.param(case, command, id=f"run-{case['name']}-{command}")


@pytest.mark.parametrize(("case", "command"), list(ids_and_names()))
def test_ids_and_names(
    light: Forks, forker: Forks, base: Base, tmp_path: Path, case: Any, command: str
) -> None:
    early, value = is_early(case), text(case["value"])
    here = Place(tmp_path, None if early else base)
    before = here.files()
    given = [f"--{case['option'].replace('_', '-')}={value}"]
    message = case.get("refused", "")
    if command in ARGUED and case["option"] == "run":
        given, message = ["--", value], message.replace("'--run'", "'RUN'")
    done = here.run(light if early else forker, command, *arguments_for(base, command), *given)
    if "refused" in case:
        check_refused(done, filled(message, store=f"sqlite:///{here.work}/mlflow.db"))
        assert here.files() == before
    else:
        run_id = check_read(done, here)
        if case["option"] in ("name", "experiment"):
            assert value in here.names(run_id)


# ---- contents of runs in the store ------------------------------------------------------------


def contents_of_runs() -> Iterator[Any]:
    for case in CORPUS["stores"]:
        for command in case["commands"]:
            yield pytest.param(case, command, id=f"{case['name']}-{command}")


@pytest.mark.parametrize(("case", "command"), list(contents_of_runs()))
def test_contents_of_runs(
    forker: Forks, base: Base, tmp_path: Path, case: Any, command: str
) -> None:
    here, run = Place(tmp_path, base), READS[command]
    here.change_run(run, case["set"])
    before = here.files()
    done = here.run(forker, command, *arguments_for(base, command))
    if "refused" in case:
        check_refused(done, filled(refusal(command, case["refused"]), run=base.ids[run]))
        assert here.files() == before
    else:
        check_read(done, here)


# ---- tracking URIs ----------------------------------------------------------------------------


def uris() -> Iterator[Any]:
    for case in CORPUS["uris"]:
        for command in case.get("commands", TARGETED["tracking_uri"]):
            yield pytest.param(case, command, "option", id=f"{case['name']}-{command}")
        if "refused" in case and "commands" not in case:
            for command, asks in STORED.items():
                if asks or is_early(case):
                    yield pytest.param(case, command, "option", id=f"{case['name']}-{command}")
        if case.get("variable", True):
            yield pytest.param(case, "generate", "variable", id=f"{case['name']}-variable")


@pytest.mark.parametrize(("case", "command", "way"), list(uris()))
def test_tracking_uris(
    light: Forks, forker: Forks, base: Base, tmp_path: Path, case: Any, command: str, way: str
) -> None:
    early = is_early(case) and way == "option"
    here = Place(tmp_path, None if early else base)
    for name, described in case.get("files", {}).items():
        place(here.work / name, described, {})
    if version := case.get("version"):
        here.write("UPDATE alembic_version SET version_num = ?", version)
    words = {"here": here.work}
    uri = filled(text(case["value"]), **words)
    before = here.files()
    if way == "option":
        option = f"--tracking-uri={uri}"
        run = ["--", base.ids["trained"]] if command in ("reproduce", "resume") else []
        done = here.run(
            light if early else forker, command, *arguments_for(base, command), option, *run
        )
    else:
        done = here.run(forker, command, *arguments_for(base, command), MLFLOW_TRACKING_URI=uri)
    if "refused" in case:
        message = filled(case["refused"], uri=uri, **words)
        if way == "variable":
            message = message.removeprefix("Invalid value for '--tracking-uri': ")
        check_refused(done, message)
        assert here.files() == before
    else:
        check_read(done, here)
