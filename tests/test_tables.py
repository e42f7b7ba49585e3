"""The tables of MLflow: each difference from the known tables is detected."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from fitreel.tracking.delivery.tables import difference
from fitreel.tracking.store.new_database import create_database
from tests.needs import require
from tests.postgres import Postgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    require("postgresql")
    with Postgres() as server:
        yield server


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sqlalchemy.Connection]:
    create_database(tmp_path / "mlflow.db")
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/mlflow.db")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_a_new_store_has_the_known_tables(sqlite: sqlalchemy.Connection) -> None:
    assert difference(sqlite) is None


CHANGES = {
    "ALTER TABLE tags RENAME TO labels": "table tags is missing",
    "ALTER TABLE params ADD COLUMN unit VARCHAR(9)": "column params.unit is new",
    "ALTER TABLE runs DROP COLUMN source_version": "column runs.source_version is another",
    "ALTER TABLE latest_metrics RENAME COLUMN step TO epoch": (
        "column latest_metrics.step is another"
    ),
    "ALTER TABLE experiments RENAME COLUMN lifecycle_stage TO stage": (
        "column experiments.lifecycle_stage is another"
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_table_is_detected(sqlite: sqlalchemy.Connection, change: str) -> None:
    sqlite.execute(sqlalchemy.text(change))
    assert difference(sqlite) == CHANGES[change]


def test_experiments_may_have_new_columns(sqlite: sqlalchemy.Connection) -> None:
    """Only two of their columns are read."""
    sqlite.execute(sqlalchemy.text("ALTER TABLE experiments ADD COLUMN colour VARCHAR(9)"))
    assert difference(sqlite) is None


COLUMNS = {  # columns of the table of tags, one of them changed; first unchanged
    "key VARCHAR(250) NOT NULL, value VARCHAR(9000), run_uuid VARCHAR(32) NOT NULL": None,
    "key VARCHAR(99) NOT NULL, value VARCHAR(8000), run_uuid VARCHAR(32) NOT NULL": "tags.key",
    "key VARCHAR(250) NOT NULL, value JSON, run_uuid VARCHAR(32) NOT NULL": "tags.value",
    "key VARCHAR(250) NOT NULL, value VARCHAR(8000), run_uuid INTEGER NOT NULL": "tags.run_uuid",
    "key VARCHAR(250) NOT NULL, value TEXT NOT NULL, run_uuid VARCHAR(32) NOT NULL": "tags.value",
}


@pytest.mark.parametrize("columns", COLUMNS)
def test_a_column_of_another_type_is_detected(sqlite: sqlalchemy.Connection, columns: str) -> None:
    sqlite.execute(sqlalchemy.text("DROP TABLE tags"))
    sqlite.execute(sqlalchemy.text(f"CREATE TABLE tags ({columns}, PRIMARY KEY (key, run_uuid))"))
    changed = COLUMNS[columns]
    assert difference(sqlite) == (changed and f"column {changed} is another")


def test_another_primary_key_is_detected(sqlite: sqlalchemy.Connection) -> None:
    columns = next(iter(COLUMNS))
    sqlite.execute(sqlalchemy.text("DROP TABLE tags"))
    sqlite.execute(sqlalchemy.text(f"CREATE TABLE tags ({columns}, PRIMARY KEY (key, value))"))
    assert difference(sqlite) == "the primary key of tags is another"


def test_postgresql_has_the_known_tables(postgres: Postgres) -> None:
    from mlflow.tracking import MlflowClient

    uri = postgres.make("tables")
    MlflowClient(uri).search_experiments(max_results=1)
    engine = sqlalchemy.create_engine(uri)
    with engine.connect() as connection:
        assert difference(connection) is None
        connection.execute(sqlalchemy.text("ALTER TABLE runs ALTER COLUMN name TYPE VARCHAR(99)"))
        assert difference(connection) == "column runs.name is another"
    engine.dispose()
