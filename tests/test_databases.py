"""Databases: their URLs, drivers and time-outs."""

import pytest
import sqlalchemy

from fitreel.checks.databases import read_url, remedy, time_limit


@pytest.mark.parametrize("url", ["sqlite:x.db", "postgresql://me:secret", "h:secret@host"])
def test_an_invalid_url_is_reported_without_quoting_it(url: str) -> None:
    with pytest.raises(ValueError, match="is not the URL of a database") as raised:
        read_url(url)
    assert "secret" not in str(raised.value)


def test_a_password_may_contain_characters_with_a_meaning_in_urls() -> None:
    assert read_url("postgresql://me:a/b#c@host/db").password == "a/b#c"


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("psycopg", "'psycopg[binary]'"),
        ("psycopg2", "psycopg2-binary"),
        ("pg8000", "pg8000"),
        ("MySQLdb", "mysqlclient"),
        ("pymysql", "pymysql"),
        ("mysql.connector", "mysql-connector-python"),
    ],
)
def test_a_missing_driver_is_named_by_its_package(module: str, package: str) -> None:
    missing = ModuleNotFoundError(f"No module named '{module}'", name=module)
    assert remedy(missing) == f"needs its driver: pip install {package}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql+psycopg://host/db", {"connect_timeout": 4}),
        ("postgresql+psycopg2://host/db", {"connect_timeout": 4}),
        ("postgresql+pg8000://host/db", {"timeout": 4}),
        ("mysql+pymysql://host/db", {"connect_timeout": 4}),
        ("mysql+mysqlconnector://host/db", {"connection_timeout": 4}),
        ("sqlite:///file.db", {}),
    ],
)
def test_every_driver_has_its_own_option_for_a_time_out(url: str, expected: dict[str, int]) -> None:
    assert time_limit(sqlalchemy.make_url(url), 4) == expected
