import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from fitreel.comparison.colours import DISTINCT, colours, run_colours
from fitreel.comparison.runs import compare
from tests.compared import compared

# How linear RGB looks with complete colour blindness of each kind: Machado et al., 2009.
VISIONS = {
    "normal": np.eye(3).tolist(),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(names: list[str]) -> NDArray[np.float64]:
    parts = np.array([to_rgb(name) for name in names])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(light: NDArray[np.float64]) -> NDArray[np.float64]:
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    parts = light @ to_xyz.T / (0.95047, 1, 1.08883)
    x, y, z = np.where(parts > 0.008856, np.cbrt(parts), 7.787 * parts + 16 / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def contrast(names: list[str], paper: str) -> NDArray[np.float64]:
    lightness = linear([*names, paper]) @ (0.2126, 0.7152, 0.0722) + 0.05
    found: NDArray[np.float64] = lightness[:-1] / lightness[-1]
    return np.maximum(found, 1 / found)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("vision", VISIONS)
def test_few_colours_are_distinct_with_any_colour_vision(vision: str, dark: bool) -> None:
    seen = lab(np.clip(linear(colours(8, dark)) @ np.array(VISIONS[vision]).T, 0, 1))
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    assert distances[~np.eye(8, dtype=bool)].min() > 27


@pytest.mark.parametrize("count", [1, 2, 8, 9, 60])
@pytest.mark.parametrize(("dark", "paper"), [(False, "#ffffff"), (True, "#14171c")])
def test_every_run_has_its_own_readable_colour(count: int, dark: bool, paper: str) -> None:
    chosen = colours(count, dark)
    assert len(set(chosen)) == count
    assert all(len(colour) == 7 and colour.startswith("#") for colour in chosen)
    assert contrast(chosen, paper).min() > 2.99


def test_many_colours_form_a_scale_from_dark_to_light() -> None:
    lightness = lab(linear(colours(60)))[:, 0]
    assert (np.diff(lightness) > 0).all()


def test_runs_that_differ_only_in_their_seed_share_a_colour() -> None:
    runs = [compared(lr=lr, seed=seed) for lr in (0.1, 0.2) for seed in (0, 1)]
    few = DISTINCT
    assert run_colours(compare([*runs, compared(lr=0.3)])) == [*few[:1] * 2, *few[1:2] * 2, few[2]]
