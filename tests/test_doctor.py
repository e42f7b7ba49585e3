"""`fitreel doctor`: its report if everything works, and if something is broken."""

import re
import shutil
import site
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient

from fitreel.doctor.spool import check_waiting
from fitreel.journal import spool as spool_module
from fitreel.tracking import Tracker
from tests import processes
from tests.conftest import BIN, ROOT, Command, environment, free_port
from tests.servers import Server
from tests.terminals import on_terminal

NEEDED = [
    *("python", "fitreel", "torch", "mlflow", "matplotlib", "all packages"),
    *("tracking store", "a run in it", "an artifact", "gif", "spool"),
]
OPTIONAL = [
    *("run removed", "mp4", "spool waiting", "runs to reap", "display", "terminal"),
    *("env local", "env uv", "env virtualenv", "env conda"),
]
STORE = ["tracking store", "a run in it", "an artifact"]
Rows = dict[str, tuple[str, str]]


def rows(text: str) -> Rows:
    """Return outcome and finding of each check in the table; fail on a traceback."""
    assert "Traceback" not in text
    found = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines()]
    return {cells[0]: (cells[1], cells[2]) for cells in found if len(cells) == 3}


def missing(found: Rows) -> list[str]:
    return [name for name, (outcome, _) in found.items() if outcome == "missing"]


def doctor(directory: Path, **changes: str) -> tuple[int, Rows]:
    """Run `fitreel doctor` in a process that has imported everything."""
    own = {"FITREEL_SPOOL": str(directory / "spool"), "MLFLOW_TRACKING_URI": uri(directory)}
    code, output, errors = processes.run("doctor", directory=directory, **own | changes)
    assert output == ""
    return code, rows(errors)


def uri(directory: Path) -> str:
    return f"sqlite:///{directory}/mlflow.db"


def with_path(directory: Path, path: Path, **changes: str) -> Rows:
    code, found = doctor(directory, PATH=str(path), **changes)
    assert code == 0, found
    return found


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\necho {text}\n")
    path.chmod(0o755)


def test_if_the_store_is_missing_a_temporary_one_is_tried_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    where, output = tmp_path / "work", tmp_path / "output"
    where.mkdir()
    output.mkdir()
    own = {"FITREEL_SPOOL": str(tmp_path / "spool"), "TMPDIR": str(tmp_path / "temporary")}
    (tmp_path / "temporary").mkdir()
    code, _, text = processes.run("doctor", directory=where, output_to=output, **own)
    found = rows(text)
    assert (code, missing(found)) == (0, [])
    assert found["tracking store"][1].startswith("sqlite:///")
    assert "is missing, fitreel run creates it" in found["tracking store"][1]
    assert found["run removed"] == ("ok", "the temporary store is removed")
    assert not list(where.iterdir())
    assert not list((tmp_path / "temporary").glob("fitreel-*"))


