"""The database of a tracking store: created completely, once, and only by some commands."""

import errno
import multiprocessing
import os
import sqlite3
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from fitreel.tracking.store.connection import is_passing, plain, plain_errors
from fitreel.tracking.store.database import check_store, open_engine
from fitreel.tracking.store.new_database import create_database
from tests import processes
from tests.conftest import free_port
from tests.faults import SPOOL, journals, runs
from tests.postgres import PASSWORD, Postgres

RUN = "0" * 32
READING = {
    "evaluate": ["--run", RUN],
    "animate": ["--run", RUN],
    "train": ["--run", RUN],
    "generate": ["--run", RUN],
    "run": ["--run", RUN],
    "sweep": ["--run", RUN],
    "compare": [],
    "reproduce": [RUN],
    "resume": [RUN],
    "reap": ["--close"],
}


@pytest.mark.parametrize("command", READING)
def test_a_command_that_needs_a_store_creates_none(tmp_path: Path, command: str) -> None:
    where, output = tmp_path / "work", tmp_path / "output"
    where.mkdir()
    output.mkdir()
    own = {SPOOL: str(tmp_path / "spool")}
    result = processes.run(command, *READING[command], directory=where, output_to=output, **own)
    assert result == (
        2,
        "",
        "fitreel: no tracking store here: mlflow.db is missing; "
        "run fitreel where it is, or name one with --tracking-uri\n",
    )
    assert not list(where.iterdir())
    elsewhere = f"--tracking-uri=sqlite:///{where}/not/there.db"
    code, _, line = processes.run(
        command, *READING[command], elsewhere, directory=where, output_to=output, **own
    )
    assert (code, f"no tracking store in {where}/not: there.db is missing" in line) == (2, True)
    assert not list(where.iterdir())


def test_a_run_whose_store_is_missing_keeps_waiting(tmp_path: Path) -> None:
    """Its disk may be unmounted: in a new database the run would count as lost."""
    own = {SPOOL: str(tmp_path / "spool")}
    where = tmp_path / "work"
    where.mkdir()
    assert (
        processes.run("run", "--epochs", "40", directory=where, output_to=tmp_path, **own)[0] == 0
    )
    killed = processes.start(
        "run", "--epochs", "1000000", directory=where, output_to=tmp_path, **own
    )
    while not list((tmp_path / "spool").glob("*/checkpoint")):
        assert killed.is_alive()
    killed.kill()
    killed.join()
    (where / "mlflow.db").rename(tmp_path / "elsewhere.db")
    code, _, output = processes.run("sync", directory=where, output_to=tmp_path, **own)
    assert (code, "no tracking store" in output) == (75, True)
    assert len(journals(tmp_path / "spool")) == 1
    assert not (where / "mlflow.db").exists()


@pytest.mark.parametrize("content", ["nothing", "another program's tables"])
def test_a_database_without_mlflows_tables_cannot_be_read(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mlflow.db"
    with sqlite3.connect(path) as database:
        if content != "nothing":
            database.execute("CREATE TABLE recipes (name TEXT)")
    database.close()
    path.touch()
    before = path.read_bytes()
    with pytest.raises(FileNotFoundError, match="the database lacks MLflow's tables"):
        check_store(f"sqlite:///{path}", may_create=False)
    assert path.read_bytes() == before
    check_store(f"sqlite:///{path}", may_create=True)
    check_store(f"sqlite:///{path}", may_create=False)


def make(path: Path, links: bool, begin: Any, which: Any) -> None:
    """Create a database at the same time as other processes; return its inode."""
    if not links:

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        os.link = refuse  # type: ignore[assignment] # as FAT and some shares do
    # The server of forks has the environment of the test that started it.
    os.environ[SPOOL] = str(path.parent.with_name("spool"))
    begin.wait()
    create_database(path)
    which.put((path.stat().st_ino, len(MlflowClient(f"sqlite:///{path}").search_experiments())))


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none"])
def test_of_many_processes_only_one_creates_a_database(tmp_path: Path, links: bool) -> None:
    context = multiprocessing.get_context("forkserver")
    begin, which = context.Barrier(4), context.Queue()
    path = tmp_path / "here" / "mlflow.db"
    path.parent.mkdir()
    started = [context.Process(target=make, args=(path, links, begin, which)) for _ in range(4)]
    for each in started:
        each.start()
    for each in started:
        each.join()
        assert each.exitcode == 0
    found = {which.get() for _ in started}
    assert len(found) == 1  # no process replaced the database of another
    assert found.pop()[1] == 1
    assert [each.name for each in path.parent.iterdir()] == ["mlflow.db"]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP])
def test_a_database_that_was_created_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    path = tmp_path / "mlflow.db"

    def refuse(*_: object) -> None:
        path.write_text("another was first")
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    create_database(path)
    assert path.read_text() == "another was first"
    assert [each.name for each in tmp_path.iterdir()] == ["mlflow.db"]


def test_settings_of_mlflow_for_pools_and_certificates_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOL_SIZE", "3")
    assert open_engine(f"sqlite:///{tmp_path}/x.db").pool.size() == 3  # type: ignore[attr-defined]
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    monkeypatch.delenv("MLFLOW_SQLALCHEMYSTORE_POOL_SIZE")
    engine = open_engine(f"sqlite:///{tmp_path}/x.db", timeout=7.5)
    assert type(engine.pool).__name__ == "NullPool"
    with engine.connect() as connection:
        waits = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
    assert waits == 7500


