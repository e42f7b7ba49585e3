from io import BytesIO

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.pictures.figures import (
    DEAD,
    NEGATIVE,
    POINT_COLOUR,
    POSITIVE,
    NeuronTable,
    draw_neurons,
    neuron_table,
    scatter,
    shorten,
)
from fitreel.pictures.final_weights import draw_weights
from fitreel.settings import DataSettings
from fitreel.training.loop import Fit
from fitreel.training.weights import Weights


def pixel(figure: Figure, x: float, y: float, axes: int = 0) -> tuple[float, ...]:
    """Return the colour at data coordinates, in parts from 0 to 1."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    across, up = figure.axes[axes].transData.transform((x, y))
    return tuple(pixels[len(pixels) - round(up), round(across), :3] / 255)


def test_the_table_has_what_the_picture_shows(dataset: Dataset, trained: Fit) -> None:
    weights = trained.network.weights()
    table = neuron_table(weights, dataset)
    assert np.array_equal(table.input_weight, weights.input_weight[:, 0].numpy())
    assert np.array_equal(table.output_weight, weights.output_weight[0].numpy())
    assert np.array_equal(table.dead, weights.dead(dataset.x).numpy())


def test_the_colours_of_bars_show_signs_and_dead_neurons() -> None:
    table = NeuronTable(
        np.array([1, -1, 0.5], np.float32),
        np.array([-2, 2, 1], np.float32),
        np.array([False, False, True]),
    )
    figure = draw_neurons(table, "a run", 0.25)
    assert pixel(figure, 0.5, 0) == pytest.approx(to_rgb(POSITIVE), abs=0.01)
    assert pixel(figure, -0.5, 1) == pytest.approx(to_rgb(NEGATIVE), abs=0.01)
    assert pixel(figure, 0.25, 2) == pytest.approx(to_rgb(DEAD), abs=0.01)
    assert pixel(figure, -1, 0, axes=1) == pytest.approx(to_rgb(NEGATIVE), abs=0.01)
    assert pixel(figure, 1, 1, axes=1) == pytest.approx(to_rgb(POSITIVE), abs=0.01)
    assert pixel(figure, -0.7, 0) == (1, 1, 1)
    assert figure.get_suptitle() == "a run   loss 0.25"
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["0", "1", "2 dead"]
    assert [label.get_text() for label in figure.axes[0].texts] == ["+1", "−1", "+0.5"]


def test_a_name_is_never_read_as_mathematics() -> None:
    table = NeuronTable(np.ones(1, np.float32), np.ones(1, np.float32), np.array([False]))
    figure = draw_neurons(table, "$\\undefined{$ <b>\n", 1.0)
    FigureCanvasAgg(figure).draw()
    assert figure.get_suptitle().startswith("$\\undefined{$ <b> ")


def test_long_names_are_cut() -> None:
    assert shorten("a" * 60) == "a" * 60
    assert shorten("a" * 61) == "a" * 59 + "…"
    assert shorten("a" * 30 + "b" * 30, 10, tail=4) == "aaaaa…bbbb"


@pytest.mark.parametrize("hidden", [1, 64, 65, 4096])
def test_any_number_of_neurons_is_drawn(hidden: int) -> None:
    weights = Weights.from_flat(torch.zeros(3 * hidden + 1), "relu")
    figure = draw_neurons(neuron_table(weights, generate()), "zeros", 0.0)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert canvas.get_width_height()[1] <= 1800


def test_the_scatter_shows_the_points_where_they_are() -> None:
    dataset = generate(DataSettings(samples=2))
    figure = scatter(dataset)
    for x, y in zip(dataset.x.tolist(), dataset.y.tolist(), strict=True):
        assert pixel(figure, x, y) == pytest.approx(
            [0.15 + 0.85 * part for part in to_rgb(POINT_COLOUR)], abs=0.02
        )
    assert figure.get_size_inches().tolist() == [6.4, 4.8]


def test_the_weights_of_a_network_are_drawn_with_and_without_a_title(
    dataset: Dataset, trained: Fit
) -> None:
    network = trained.network
    figure = draw_weights(network, dataset)
    assert figure.get_suptitle() == ""
    table = neuron_table(network.weights(), dataset)
    assert figure._repr_png_() == draw_neurons(table)._repr_png_()
    assert draw_weights(network.weights(), dataset, "relu20").get_suptitle() == "relu20"
    assert draw_weights(network, dataset, loss=0.25).get_suptitle() == "loss 0.25"
    assert figure._repr_png_() != draw_weights(network, dataset, "relu20")._repr_png_()


def test_a_notebook_shows_figures_without_pyplot(dataset: Dataset) -> None:
    with Image.open(BytesIO(scatter(dataset)._repr_png_())) as image:
        assert (image.format, image.size) == ("PNG", (640, 480))
