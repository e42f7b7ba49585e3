"""The reading of a table: a file becomes a dataset, with rows held out and a schema."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.data.dataset import Dataset, Rows
from fitreel.data.scaling import Scaling
from fitreel.data.schema import Schema
from fitreel.data.table.cells import CellKind, narrowed
from fitreel.data.table.choice import Choice, check_feature, choose
from fitreel.data.table.encoding import encode
from fitreel.data.table.file import TableFile, open_table
from fitreel.data.table.fitting import fit_column
from fitreel.data.table.split import held_out, ranks, stratified
from fitreel.data.table.survey import Survey, survey
from fitreel.data.table.target import Target, read_target
from fitreel.settings import TableSettings

if TYPE_CHECKING:
    import pyarrow

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Table:
    """What was read from a file: the dataset, and what a reader should know about it."""

    dataset: Dataset
    schema: Schema
    remarks: tuple[str, ...]  # sentences: the task, rows that were dropped, columns left out
    dropped: int  # rows


def read_table(
    file: Path, settings: TableSettings, seed: int, test_file: Path | None = None
) -> Table:
    """Read a table: rows to train on, rows held out by ``seed``, features, target, scaling.

    What is learned from rows (categories, fill values, scaling) is learned from the training rows.
    Raises ValueError or OSError, one line, for a file that is not a table, for columns that do not
    fit the settings, and for cells that a network cannot learn from.
    """
    source = open_table(file)
    choice = choose(source.names, settings)
    found = survey(source, choice.all)
    kinds = _kinds(found, choice)
    rows = _read(source, choice, kinds)
    target = read_target(rows[choice.target], found[choice.target], settings.task)
    task = f"{target.task}, because {target.why}" if settings.task == "auto" else target.task
    remarks = [f"task: {task}"]
    test = np.zeros(len(rows), bool)
    if not test_file and settings.test_size:
        test = _held_out(settings.test_size, rows, target, choice, seed)
    incomplete = _incomplete(rows, found, choice, settings)
    if dropped := int(incomplete.sum()):
        remarks.append(f"dropped {dropped:,} of {len(rows):,} rows, in which values are missing")
    test, training = test & ~incomplete, ~test & ~incomplete
    columns = [
        fit_column(rows[name].filter(training), name, kinds[name], settings.missing)
        for name in choice.features
    ]
    schema = Schema(tuple(columns), choice.target, target.task, target.classes)
    x = encode(schema, rows.filter(training))
    y = _targets(target, training)
    dataset = Dataset(
        x,
        y,
        features=schema.features,
        target=choice.target,
        classes=schema.classes,
        scaling=Scaling.of(x, y),
        schema=schema,
        test=Rows(encode(schema, rows.filter(test)), _targets(target, test))
        if test.any()
        else None,
    )
    return Table(dataset, schema, tuple(remarks), dropped)


def _targets(target: Target, rows: Mask) -> torch.Tensor:
    kind = np.float32 if target.task == "regression" else np.int64
    return torch.from_numpy(target.y[rows].astype(kind))


def _held_out(
    share: float, rows: "pyarrow.Table", target: Target, choice: Choice, seed: int
) -> Mask:
    order = ranks(seed, len(rows))
    if target.classes:
        return stratified(share, target.y + 1, order)
    return held_out(share, np.arange(len(rows)), order)


def _incomplete(
    rows: "pyarrow.Table", found: dict[str, Survey], choice: Choice, settings: TableSettings
) -> Mask:
    lacking = [each for each in found.values() if each.missing]
    if lacking and settings.missing == "refuse":
        first = lacking[0]
        raise ValueError(
            f"column '{shown(first.name)}' lacks {first.missing:,} values, the first in row "
            f"{first.first_missing:,}: choose --missing drop, mean or median"
        )
    whole = settings.missing == "drop"
    looked = [each.name for each in lacking if whole or each.name not in choice.features]
    masks = [rows[name].is_null().to_numpy() for name in looked]
    return np.logical_or.reduce([np.zeros(len(rows), bool), *masks])


def _kinds(found: dict[str, Survey], choice: Choice) -> dict[str, CellKind]:
    kinds: dict[str, CellKind] = {}
    for each in found.values():
        check_feature(each)
        kind: Any = each.kind
        if kind == "number" and each.name == choice.target:
            kind = "precise"
        kinds[each.name] = kind
    return kinds


def _read(file: TableFile, choice: Choice, kinds: dict[str, CellKind]) -> "pyarrow.Table":
    import pyarrow

    batches, row = [], 1
    for batch in file.batches(choice.all):
        cells = [
            narrowed(column, kinds[name], name, row)
            for name, column in zip(choice.all, batch.columns, strict=True)
        ]
        batches.append(pyarrow.RecordBatch.from_arrays(cells, names=list(choice.all)))
        row += len(batch)
    return pyarrow.Table.from_batches(batches).unify_dictionaries()