def test_certificates_of_mysql_are_passed_to_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyMySQL need not be installed; a fake driver records its arguments."""
    called: dict[str, object] = {}

    class Refused(Exception):
        pass

    def connect(*_: object, **options: object) -> None:
        called.update(options)
        raise Refused

    driver = types.ModuleType("pymysql")
    driver.connect, driver.Error, driver.paramstyle = connect, sqlite3.Error, "pyformat"  # type: ignore[attr-defined]
    driver.__version__ = "1.1"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pymysql", driver)
    monkeypatch.setenv("MLFLOW_MYSQL_SSL_CA", "/etc/ca.pem")
    with pytest.raises(Refused):
        open_engine("mysql+pymysql://me@host/db", connect_timeout=4).connect()
    assert (called["ssl_ca"], called["connect_timeout"]) == ("/etc/ca.pem", 4)


@pytest.mark.parametrize(
    ("uri", "line"),
    [
        (
            "postgresql+psycopg2://me:secret@host/runs",
            "postgresql+psycopg2://***@host/runs needs its driver: pip install psycopg2-binary",
        ),
        (
            "mysql://me:secret@127.0.0.1/runs",
            "mysql://***@127.0.0.1/runs needs its driver: pip install mysqlclient",
        ),
        (
            "mssql+pymssql://me:secret@127.0.0.1/runs",
            "mssql+pymssql://***@127.0.0.1/runs needs its driver: pip install pymssql",
        ),
    ],
)
def test_a_missing_driver_is_reported_with_its_package(uri: str, line: str) -> None:
    with pytest.raises(ConnectionError) as raised:
        check_store(uri, may_create=True)
    assert str(raised.value) == line


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.mark.needs("postgresql")
@pytest.mark.parametrize("driver", ["psycopg", "pg8000"])
def test_commands_that_start_at_once_on_an_empty_database_all_finish(
    postgres: Postgres, tmp_path: Path, torture: bool, driver: str
) -> None:
    for turn in range(10 if torture else 1):
        postgres.make(name := f"fresh-{driver}-{turn}")
        uri = postgres.url(name, driver)
        started = []
        for number in range(4):
            output = tmp_path / f"{turn}-{number}"
            output.mkdir()
            own = {SPOOL: str(tmp_path / "spool"), "MLFLOW_TRACKING_URI": uri}
            options = ("--epochs", "40", "--seed", str(number), "--max-frames", "4")
            started.append(
                (
                    output,
                    processes.start("run", *options, directory=tmp_path, output_to=output, **own),
                )
            )
        for output, process in started:
            process.join()
            assert process.exitcode == 0, (output / "err").read_text()
            assert PASSWORD not in (output / "err").read_text()
        found = runs(MlflowClient(uri))
        assert [run.info.status for run in found] == ["FINISHED"] * 4


@pytest.mark.needs("postgresql")
def test_a_sweep_writes_its_trials_into_postgres(postgres: Postgres, tmp_path: Path) -> None:
    uri = postgres.make("sweep")
    options = ("--trials", "3", "--epochs", "20", "--samples", "9", "--tracking-uri", uri)
    code, _, output = processes.run(
        "sweep", *options, directory=tmp_path, **{SPOOL: str(tmp_path / "spool")}
    )
    assert code == 0, output
    assert len(runs(MlflowClient(uri))) == 4
    assert PASSWORD not in output


@pytest.mark.needs("postgresql")
def test_an_empty_database_cannot_be_read(postgres: Postgres) -> None:
    uri = postgres.make("empty")
    with pytest.raises(FileNotFoundError, match="the database lacks MLflow's tables"):
        check_store(uri, may_create=False)
    engine = open_engine(uri)
    assert not sqlalchemy.inspect(engine).get_table_names()
    engine.dispose()


@pytest.mark.needs("postgresql")
@pytest.mark.parametrize("driver", ["psycopg", "pg8000"])
def test_a_server_that_refuses_is_reported_without_the_password(
    postgres: Postgres, driver: str
) -> None:
    uri = postgres.url("nowhere", driver)
    with pytest.raises(ConnectionError, match="cannot be opened") as raised, plain_errors(uri):
        check_store(uri, may_create=True)
    assert "nowhere" in str(raised.value)
    assert PASSWORD not in str(raised.value)
    away = uri.replace(uri.rpartition(":")[2], f"{free_port()}/db")
    with pytest.raises(ConnectionError, match="cannot be opened"), plain_errors(away):
        check_store(away, may_create=True)


def test_errors_of_servers_do_not_show_the_token() -> None:
    uri = "http://name:T0KEN@127.0.0.1:5000"
    answer = MlflowException(f"API request to {uri}/api/2.0 failed: T0KEN is over")
    assert str(plain(answer, uri)) == (
        "tracking store http://***@127.0.0.1:5000: "
        "API request to http://***@127.0.0.1:5000/api/2.0 failed: *** is over"
    )


@pytest.mark.needs("postgresql")
def test_a_command_waits_for_a_database_server_that_is_down() -> None:
    with Postgres() as server:
        engine = open_engine(server.make("runs"))
        connection = engine.connect()
    with pytest.raises(sqlalchemy.exc.OperationalError) as raised:
        connection.scalar(sqlalchemy.text("SELECT 1"))
    assert is_passing(raised.value)
