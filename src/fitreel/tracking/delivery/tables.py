"""MLflow's tables as we know them, and the comparison with those of a store.

Rows are written into them only where nothing differs: see bulk.py.
"""

import sqlalchemy
from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, MetaData, String, Table
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.types import TypeEngine

_known = MetaData()
RUNS = Table(
    "runs",
    _known,
    Column("run_uuid", String(32), primary_key=True),
    Column("name", String(250)),
    Column("source_type", String(20)),
    Column("source_name", String(500)),
    Column("entry_point_name", String(50)),
    Column("user_id", String(256)),
    Column("status", String(9)),
    Column("start_time", BigInteger),
    Column("end_time", BigInteger),
    Column("deleted_time", BigInteger),
    Column("source_version", String(50)),
    Column("lifecycle_stage", String(20)),
    Column("artifact_uri", String(200)),
    Column("experiment_id", Integer),
)
TAGS = Table(
    "tags",
    _known,
    Column("key", String(250), primary_key=True),
    Column("value", String(8000)),
    Column("run_uuid", String(32), primary_key=True),
)
PARAMS = Table(
    "params",
    _known,
    Column("key", String(250), primary_key=True),
    Column("value", String(8000), nullable=False),
    Column("run_uuid", String(32), primary_key=True),
)
METRICS = Table(
    "metrics",
    _known,
    Column("key", String(250), primary_key=True),
    Column("value", Float, primary_key=True),
    Column("timestamp", BigInteger, primary_key=True),
    Column("run_uuid", String(32), primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("is_nan", Boolean, primary_key=True),
)
LATEST_METRICS = Table(
    "latest_metrics",
    _known,
    Column("key", String(250), primary_key=True),
    Column("value", Float, nullable=False),
    Column("timestamp", BigInteger),
    Column("step", BigInteger, nullable=False),
    Column("is_nan", Boolean, nullable=False),
    Column("run_uuid", String(32), primary_key=True),
)
# Of experiments nothing is written, and two columns are read.
EXPERIMENTS = Table(
    "experiments",
    MetaData(),
    Column("experiment_id", Integer, primary_key=True),
    Column("lifecycle_stage", String(32)),
)


def difference(connection: sqlalchemy.Connection) -> str | None:
    """Return the first thing that differs from the tables that we know, or None."""
    inspector = sqlalchemy.inspect(connection)
    for table in (*_known.sorted_tables, EXPERIMENTS):
        try:
            columns = inspector.get_columns(table.name)
            keys = inspector.get_pk_constraint(table.name)["constrained_columns"]
        except sqlalchemy.exc.NoSuchTableError:
            return f"table {table.name} is missing"
        found = {column["name"]: column for column in columns}
        for column in table.columns:
            if column.name not in found or not _is_alike(column, found[column.name]):
                return f"column {table.name}.{column.name} is another"
        # A new column may have to be filled, which we could not know.
        if table is not EXPERIMENTS and (more := found.keys() - set(table.columns.keys())):
            return f"column {table.name}.{min(more)} is new"
        if set(keys) != {column.name for column in table.primary_key}:
            return f"the primary key of {table.name} is another"
    return None


def _is_alike(known: Column[object], found: ReflectedColumn) -> bool:
    """Return whether a column takes the same values: its kind, at least its length, null or not."""
    length = getattr(found["type"], "length", None)
    return (
        _kind(known.type) == _kind(found["type"])
        and (length is None or length >= getattr(known.type, "length", 0))
        and found["nullable"] == known.nullable
    )


def _kind(column_type: TypeEngine[object]) -> str:
    """Return text, whole or real; databases without truth values use whole numbers."""
    if isinstance(column_type, String):
        return "text"
    if isinstance(column_type, (Integer, Boolean)):
        return "whole"
    return "real" if isinstance(column_type, (sqlalchemy.Numeric, Float)) else str(column_type)
