"""A real PostgreSQL server with its own data directory."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self
from urllib.parse import quote

import sqlalchemy

from tests.conftest import free_port
from tests.needs import postgresql_programs

USER, PASSWORD = "keeper", "pa/ss#w?rd"  # a URL may contain these unquoted, except the ?
OWNER = "nobody"  # runs the server if we are root: it refuses to start as root


class Postgres:
    """A server in a temporary directory; a context manager that starts and stops it."""

    def __init__(self) -> None:
        self._programs = postgresql_programs()
        self._port = free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="postgres-"))  # only root may enter pytest's
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str, driver: str = "psycopg") -> str:
        """Return the URL of a database."""
        login = f"{USER}:{quote(PASSWORD, safe='/#')}"
        return f"postgresql+{driver}://{login}@127.0.0.1:{self._port}/{database}"

    def make(self, database: str) -> str:
        """Create an empty database; return its URL."""
        engine = sqlalchemy.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(f'CREATE DATABASE "{database}"'))
        engine.dispose()
        return self.url(database)

    def __enter__(self) -> Self:
        assert self._programs
        data, secret = self._directory / "data", self._directory / "password"
        secret.write_text(PASSWORD)
        if os.getuid() == 0:
            for path in (self._directory, secret):
                shutil.chown(path, OWNER)
        login = ["--username", USER, "--pwfile", str(secret), "--auth", "scram-sha-256"]
        init = [self._programs / "initdb", "--pgdata", data, "--encoding", "UTF8", "--no-sync"]
        subprocess.run(self._as_owner(*init, *login), check=True, capture_output=True)
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
        }
        serve = [self._programs / "postgres", "-D", data, "-p", self._port]
        given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._as_owner(*serve, *given), stdout=log, stderr=log, cwd=self._directory
            )
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, (self._directory / "log").read_text()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.send_signal(signal.SIGINT)  # on SIGTERM it would wait for all connections
            self._process.wait()
        shutil.rmtree(self._directory)

    def _as_owner(self, *words: object) -> list[str]:
        own = ["setpriv", "--reuid", OWNER, "--regid", "nogroup", "--clear-groups"]
        return [*(own if os.getuid() == 0 else []), *map(str, words)]