def test_if_everything_works_it_reports_that_and_leaves_only_a_deleted_run(
    fitreel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # artifacts are stored below the directory of the new store
    Tracker(uri(tmp_path))
    done = fitreel("doctor", FITREEL_SPOOL=str(tmp_path / "spool"))
    found = rows(done.stderr)
    assert (done.returncode, done.stdout, missing(found)) == (0, "", [])
    assert sorted(found) == sorted([*NEEDED, *OPTIONAL])
    assert "\x1b" not in done.stderr
    assert found["spool waiting"] == ("ok", "nothing to upload")
    assert found["runs to reap"] == ("ok", "none")
    assert found["env local"][0] == found["mp4"][0] == "ok"

    client = MlflowClient(uri(tmp_path))
    assert not client.search_runs(["0"], run_view_type=ViewType.ACTIVE_ONLY)
    (deleted,) = client.search_runs(["0"], run_view_type=ViewType.DELETED_ONLY)
    assert deleted.data.tags["fitreel.doctor"]
    assert deleted.info.status == "FINISHED"
    assert not [path for path in (tmp_path / "mlruns").rglob("*") if path.is_file()]
    assert not list((tmp_path / "mlruns").glob("*/*"))
    assert [path.name for path in (tmp_path / "spool").iterdir()] == [spool_module.MARKER]


def test_an_unreachable_server_is_missing_and_everything_else_is_checked(
    bare_fitreel: Command, tmp_path: Path
) -> None:
    away = f"http://me:secret@127.0.0.1:{free_port()}"
    done = bare_fitreel("doctor", "--tracking-uri", away)
    found = rows(done.stderr)
    assert (done.returncode, missing(found)) == (1, STORE)
    assert "does not answer" in found["tracking store"][1]
    assert "secret" not in done.stderr
    assert found["gif"][0] == found["spool"][0] == "ok"
    assert done.stderr.endswith("something that fitreel needs is missing\n")
    assert not list(tmp_path.iterdir())


def test_a_silent_server_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        code, found = doctor(tmp_path, MLFLOW_TRACKING_URI=address)
    # The wait takes 4 s, the imports for a window the rest; MLflow would wait four minutes.
    assert time.monotonic() - started < 90
    assert (code, missing(found)) == (1, STORE)


def test_a_server_is_tried_and_the_artifact_is_deleted(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "server"
    directory.mkdir()
    with Server(directory) as server:
        address = server.url
        code, found = doctor(tmp_path, MLFLOW_TRACKING_URI=address)
        assert (code, missing(found)) == (0, [])
        assert found["run removed"][0] == "ok"
        assert not MlflowClient(address).search_runs(["0"])
    assert not list(directory.rglob("doctor.bin"))


def test_a_store_that_refuses_runs_is_missing(tmp_path: Path) -> None:
    Tracker(uri(tmp_path))
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute(
            "CREATE TRIGGER no BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'not here'); END"
        )
    code, found = doctor(tmp_path)
    assert (code, missing(found)) == (1, STORE[1:])
    assert "not here" in found["a run in it"][1]


def test_a_store_that_refuses_artifacts_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Tracker(uri(tmp_path))
    (tmp_path / "mlruns").write_text("in the way")
    code, found = doctor(tmp_path)
    assert (code, missing(found)) == (1, ["an artifact"])
    assert "mlruns" in found["an artifact"][1]
    assert found["run removed"][0] == "ok"


def test_a_locked_database_is_reported(tmp_path: Path) -> None:
    Tracker(uri(tmp_path))
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("BEGIN EXCLUSIVE")
        code, found = doctor(tmp_path)
    assert (code, missing(found)) == (1, STORE)


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    limited = ["bash", "-c", "ulimit -f 0; exec fitreel doctor"]
    done = subprocess.run(
        limited, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert missing(rows(done.stderr)) == [*STORE, "gif", "spool"]


def test_a_spool_that_cannot_be_written_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    MlflowClient(uri(tmp_path)).search_experiments()
    code, found = doctor(tmp_path, FITREEL_SPOOL=str(tmp_path / "file"))
    needs_it = ["an artifact", "gif", "spool"]
    assert (code, missing(found)) == (1, needs_it)
    for name in needs_it:
        assert "FITREEL_SPOOL" in found[name][1]


def test_a_killed_run_is_reported_with_the_way_to_resume_it(tmp_path: Path) -> None:
    own = {"FITREEL_SPOOL": str(tmp_path / "spool"), "MLFLOW_TRACKING_URI": uri(tmp_path)}
    other = tmp_path / "other"
    other.mkdir()
    process = processes.start("run", "--epochs", "1000000", directory=tmp_path, **own)
    while not list((tmp_path / "spool").glob("*/checkpoint")):
        assert process.is_alive(), (tmp_path / "err").read_text()
        time.sleep(0.1)
    _, found = doctor(other, **own)
    assert found["spool waiting"] == ("ok", "1 of running commands")
    assert found["runs to reap"] == ("ok", "none")

    process.kill()
    process.join()
    code, found = doctor(other, **own)
    (run,) = MlflowClient(uri(tmp_path)).search_runs(["0"])
    assert code == 0
    assert found["spool waiting"] == (
        "note",
        f"1 interrupted, resume with fitreel resume: {run.info.run_id} "
        f"(fitreel run, started in {tmp_path}, store {uri(tmp_path)})",
    )
    assert found["runs to reap"] == ("note", "1: fitreel reap lists them")
    # Another store is another person's question: it is counted only.
    _, found = doctor(other, **own | {"MLFLOW_TRACKING_URI": uri(other)})
    assert found["spool waiting"] == ("note", "1 of other stores: fitreel doctor --all")


def test_undelivered_runs_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FITREEL_SPOOL", str(tmp_path))
    journal = spool_module.new_journal()
    journal.append("plan", uri="http://127.0.0.1:9", plan={})
    journal.append("run", run_id="0123")
    journal.append("status", status="FINISHED", time=0)
    journal.close()
    text = "1 not delivered, upload with fitreel sync: 0123 (store http://127.0.0.1:9)"
    assert check_waiting() == check_waiting("http://127.0.0.1:9") == (False, text)
    others = (False, "1 of other stores: fitreel doctor --all")
    assert check_waiting("http://127.0.0.1:8") == others


def test_a_missing_environment_manager_is_a_note(tmp_path: Path) -> None:
    found = with_path(tmp_path, tmp_path)
    managers = [name for name in OPTIONAL if name.startswith("env ")]
    assert {found[name][0] for name in managers} == {"note"}


def test_conda_needs_its_script_too(tmp_path: Path) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "bash").symlink_to(shutil.which("bash") or "")
    for name in ("conda", "uv", "pyenv"):
        program(bin_ / name, f"{name} 1.0")
    found = with_path(tmp_path, bin_)
    assert found["env conda"] == ("note", "conda is installed, but its activate is missing")
    assert found["env uv"] == ("ok", "uv 1.0")
    assert found["env virtualenv"] == ("ok", "pyenv 1.0")

    program(bin_ / "activate", "")
    (tmp_path / "etc/profile.d").mkdir(parents=True)
    (tmp_path / "etc/profile.d/conda.sh").touch()
    assert with_path(tmp_path, bin_)["env conda"] == ("ok", "conda 1.0")
    home = with_path(tmp_path, BIN, MLFLOW_CONDA_HOME=str(tmp_path))
    assert home["env conda"][0] == "note"  # its Python is on the PATH, but bash is not


def test_a_python_without_fitreels_packages_is_reported(tmp_path: Path) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "python").write_text("#!/bin/sh\nexit 1\n")
    (bin_ / "python").chmod(0o755)
    outcome, text = with_path(tmp_path, bin_)["env local"]
    assert outcome == "note"
    assert f"{bin_}/python lacks torch or mlflow" in text


def test_without_a_display_it_is_a_note(tmp_path: Path) -> None:
    code, found = doctor(tmp_path, DISPLAY="", WAYLAND_DISPLAY="")
    outcome, text = found["display"]
    assert (code, outcome) == (0, "note")
    assert "no window can be opened" in text


def test_the_terminal_is_checked_for_live_views(tmp_path: Path) -> None:
    own = {"FITREEL_SPOOL": str(tmp_path / "spool"), "MLFLOW_TRACKING_URI": uri(tmp_path)}
    with on_terminal("doctor", directory=tmp_path, columns=120, lines=60, **own) as terminal:
        assert terminal.read_to_end() == 0
        assert rows(terminal.text)["terminal"] == ("ok", "120 × 60 characters")
    _, found = doctor(tmp_path)
    without = "--live terminal needs a terminal, and standard error is not one"
    assert found["terminal"] == ("note", without)


def test_a_toolkit_that_aborts_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif sys.argv[0] == '-c': os.write(2, b'no plugin\\n'); os.abort()"
    )
    code, found = doctor(tmp_path, PYTHONPATH=str(tmp_path))
    assert (code, found["display"]) == (
        0,
        ("note", "opening a window ends in SIGABRT: no plugin"),
    )


