"""Tables of one's own: files become datasets. The cases of tests/corpus/tables.yaml, and more."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import torch
import yaml
from pyarrow import parquet

from fitreel.data import Dataset, Schema, Table, read_table
from fitreel.data.table import columns, limits
from fitreel.data.table.file import open_table
from fitreel.data.table.survey import Survey, survey
from fitreel.settings import TableSettings
from tests.conftest import ROOT
from tests.inputs import place
from tests.peaks import peak_after_warming, write

CASES = yaml.safe_load((ROOT / "tests/corpus/tables.yaml").read_text(encoding="utf-8"))


def settings(**changes: Any) -> TableSettings:
    """Return settings with the target y that hold out nothing, with some changes."""
    kept: dict[str, Any] = {"data": "-", "target": "y", "test_size": 0.0, "validation_size": 0.0}
    return TableSettings(**kept | changes)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_the_corpus_of_tables(case: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / case.get("file", "table.csv")
    place(file, case["content"], {})
    chosen = settings(**case.get("settings", {}))
    if "refused" in case:
        expected = ".*".join(re.escape(part) for part in case["refused"].split("[…]"))
        with pytest.raises((ValueError, OSError)) as caught:
            read_table(file, chosen, 0)
        assert re.fullmatch(expected, str(caught.value))
        assert len(str(caught.value)) < 400
        return
    table = read_table(file, chosen, 0)
    found: dict[str, Any] = {
        "inputs": table.dataset.inputs.tolist(),
        "y": table.dataset.y.tolist(),
        "rows": len(table.dataset),
        "features": list(table.dataset.features),
        "classes": list(table.dataset.classes),
        "task": table.schema.task,
        "dropped": table.dropped,
        "remarks": list(table.remarks),
    }
    for name, expected in case["read"].items():
        if name in ("inputs", "y"):
            assert torch.equal(torch.tensor(found[name]), torch.tensor(expected).float() * 1.0)
        elif name == "remarks":
            assert [each for each in found[name] if not each.startswith("the task is")] == expected
        else:
            assert found[name] == expected


def test_gzip_that_becomes_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "table.csv.gz"
    place(file, {"gzip": {"lines": ["a,y\n", "{0},{0}.5\n", 50_000]}}, {})
    size = file.stat().st_size
    monkeypatch.setattr(limits, "MOST_BYTES", size + 1000)  # of the packed file, and a little more
    with pytest.raises(ValueError, match="bytes; at most"):
        read_table(file, settings(), 0)


def test_rows_too_many_are_refused_in_both_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "train.csv", tmp_path / "test.csv"
    first.write_text("a,y\n" + "".join(f"{n},{n}.5\n" for n in range(4)))
    second.write_text("a,y\n" + "".join(f"{n},{n}.5\n" for n in range(6)))
    monkeypatch.setattr(limits, "MOST_ROWS", 5)
    with pytest.raises(ValueError, match=r"test\.csv has 6 rows or more; at most 5 are allowed"):
        read_table(first, settings(), 0, second)
    source = open_table(second)
    with pytest.raises(ValueError, match="6 rows or more"):  # before a second look at all rows
        survey(source, ["a"])


def test_an_error_counts_the_rows_of_all_batches(tmp_path: Path) -> None:
    numbers = np.arange(40_000) + 0.5
    numbers[33_333] = np.inf
    parquet.write_table(pyarrow.table({"a": numbers, "y": numbers}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="column 'a' has inf in row 33,334; "):
        read_table(tmp_path / "a.parquet", settings(), 0)


def test_the_first_of_the_wrong_cells_in_all_batches_is_named() -> None:
    found = Survey()
    for texts in (["1", "2"], ["3", "u"], ["v", "4"]):
        found.add(pyarrow.array(texts))
    assert found.first == (4, "u")


def test_a_group_may_have_more_texts_than_a_feature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,g,y\n" + "".join(f"{n},g{n},{n}.5\n" for n in range(9)))
    monkeypatch.setattr(columns, "MOST_TEXTS", 8)
    assert len(read_table(file, settings(group="g", features="a"), 0).dataset) == 9
    with pytest.raises(ValueError, match="column 'g' has more than 8 different texts"):
        read_table(file, settings(features="a,g"), 0)


# ---- held-out rows ----------------------------------------------------------------------------


@pytest.fixture
def shops(tmp_path: Path) -> Path:
    """A table of 200 rows with a number, a text, missing values, a shop and a day."""
    draw = np.random.default_rng(1)
    columns = {
        "size": draw.normal(10, 3, 200).round(2),
        "kind": draw.choice(["new", "old", "used", "rare"], 200, p=[0.5, 0.3, 0.17, 0.03]),
        "shop": draw.integers(0, 12, 200),
        "day": np.datetime64("2026-01-01") + draw.integers(0, 300, 200),
        "y": draw.permutation(200) + 0.5,  # each once, so that it names its row
    }
    lines = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    lines[7] = lines[7].replace(lines[7].split(",")[0], "", 1)
    path = tmp_path / "shops.csv"
    path.write_text("\n".join(lines))
    return path


def same(first: Dataset, second: Dataset) -> bool:
    """Return whether everything that a training sees is the same, to the last bit."""
    assert first.scaling
    assert second.scaling
    pairs = [
        (first.x, second.x),
        (first.y, second.y),
        (first.scaling.input_mean, second.scaling.input_mean),
        (first.scaling.input_deviation, second.scaling.input_deviation),
        (first.scaling.target_mean, second.scaling.target_mean),
        (first.scaling.target_deviation, second.scaling.target_deviation),
    ]
    return first.schema == second.schema and all(torch.equal(*pair) for pair in pairs)


@pytest.mark.parametrize(
    "held", [{}, {"group": "shop"}, {"time": "day"}], ids=["rows", "groups", "latest"]
)
@pytest.mark.parametrize("missing", ["mean", "median", "drop"])
def test_test_rows_change_nothing_that_a_training_sees(
    shops: Path, tmp_path: Path, held: dict[str, str], missing: str
) -> None:
    """Change all values of the test rows, in the file; those of a training row would be seen."""
    chosen = settings(
        missing=missing, test_size=0.25, validation_size=0.2, features="size,kind", **held
    )
    before = read_table(shops, chosen, 3)
    assert before.dataset.test
    lines = shops.read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    tests = set(before.dataset.test.y.tolist())
    changed = tmp_path / "changed.csv"

    def change(is_test: bool) -> Table:
        new = [
            ["999", "unheard", *row[2:4], "-77"] if (float(row[4]) in tests) == is_test else row
            for row in rows
        ]
        changed.write_text("\n".join([lines[0], *(",".join(row) for row in new)]))
        return read_table(changed, chosen, 3)

    after = change(is_test=True)
    assert after.dataset.test
    assert (after.dataset.test.y == -77).all()
    assert same(before.dataset, after.dataset)
    assert before.dataset.validation
    assert after.dataset.validation
    assert torch.equal(before.dataset.validation.inputs, after.dataset.validation.inputs)
    with pytest.raises(ValueError, match="no column is left"):  # all training rows are equal
        change(is_test=False)


def test_validation_rows_do_not_change_what_is_learned_from_training_rows(tmp_path: Path) -> None:
    numbers = np.arange(40)
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("a,y\n" + "".join(f"{each},{each / 3:.4f}\n" for each in numbers))
    chosen = settings(validation_size=0.25, test_size=0.25)
    before = read_table(first, chosen, 0)
    assert before.dataset.validation
    held = set(before.dataset.validation.inputs[:, 0].int().tolist())
    second.write_text(
        "a,y\n" + "".join(f"{1000 if each in held else each},{each / 3:.4f}\n" for each in numbers)
    )
    after = read_table(second, chosen, 0)
    assert same(before.dataset, after.dataset)
    assert after.dataset.validation
    assert (after.dataset.validation.inputs == 1000).all()


def test_every_row_is_in_one_part(shops: Path) -> None:
    chosen = settings(test_size=0.25, validation_size=0.2, missing="mean", features="size")
    dataset = read_table(shops, chosen, 3).dataset
    assert dataset.test
    assert dataset.validation
    assert [len(dataset), len(dataset.validation), len(dataset.test)] == [120, 30, 50]
    together = torch.cat([dataset.y, dataset.validation.y, dataset.test.y]).sort().values
    written = [float(line.split(",")[-1]) for line in shops.read_text().splitlines()[1:]]
    assert torch.equal(together, torch.tensor(written).sort().values)


def test_groups_and_times_are_no_features_unless_asked_for(shops: Path) -> None:
    for held in ({"group": "shop", "features": "size,kind"}, {"time": "day"}):
        table = read_table(shops, settings(missing="drop", test_size=0.2, **held), 0)
        assert not {"day", held.get("group")} & set(table.dataset.features)
    asked = settings(missing="drop", test_size=0.2, group="shop", features="size,shop")
    assert read_table(shops, asked, 0).dataset.features == ("size", "shop")


@pytest.mark.parametrize("seconds", [[30, 10, 20, 40], ["10:30", "8:15", "9:00", "23:59"]])
def test_the_latest_rows_are_the_test(tmp_path: Path, seconds: list[Any]) -> None:
    file = tmp_path / "times.csv"
    rows = zip(seconds, [1.5, 2.5, 3.5, 4.5], strict=True)
    file.write_text("a,when,y\n" + "".join(f"{y},{when},{y}\n" for when, y in rows))
    table = read_table(file, settings(time="when", test_size=0.5), 0)
    assert table.dataset.test
    assert table.dataset.y.tolist() == [2.5, 3.5]
    assert table.dataset.test.y.tolist() == [1.5, 4.5]


@pytest.mark.parametrize(
    "days",
    [
        ["2026-02-01", "2025-12-31", "2026-01-15"],
        ["1.2.2026", "31.12.2025", "15.01.2026"],
        ["2026/02/01", "2025/12/31", "2026/01/15"],
        ["2026-02-01 00:00:01", "2026-02-01", "2026-02-01 00:00:00.5"],
        ["2026-02-01T08:00:00Z", "2026-02-01T09:00:00+02:00", "2026-02-01T07:30:00Z"],
    ],
)
def test_days_are_put_in_order_however_they_are_written(tmp_path: Path, days: list[str]) -> None:
    file = tmp_path / "days.csv"
    file.write_text("a,day,y\n" + "".join(f"{n},{day},{n}.5\n" for n, day in enumerate(days)))
    table = read_table(file, settings(time="day", test_size=0.3), 0)
    assert table.dataset.test
    assert table.dataset.test.y.tolist() == [0.5]
    assert table.dataset.y.tolist() == [1.5, 2.5]


def test_days_of_parquet_are_put_in_order(tmp_path: Path) -> None:
    days = np.array(["2026-02-01", "2025-12-31", "2026-01-15"], "datetime64[D]")
    for unit in ("D", "s", "ns"):
        columns = {"a": [0, 1, 2], "day": days.astype(f"datetime64[{unit}]"), "y": [0.5, 1.5, 2.5]}
        parquet.write_table(pyarrow.table(columns), tmp_path / "days.parquet")
        chosen = settings(time="day", test_size=0.3)
        table = read_table(tmp_path / "days.parquet", chosen, 0)
        assert table.dataset.test
        assert table.dataset.test.y.tolist() == [0.5]


def test_both_group_and_time_are_refused() -> None:
    with pytest.raises(ValueError, match="by --group or by --time, not by both"):
        settings(group="a", time="b")


# ---- a file of test rows ----------------------------------------------------------------------


def test_test_rows_from_a_file_with_columns_in_another_order(tmp_path: Path) -> None:
    first, second = tmp_path / "train.csv", tmp_path / "test.csv"
    first.write_text("a,b,y\n1,x,u\n2,x,v\n,z,u\n4,z,u\n")
    second.write_text("more;y;b;a\n0;v;q;9,5\n0;u;z;\n0;u;;8\n")
    table = read_table(first, settings(missing="mean", test_size=0.5), 0, second)
    assert len(table.dataset) == 4
    assert table.dataset.test
    mean = torch.tensor(7 / 3).item()
    assert table.dataset.test.inputs.tolist() == [[9.5, 0, 0], [mean, 0, 1], [8, 1, 0]]
    assert table.dataset.test.y.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,b\n1,x\n", "test.csv has no column 'y'"),
        ("a,y\n1,u\n", "test.csv has no column 'b'"),
        ("a,b,y\n1,x,w\n", "test.csv has the class 'w', which no row to train on has"),
        (
            "a,b,y\n1,x,u\nmuch,x,u\n",
            "test.csv: column 'a' has 'much' in row 2; it must be a number",
        ),
        (
            "a,b,y\n,x,u\n",
            "column 'a' of test.csv has 1 missing value, in row 1: choose [–]+missing",
        ),
        ("a,b,y\n", "test.csv has no rows below its first line"),
    ],
)
def test_a_file_of_test_rows_that_does_not_fit(tmp_path: Path, rows: str, message: str) -> None:
    first, second = tmp_path / "train.csv", tmp_path / "test.csv"
    first.write_text("a,b,y\n1,x,u\n2,x,v\n3,z,u\n4,z,u\n")
    second.write_text(rows)
    with pytest.raises(ValueError, match=message.replace("[–]+", ".*")):
        read_table(first, settings(), 0, second)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            "wv",
            r"^test\.csv has the group 'w', which has rows to train on: no 'g' may be in both",
        ),
        ("wxv", r"^test\.csv has the group 'w', which has rows to train on, and 1 more: "),
        ("34", r"^test\.csv has the group '3', which "),
        ("v5", ""),
    ],
)
def test_a_group_in_both_files_is_refused(tmp_path: Path, groups: str, message: str) -> None:
    first, second = tmp_path / "train.csv", tmp_path / "test.csv"
    own = "1233" if groups.isdecimal() else "wxzz"
    first.write_text("a,g,y\n" + "".join(f"{n},{each},{n}.5\n" for n, each in enumerate(own)))
    second.write_text("g,a,y\n" + "".join(f"{each},7,7.5\n" for each in groups))
    chosen = settings(group="g")
    if message:
        with pytest.raises(ValueError, match=message):
            read_table(first, chosen, 0, second)
    else:
        table = read_table(first, chosen, 0, second)
        assert table.dataset.test
        assert table.dataset.features == ("a",)
    second.write_text("a,y\n7,7.5\n")
    assert read_table(first, chosen, 0, second).dataset.test


# ---- what is learned from the training rows ---------------------------------------------------


def test_the_50_most_frequent_texts_have_features_and_the_others_share_one(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    texts = [f"t{n:02}" for n in range(60) for _ in range(60 - n)]
    file.write_text("a,y\n" + "".join(f"{text},{n}.5\n" for n, text in enumerate(texts)))
    dataset = read_table(file, settings(), 0).dataset
    assert dataset.features == (*(f"a=t{n:02}" for n in range(50)), "a=other")
    assert torch.equal(dataset.inputs.sum(dim=1), torch.ones(len(texts)))
    assert dataset.inputs[:, -1].sum() == sum(range(1, 11))


def test_equally_frequent_texts_and_truth_values_are_filled_the_same_way_in_any_order(
    tmp_path: Path,
) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,b,y\nz,true,1.5\nx,false,2.5\n,,3.5\nz,true,4.5\nx,false,5.5\n")
    dataset = read_table(file, settings(missing="mean"), 0).dataset
    assert dataset.features == ("a=x", "a=z", "b")
    assert dataset.inputs[2].tolist() == [1, 0, 0]


def test_the_scaling_is_that_of_the_training_rows(shops: Path) -> None:
    chosen = settings(missing="drop", features="size", test_size=0.4)
    dataset = read_table(shops, chosen, 0).dataset
    assert dataset.scaling
    assert dataset.scaling.input_mean.item() == pytest.approx(dataset.x.double().mean().item())
    deviation = dataset.x.double().std(correction=0).item()
    assert dataset.scaling.input_deviation.item() == pytest.approx(deviation)
    assert dataset.scaling.target_mean.item() == pytest.approx(dataset.y.double().mean().item())


def test_the_schema_survives_json(shops: Path) -> None:
    schema = read_table(shops, settings(missing="mean", features="size,kind"), 0).schema
    assert Schema.from_json(schema.to_json()) == schema
    assert [column.fill is not None for column in schema.columns] == [True, True]


def test_csv_and_parquet_give_the_same_dataset(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    columns = {
        "a": draw.normal(size=3000),
        "b": draw.choice(["u", "v", "w"], 3000),
        "c": draw.integers(0, 2, 3000).astype(bool),
        "y": draw.normal(size=3000),
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet", row_group_size=700)
    rows = (",".join(map(str, row)) for row in zip(*columns.values(), strict=True))
    (tmp_path / "a.csv").write_text("\n".join(["a,b,c,y", *rows]))
    chosen = settings(test_size=0.2, validation_size=0.2)
    first, second = (read_table(tmp_path / f"a.{kind}", chosen, 5) for kind in ("csv", "parquet"))
    assert same(first.dataset, second.dataset)


# ---- cost -------------------------------------------------------------------------------------

READING = """
from fitreel.data import read_table
from fitreel.data.table import file
from fitreel.settings import TableSettings

file.BLOCK = 2**16  # little is read ahead: the numbers are what is measured

def step(path):
    read_table(path, TableSettings(data="-", target="c0"), 0)
"""


@pytest.mark.needs("peaks")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_memory_holds_the_numbers_less_than_three_times(tmp_path: Path, kind: str) -> None:
    """Twice: as columns and as features; one more copy, or one in float64, would be too much."""
    numbers = np.random.default_rng(0).normal(size=(200_000, 20)).round(3)
    small, large = tmp_path / f"small.{kind}", tmp_path / f"large.{kind}"
    for file, count in ((small, 10_000), (large, len(numbers))):
        write({f"c{place}": column[:count] for place, column in enumerate(numbers.T)}, file)
    assert peak_after_warming(READING, small, large) < 2.5 * 4 * numbers.size
