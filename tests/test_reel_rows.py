"""Anybody's x and y become the rows of a film."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fitreel.reel.rows import dataset_of


def test_arrays_of_any_shape_become_rows() -> None:
    assert dataset_of([0, 1, 2], [0, 1, 4]).features == ("x",)
    assert dataset_of(torch.rand(5, 2), torch.rand(5, 1)).features == ("x1", "x2")
    assert len(dataset_of(torch.rand(4, 3, 2, 2), torch.rand(4)).features) == 12


def test_a_table_brings_its_names() -> None:
    table = pd.DataFrame({"age": [1, 2, 3], "size": [3, 1, 2]})
    rows = dataset_of(table, pd.Series([1, 2, 3], name="price"))
    assert (rows.features, rows.target) == (("age", "size"), "price")
    rows = dataset_of(table, [1, 2, 3], names=["a", "b"], target="c")
    assert (rows.features, rows.target) == (("a", "b"), "c")


@pytest.mark.parametrize(
    ("targets", "classes", "places", "names"),
    [
        (["b", "a", "b"], (), [1, 0, 1], ("a", "b")),
        (np.array(["b", "a", "b"], object), (), [1, 0, 1], ("a", "b")),
        ([True, False, True], (), [1, 0, 1], ("False", "True")),
        ([True, False, True], ("no", "yes"), [1, 0, 1], ("no", "yes")),
        ([0, 2, 1], ("low", "middle", "high"), [0, 2, 1], ("low", "middle", "high")),
        ([5, 7, 5], (5, 7), [0, 1, 0], ("5", "7")),
        (["b", "a", "b"], ("b", "a"), [0, 1, 0], ("b", "a")),
        (torch.tensor([[0], [1], [1]]), ("x", "y"), [0, 1, 1], ("x", "y")),
    ],
)
def test_targets_of_classes(targets: Any, classes: Any, places: list[int], names: Any) -> None:
    rows = dataset_of([0, 1, 2], targets, classes=classes)
    assert rows.classes == names
    assert rows.y.tolist() == places


def test_whole_numbers_without_classes_are_numbers() -> None:
    rows = dataset_of([0, 1, 2], [0, 1, 1])
    assert rows.classes == ()
    assert rows.y.dtype == torch.float32


@pytest.mark.parametrize(
    ("targets", "classes", "message"),
    [
        (["a", "b", "c"], ("a", "b"), "the targets have 'c', which is not one of classes"),
        ([0, 1, 2], ("a", "b"), "must be places of 2 classes"),
        ([0, 1, 1], ("a", "a"), "classes must be two or more, all different; got a, a"),
        (["a", "a", "a"], (), "classes must be two or more, all different; got a"),
        ([0, np.nan, 1], (), "must be finite"),
    ],
)
def test_targets_that_do_not_fit_are_named(targets: Any, classes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataset_of([0, 1, 2], targets, classes=classes)


def test_names_are_made_plain() -> None:
    rows = dataset_of([0, 1], [0, 1], names=["a\x1b[2Jb"])
    assert "\x1b" not in rows.features[0]
