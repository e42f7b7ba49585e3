import hashlib
import math
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch

from fitreel.checks.files import sha256
from fitreel.data.dataset import Dataset
from fitreel.data.drawing import FUNCTIONS, generate, generate_unseen
from fitreel.data.files import load_dataset, save_dataset
from fitreel.settings import DataSettings


def test_the_default_points_are_those_of_the_original() -> None:
    dataset = generate()
    assert torch.equal(dataset.x, torch.linspace(-1, 1, 100))
    noise = (dataset.y - dataset.x**2) / 0.2
    assert 0 <= noise.min() < 0.05
    assert 0.95 < noise.max() < 1


def test_every_function_at_known_points() -> None:
    x = torch.tensor([-0.5, 0.0, 0.5])
    expected = {
        "quadratic": [0.25, 0, 0.25],
        "sine": [-1.0, 0, 1],
        "cubic": [-0.125, 0, 0.125],
        "step": [0.0, 1, 1],
        "abs": [0.5, 0, 0.5],
    }
    assert FUNCTIONS.keys() == expected.keys()
    for name, function in FUNCTIONS.items():
        assert torch.allclose(function(x), torch.tensor(expected[name]), atol=1e-6)


def test_the_seed_decides_the_noise() -> None:
    assert torch.equal(generate().y, generate().y)
    assert not torch.equal(generate().y, generate(DataSettings(data_seed=1)).y)


def test_unseen_points_have_the_same_distribution_and_other_noise() -> None:
    settings = DataSettings(x_min=-3.0, x_max=2.0, noise=0.4)
    unseen = generate_unseen(settings, 10_000)
    noise = unseen.y - unseen.x**2
    assert -3 <= unseen.x.min().item() < unseen.x.max().item() <= 2
    assert unseen.x.mean().item() == pytest.approx(-0.5, abs=0.05)
    assert noise.var().item() == pytest.approx(0.4**2 / 12, rel=0.05)
    # torch's generator ignores the upper half of a 64-bit seed: 2**32 would be the same as 0.
    seen = generate(settings)
    assert not torch.isin(generate_unseen(settings, 100).y, seen.y).any()


def test_unseen_points_share_no_random_numbers_with_training_points() -> None:
    """Their x are the first numbers of their generator, as is the noise of training points."""
    unit = DataSettings(x_min=0.0, x_max=1.0)
    x = generate_unseen(unit, 1000).x
    for seed in (0, 1):
        flat = DataSettings(1000, "step", noise=1.0, x_min=-2.0, x_max=-1.0, data_seed=seed)
        noise = generate(flat).y
        assert torch.isin(x, noise).float().mean() < 0.01
    assert not torch.isin(x, generate_unseen(replace(unit, data_seed=1), 1000).x).all()


def test_the_library_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    generate_unseen(DataSettings(), len(generate()))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_saved_dataset_is_loaded_exactly(tmp_path: Path) -> None:
    dataset = generate(DataSettings(function="sine", x_max=math.pi))
    save_dataset(dataset, tmp_path / "dataset.csv")
    again = load_dataset(tmp_path / "dataset.csv")
    assert torch.equal(dataset.x, again.x)
    assert torch.equal(dataset.y, again.y)
    assert (tmp_path / "dataset.csv").read_text().startswith("x,y\n-1,")
    expected = hashlib.sha256((tmp_path / "dataset.csv").read_bytes()).hexdigest()
    assert sha256(tmp_path / "dataset.csv") == expected


