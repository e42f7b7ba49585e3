"""Databases: how their URLs are read, and which driver they need."""

import sqlalchemy

from fitreel.checks.urls import masked

PACKAGES = {  # where it is not named as what is imported
    "psycopg": "'psycopg[binary]'",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
}
TIMEOUTS = {  # seconds to connect; pg8000's applies to every answer
    "psycopg": "connect_timeout",
    "psycopg2": "connect_timeout",
    "pg8000": "timeout",
    "pymysql": "connect_timeout",
    "mysqldb": "connect_timeout",
    "mysqlconnector": "connection_timeout",
    "pymssql": "login_timeout",
    "pyodbc": "timeout",
}


def read_url(url: str) -> sqlalchemy.URL:
    """Return the parsed URL of a database; ValueError, without its secrets, if it is not one."""
    try:
        return sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):  # which may quote half a password
        raise ValueError(f"'{masked(url)}' is not the URL of a database") from None


def remedy(error: ModuleNotFoundError) -> str:
    """Return how to install the driver that a database lacks."""
    module = (error.name or "").partition(".")[0]
    return f"needs its driver: pip install {PACKAGES.get(module, module)}"


def time_limit(url: sqlalchemy.URL, seconds: int) -> dict[str, int]:
    """Return the argument that limits how long a driver waits; nothing if none is known."""
    name = TIMEOUTS.get(url.get_dialect().driver)
    return {name: seconds} if name else {}
