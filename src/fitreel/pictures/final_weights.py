"""The picture of the weights, rst.png: bars for one feature, a heat map for more."""

from fitreel.data.dataset import Dataset
from fitreel.pictures.figures import draw_neurons, neuron_table, run_title
from fitreel.pictures.heat_map import draw_heat_map, weight_table
from fitreel.pictures.picture import Picture
from fitreel.training.network import Network
from fitreel.training.weights import Weights


def draw_weights(
    weights: Weights | Network, dataset: Dataset, name: str = "", loss: float | None = None
) -> Picture:
    """Draw the weights of the hidden neurons, without biases, a row for each neuron.

    Neurons that no row of ``dataset`` activates are grey. ``name`` and ``loss`` make the title.
    The height grows with the number of neurons.
    """
    numbers = weights.weights() if isinstance(weights, Network) else weights
    if numbers.shape.features == 1 and not numbers.is_classifier:
        return draw_neurons(neuron_table(numbers, dataset), name, loss)
    return draw_heat_map(weight_table(numbers, dataset), run_title(name, loss))
