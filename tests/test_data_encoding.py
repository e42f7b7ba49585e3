"""New rows as features, as the schema of a training says; and files in batches of rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import torch
from pyarrow import parquet

from fitreel.data import Column, Schema, batches, encode, read_table
from fitreel.data.schema import OTHER
from fitreel.settings import TableSettings
from tests.peaks import peak_after_warming, write

SCHEMA = Schema(
    (
        Column("size", "number"),
        Column("kind", "category", ("new", "old", OTHER)),
        Column("sold", "boolean"),
        Column("shop", "category", ("a", "b")),
    ),
    "y",
    "regression",
)
FILLED = Schema(
    (
        Column("size", "number", fill=2.5),
        Column("kind", "category", ("new", "old"), "old"),
        Column("sold", "boolean", fill=1.0),
    ),
    "y",
    "regression",
)


def rows(**columns: list[Any]) -> pyarrow.Table:
    given: dict[str, list[Any]] = {
        "size": [1.0, 2.0],
        "kind": ["new", "old"],
        "sold": [True, False],
        "shop": ["a", "b"],
    }
    return pyarrow.table(given | columns)


def test_columns_are_found_by_name_in_any_order() -> None:
    expected = torch.tensor([[1, 1, 0, 0, 1, 1, 0], [2, 0, 1, 0, 0, 0, 1]]).float()
    assert torch.equal(encode(SCHEMA, rows()), expected)
    turned = rows(more=[None, None]).select(["shop", "more", "sold", "kind", "size"])
    assert torch.equal(encode(SCHEMA, turned), expected)
    assert torch.equal(encode(SCHEMA, turned.to_batches()[0]), expected)


@pytest.mark.parametrize(
    "columns",
    [
        {"size": ["1", " 2.0 "], "sold": ["true", "FALSE"], "kind": [" new", "old "]},
        {"size": [1, 2], "sold": [1, 0]},
        {"size": np.array([1, 2], np.uint8), "sold": np.array([1, 0], np.float32)},
        {"kind": pyarrow.array(["new", "old"]).dictionary_encode()},
        {"shop": pyarrow.array(["a", "b"], pyarrow.large_string())},
    ],
)
def test_types_do_not_matter_if_the_values_are_the_same(columns: dict[str, Any]) -> None:
    assert torch.equal(encode(SCHEMA, rows(**columns)), encode(SCHEMA, rows()))


def test_an_unknown_text_is_other_or_nothing() -> None:
    found = encode(SCHEMA, rows(kind=["new", "unheard"], shop=["z", "b"]))
    assert found[:, 1:4].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert found[:, 5:].tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("size", [[None, 2.0], [float("nan"), 2.0], ["", "2"], [" ", "2"]])
def test_missing_values_are_filled_as_the_schema_says(size: list[Any]) -> None:
    found = encode(FILLED, rows(size=size, kind=[None, "new"], sold=[None, False]))
    assert found.tolist() == [[2.5, 0, 1, 1], [2, 1, 0, 0]]


def test_a_column_that_is_missing_everywhere_is_filled() -> None:
    found = encode(FILLED, rows(size=[None, None], kind=[None, None], sold=[None, None]))
    assert found.tolist() == [[2.5, 0, 1, 1]] * 2


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"size": [1.0, None]}, "column 'size' has no value in row 12"),
        ({"kind": [None, "new"]}, "column 'kind' has no value in row 11"),
        ({"kind": [" ", "new"]}, "column 'kind' has no value in row 11"),
        ({"sold": [True, None]}, "column 'sold' has no value in row 12"),
        ({"size": ["1", "many"]}, "column 'size' has 'many' in row 12; it must be a number"),
        ({"size": ["1", "2,5"]}, "column 'size' has '2,5' in row 12; it must be a number"),
        ({"size": [1.0, np.inf]}, "column 'size' has inf in row 12; it must be finite in float32"),
        ({"size": [1e39, 1]}, "column 'size' has 1e.39 in row 11; it must be finite in float32"),
        ({"sold": [2, 1]}, "column 'sold' has 2.0 in row 11; it must be true or false"),
        ({"sold": ["true", "maybe"]}, "column 'sold' has 'maybe' in row 12; it must be true or f"),
        ({"size": [[1], [2]]}, r"column 'size' has \[1\] in row 11; it must be a number"),
        ({"kind": [[1], [2]]}, r"column 'kind' is of type list<[a-z]+: int64>, not text"),
    ],
)
def test_an_error_names_column_and_row(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode(SCHEMA, rows(**columns), first_row=11)


def test_an_error_counts_the_rows_of_all_chunks() -> None:
    table = pyarrow.concat_tables([rows(), rows(), rows(size=[1.0, None])])
    with pytest.raises(ValueError, match="column 'size' has no value in row 6"):
        encode(SCHEMA, table)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="column 'kind' is missing"):
        encode(SCHEMA, rows().drop_columns("kind"))


@pytest.fixture
def table(tmp_path: Path) -> dict[str, Path]:
    """The same 5000 rows as CSV, as CSV with decimal commas, and as Parquet."""
    draw = np.random.default_rng(0)
    columns = {
        "a": draw.normal(size=5000).round(3),
        "b": draw.choice(["u", "v", "w, x"], 5000),
        "c": draw.integers(0, 2, 5000).astype(bool),
        "y": draw.normal(size=5000).round(3),
    }
    lines = list(zip(*columns.values(), strict=True))
    files = {name: tmp_path / name for name in ("commas.csv", "semicolons.csv", "a.parquet")}
    files["commas.csv"].write_text(
        "a,b,c,y\n" + "".join(f'{a},"{b}",{c},{y}\n' for a, b, c, y in lines)
    )
    files["semicolons.csv"].write_text(
        "a;b;c;y\n" + "".join(f"{a};{b};{c};{y}\n".replace(".", ",") for a, b, c, y in lines)
    )
    parquet.write_table(pyarrow.table(columns), files["a.parquet"], row_group_size=900)
    return files


@pytest.mark.parametrize("name", ["commas.csv", "semicolons.csv", "a.parquet"])
def test_the_batches_of_a_file_are_encoded_as_the_file_was_read(
    table: dict[str, Path], name: str
) -> None:
    chosen = TableSettings(data="-", target="y", test_size=0, validation_size=0)
    read = read_table(table["a.parquet"], chosen, 0)
    names = [column.name for column in read.schema.columns]
    parts = [encode(read.schema, batch) for batch in batches(table[name], names, 700)]
    assert max(map(len, parts)) <= 700
    assert torch.equal(torch.cat(parts), read.dataset.inputs)


def test_batches_have_all_columns_if_none_are_chosen(table: dict[str, Path]) -> None:
    for file in table.values():
        first = next(batches(file, most=10))
        assert first.schema.names == ["a", "b", "c", "y"]
        assert len(first) == 10


def test_batches_need_their_columns(table: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="has no column 'z'"):
        next(batches(table["commas.csv"], ["a", "z"]))


ENCODING = """
from fitreel.data import Column, Schema, batches, encode
from fitreel.data.table import file

file.BLOCK = 2**16  # little is read ahead: what grows is what is measured
SCHEMA = Schema((Column("a", "number"), Column("b", "number")), "y", "regression")

def step(path):
    for batch in batches(path, ["a", "b"]):
        encode(SCHEMA, batch)
"""


@pytest.mark.needs("peaks")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_memory_of_batches_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    numbers = np.random.default_rng(0).normal(size=(1_000_000, 2)).round(9)
    small, large = tmp_path / f"small.{kind}", tmp_path / f"large.{kind}"
    for file, count in ((small, 50_000), (large, len(numbers))):
        write(dict(zip("ab", numbers[:count].T, strict=True)), file)
    all_rows = numbers.nbytes * (2 if kind == "csv" else 1)  # as texts, or as float64
    assert peak_after_warming(ENCODING, small, large) < all_rows / 2
