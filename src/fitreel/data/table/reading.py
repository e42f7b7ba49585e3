"""The reading of a table: a file becomes a dataset, with rows held out and a schema."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fitreel.checks.text import shown
from fitreel.data.dataset import Dataset, Rows
from fitreel.data.scaling import Scaling
from fitreel.data.schema import Schema
from fitreel.data.table import remarks
from fitreel.data.table.cells import CellKind, Cells
from fitreel.data.table.choice import Choice, choose, kinds
from fitreel.data.table.columns import Columns, read_columns
from fitreel.data.table.encoding import encode_some
from fitreel.data.table.file import open_table
from fitreel.data.table.fitting import fit_schema, uselessness
from fitreel.data.table.missing import check_complete, incomplete
from fitreel.data.table.parts import check_groups, check_rows, check_training, divide
from fitreel.data.table.split import Mask
from fitreel.data.table.survey import survey
from fitreel.data.table.target import Target, read_same_target, read_target
from fitreel.settings import TableSettings


@dataclass(frozen=True, eq=False)
class Table:
    """What was read from a file: the dataset, and what its user should know."""

    dataset: Dataset
    schema: Schema
    remarks: tuple[str, ...]  # the task, rows that were dropped, columns left out, …
    dropped: int  # rows, of all files


def read_table(
    file: Path, settings: TableSettings, seed: int, test_file: Path | None = None
) -> Table:
    """Read a table: rows to train on, rows held out by ``seed``, features, target, scaling.

    What is learned from rows is learned from the training rows: the values of categories, what
    fills missing cells, the scaling. Rows are counted from 1, below the names. Raises ValueError or
    OSError, in one line, for a file that is not a table, for settings that do not fit it, and for
    cells that a network cannot learn from.
    """
    source = open_table(file)
    choice = choose(source.schema.names, settings)
    kept = kinds(survey(source, choice.columns), choice)
    columns = read_columns(source, choice.columns, kept, choice.group)
    check_rows(columns.rows, columns.rows)
    target = read_target(columns[choice.target], choice.target, settings.task)
    test_size = 0 if test_file else settings.test_size
    parts = divide(columns, target, choice, settings, seed, test_size)
    check_rows(int(parts.training.sum()), columns.rows)
    features, left_out = _useful(columns, parts.training, choice)
    lost = _lost(columns, features, choice, settings, file)
    parts = parts.without(lost)
    check_training(target, parts.training)
    schema = fit_schema(columns, parts.training, features, target, settings.missing)
    said = [
        *remarks.on_task(target, settings),
        *remarks.on_names(source, settings),
        *left_out,
        *remarks.on_missing(columns, lost, schema, settings.missing),
        *remarks.on_classes(target, parts.training),
    ]
    x, y = encode_some(schema, columns, parts.training), target.of(parts.training)
    validation = _rows(schema, columns, target, parts.validation)
    test = _rows(schema, columns, target, parts.test)
    dropped = int(lost.sum())
    groups = {choice.group: columns[choice.group]} if choice.group else {}
    del columns  # before the dataset copies x: the memory holds the numbers twice, not three times
    if test_file:
        test, also = _read_test(test_file, schema, kept, target, settings, groups)
        dropped += also
    if test is None and (test_file or test_size):
        raise ValueError("no row is left for the test: all that are held out lack a value")
    dataset = Dataset(
        x,
        y,
        features=schema.features,
        target=schema.target,
        classes=schema.classes,
        scaling=Scaling.of(x, y),
        schema=schema,
        validation=validation,
        test=test,
    )
    return Table(dataset, schema, tuple(said), dropped)


def _useful(columns: Columns, training: Mask, choice: Choice) -> tuple[list[str], list[str]]:
    """Return the features from which something can be learned, and remarks about the others."""
    why = {name: uselessness(columns[name].of(training)) for name in choice.features}
    features = [name for name in choice.features if not why[name]]
    said = [f"left out: '{shown(name)}', {reason}" for name, reason in why.items() if reason]
    if not features:
        raise ValueError(f"no column is left to predict '{shown(choice.target)}' from; {said[0]}")
    return features, said


def _lost(
    columns: Columns,
    features: Sequence[str],
    choice: Choice,
    settings: TableSettings,
    file: Path,
) -> Mask:
    """Return which rows are dropped because a value is missing; ValueError if that is refused."""
    others = [name for name in choice.columns if name not in choice.features]
    if settings.missing == "refuse":
        check_complete(columns, [*features, *others], file.name)
    return incomplete(columns, features, others, settings.missing)


def _rows(schema: Schema, columns: Columns, target: Target, mask: Mask) -> Rows | None:
    return Rows(encode_some(schema, columns, mask), target.of(mask)) if mask.any() else None


def _read_test(
    file: Path,
    schema: Schema,
    kept: dict[str, CellKind],
    target: Target,
    settings: TableSettings,
    groups: dict[str, Cells],
) -> tuple[Rows | None, int]:
    """Return the rows of a file of test rows, and how many were dropped.

    ``groups`` has the column of groups of the rows to train on, if there is one; the file of test
    rows may lack it.
    """
    source = open_table(file)
    group = next((name for name in groups if name in source.schema.names), "")
    choice = Choice(target.name, tuple(column.name for column in schema.columns), group)
    if lacking := [name for name in choice.columns if name not in source.schema.names]:
        raise ValueError(f"{file.name} has no column '{shown(lacking[0])}'")
    try:
        columns = read_columns(source, choice.columns, kept, group)
        if group:
            check_groups(groups[group], columns[group], group, file.name)
        same = read_same_target(columns[target.name], target, file.name)
    except ValueError as error:  # two files have a row of this number
        line = str(error)
        raise ValueError(line if file.name in line else f"{file.name}: {line}") from None
    lost = _lost(columns, choice.features, choice, settings, file)
    return _rows(schema, columns, same, ~lost), int(lost.sum())