@pytest.mark.parametrize(
    "text", ["y,x\n1,0\n3,2\n", "\ufeffx,y\r\n0,1\r\n2,3\r\n", '"x",note,"y"\n0,a,1\n2,b,3\n']
)
def test_unusual_files_are_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "points.csv"
    path.write_bytes(text.encode())
    dataset = load_dataset(path)
    assert (dataset.x.tolist(), dataset.y.tolist()) == ([0, 2], [1, 3])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "points.csv is empty"),
        ("a,b\n1,2\n", "its columns are"),
        ("x,y\n1,2\n", "two points or more"),
        ("x,y\n1,2\n1,3\n", "two different x"),
        ("x,y\n1,2\n2,nan\n", "finite"),
        ("x,y\n1,2\n2,many\n", "many"),
        ("x,y\n1,2\n2\n", "points.csv is not a dataset"),
    ],
)
def test_an_error_names_a_file_that_is_not_a_dataset(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_dataset(path)


NUMBERS: dict[str, Any] = {
    "list": [0, 1.5, 3],
    "range": range(3),
    "float64": np.array([0, 1.5, 3]),
    "float16 backwards": np.array([0, 1.5, 3], dtype=np.float16)[::-1],
    "big-endian": np.array([0, 1.5, 3], dtype=">f8"),
    "unsigned": np.array([0, 1, 250], dtype=np.uint8),
    "truth": [True, False, True],
    "column": np.array([[0], [1.5], [3]]),
    "view": np.arange(9.0).reshape(3, 3)[:, 1],
    "decimal": [Decimal("0.5"), Fraction(1, 3), 2],
    "series": pandas.Series([0, 1.5, 3], index=[7, 8, 9]),
    "nullable": pandas.Series([0, 1, 3], dtype="Int64"),
    "frame": pandas.DataFrame({"x": [0, 1.5, 3]}),
    "half": torch.tensor([0, 1.5, 3]).half(),
    "double": torch.tensor([0, 1.5, 3]).double(),
    "integers": torch.arange(3),
    "with gradient": torch.tensor([0, 1.5, 3], requires_grad=True),
    "torch column": torch.arange(9.0).view(3, 3)[:, 1:2],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_any_numbers_make_a_dataset(name: str) -> None:
    given = NUMBERS[name]
    expected = np.asarray(given.detach() if isinstance(given, torch.Tensor) else given)
    dataset = Dataset(given, [1, 2, 3])
    assert dataset.x.tolist() == expected.astype(np.float32).ravel().tolist()
    assert Dataset([1, 2, 3], given).y.tolist() == dataset.x.tolist()
    for column in (dataset.x, dataset.y):
        assert (column.dtype, column.shape, column.requires_grad) == (torch.float32, (3,), False)
        assert column.is_contiguous()
        assert column.data_ptr() % 64 == 0
        assert column.untyped_storage().nbytes() == 12  # nothing of a larger array is kept


def test_a_dataset_has_its_own_numbers() -> None:
    array, tensor = np.array([0, 1, 2], dtype=np.float32), torch.tensor([1.0, 2.0, 3.0])
    dataset = Dataset(array, tensor)
    array[:], tensor[:] = 7, 7
    assert (dataset.x.tolist(), dataset.y.tolist()) == ([0, 1, 2], [1, 2, 3])
    again = replace(dataset, y=torch.tensor([4, 5, 6]))
    assert (again.x.tolist(), again.y.tolist()) == ([0, 1, 2], [4, 5, 6])


def test_drawn_points_know_how_until_they_are_changed(tmp_path: Path) -> None:
    settings = DataSettings(samples=3, noise=0.5)
    dataset = generate(settings)
    assert dataset.drawn == settings
    assert settings.noise_floor**2 == pytest.approx(0.5**2 / 12, rel=1e-12)
    assert replace(dataset, y=dataset.x).drawn is None
    assert Dataset(dataset.x, dataset.y).drawn is None
    save_dataset(dataset, tmp_path / "dataset.csv")
    assert load_dataset(tmp_path / "dataset.csv").drawn is None


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([1, math.nan, 3], "the numbers of a dataset must be finite; x[1] is nan"),
        ([1, 2, -math.inf], "the numbers of a dataset must be finite; x[2] is -inf"),
        ([1, 1e300, 3], "the numbers of a dataset must be finite; x[1] is 1e+300"),
        ([1, None, 3], "the numbers of a dataset must be finite; x[1] is nan"),
        (torch.tensor([1e300, 2, 3]).double(), "x[0] is inf"),
        ([1, "two", 3], "x must be a column of numbers; got 'two'"),
        (pandas.Series(["1", "2", "3"]), "x must be a column of numbers; got '1'"),
        ([1, 2, 10**400], "x must be a column of numbers; got 1000"),
        ([1, 2, 3j], "x must be a column of numbers; got 3j"),
        (torch.tensor([1, 2, 3j]), "x must be real numbers; got torch.complex64"),
        ([[1, 2], [3]], "x must be a column of numbers; got [1, 2]"),
        ({1: 2}, "x must be a column of numbers; got {1: 2}"),
        ("a" * 1000, "x must be a column of numbers; got 'aaa"),
        (None, "x must be a column of numbers; got None"),
        (3, "x must be a column of numbers; got 3"),
        (torch.tensor(3), "x must be of shape (rows,) or (rows, features); got shape ()"),
        (np.zeros((3, 0)), "x must be of shape (rows,) or (rows, features); got shape (3, 0)"),
        (
            np.zeros((3, 2, 1)),
            "x must be of shape (rows,) or (rows, features); got shape (3, 2, 1)",
        ),
        ([1, 2], "two points or more, as many x as y; got 2 x and 3 y"),
        ([], "two points or more, as many x as y; got 0 x and 3 y"),
        ([2, 2, 2], "a dataset needs two different x; all are 2.0"),
        ([2, 2 + 1e-12, 2], "a dataset needs two different x; all are 2.0"),
    ],
    ids=str,
)
def test_an_error_names_a_value_that_is_not_one_of_points(x: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        Dataset(x, [1, 2, 3])
    assert len(str(error.value)) < 160
    assert "\n" not in str(error.value)
    if message.startswith("x must be") and "shape" not in message:
        with pytest.raises(ValueError, match=re.escape(f"y{message[1:]}")):
            Dataset([1, 2, 3], x)


@pytest.mark.parametrize("y", [torch.tensor(3), np.zeros((1, 3)), np.zeros((3, 2))])
def test_targets_are_one_column(y: Any) -> None:
    shape = re.escape(f"(points, 1); got shape {tuple(y.shape)}")
    with pytest.raises(ValueError, match=shape):
        Dataset([1, 2, 3], y)


def test_several_features_have_names_of_their_own() -> None:
    dataset = Dataset(np.arange(6).reshape(3, 2), [0, 1, 1], classes=("cat", "dog"))
    assert dataset.features == ("x1", "x2")
    assert dataset.inputs.shape == (3, 2)
    assert (dataset.outputs, dataset.y.dtype) == (2, torch.int64)
    assert generate().inputs.shape == (100, 1)
    assert generate().features == ("x",)


@pytest.mark.parametrize("y", [[0, 1, 2], [0, -1, 0], [0, 0.5, 1]])
def test_classes_are_places(y: list[float]) -> None:
    with pytest.raises(ValueError, match="y must be places of 2 classes, from 0; got"):
        Dataset(np.arange(6).reshape(3, 2), y, classes=("cat", "dog"))


def test_every_feature_needs_a_name() -> None:
    with pytest.raises(ValueError, match="1 names do not fit 2 features"):
        Dataset(np.arange(6).reshape(3, 2), [0, 1, 1], features=("age",))