@pytest.mark.needs("display")
def test_with_a_display_a_window_opens(tmp_path: Path, display: dict[str, str]) -> None:
    done = subprocess.run(
        ["fitreel", "doctor"],
        cwd=tmp_path,
        env=display,
        capture_output=True,
        text=True,
        check=False,
    )
    assert rows(done.stdout + done.stderr)["display"] == ("ok", "a window opens")


def test_a_package_of_the_wrong_version_is_missing(fitreel: Command, tmp_path: Path) -> None:
    (tmp_path / "torch-1.0.dist-info").mkdir()
    (tmp_path / "torch-1.0.dist-info/METADATA").write_text("Name: torch\nVersion: 1.0\n")
    done = fitreel("doctor", PYTHONPATH=str(tmp_path))
    found = rows(done.stderr)
    assert (done.returncode, missing(found)) == (1, ["torch", "all packages"])
    assert found["torch"][1] == "1.0, but fitreel needs >=2.6"
    assert found["all packages"][1] == "torch 1.0 is not >=2.6"


def test_an_extra_of_the_wrong_version_is_missing(fitreel: Command, tmp_path: Path) -> None:
    (tmp_path / "optuna-4.0.dist-info").mkdir()
    (tmp_path / "optuna-4.0.dist-info/METADATA").write_text("Name: optuna\nVersion: 4.0\n")
    done = fitreel("doctor", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert rows(done.stderr)["all packages"] == ("missing", "optuna 4.0 is not >=5")


@pytest.mark.parametrize("package", ["torch", "mlflow", "packaging"])
def test_a_broken_package_does_not_break_the_table(
    fitreel: Command, tmp_path: Path, package: str
) -> None:
    (tmp_path / f"{package}.py").write_text("raise RuntimeError('broken in two')")
    done = fitreel("doctor", PYTHONPATH=str(tmp_path))
    found = rows(done.stderr)
    assert done.returncode == 1
    assert sorted(found) == sorted([*NEEDED, *OPTIONAL])
    assert "RuntimeError: broken in two" in [text for _, text in found.values()]


def test_a_clone_that_is_not_installed_is_checked_too(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    for path in Path(site.getsitepackages()[0]).iterdir():
        if "fitreel" not in path.name and path.suffix != ".pth":
            (packages / path.name).symlink_to(path)
    done = subprocess.run(
        [sys.executable, "-S", "-m", "pipeline", "doctor"],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(packages), MLFLOW_TRACKING_URI=uri(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    found = rows(done.stderr)
    assert (missing(found), found["fitreel"][0]) == ([], "ok")
    assert f"not installed: the clone in {ROOT}" in found["fitreel"][1]
    assert re.fullmatch(r"all \d\d are as needed", found["all packages"][1])
