import hashlib
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fitreel.data.dataset import Dataset
from fitreel.data.drawing import FUNCTIONS, generate, generate_unseen
from fitreel.data.files import load_dataset, save_dataset, sha256
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


def test_x_and_y_must_have_the_same_length() -> None:
    with pytest.raises(ValueError, match="as many x as y"):
        Dataset(torch.zeros(3), torch.zeros(4))
