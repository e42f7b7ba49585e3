"""skorch: a net's fit is filmed with the rows that the net is given, and ends as it ends."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from mlflow.tracking import MlflowClient
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import Dataset
from torch import Tensor, nn

from fitreel.integrations.skorch import FilmCallback
from tests.filmed import Film, films, only_film, type_example

X = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
Y = X**2
MOONS, SIDES = make_moons(40, noise=0.1, random_state=0)
MOONS = MOONS.astype(np.float32)


class Network(nn.Module):
    def __init__(
        self, inputs: int = 1, outputs: int = 1, end: type[nn.Module] = nn.Identity
    ) -> None:
        super().__init__()
        layers = (nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, outputs))
        self.layers = nn.Sequential(*layers, end())

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers(x)
        return found


def net(*callbacks: Callback, **options: Any) -> NeuralNetRegressor:
    torch.manual_seed(0)
    options = {"max_epochs": 4, "lr": 0.05, "batch_size": 8, "verbose": 0} | options
    return NeuralNetRegressor(Network, callbacks=list(callbacks), **options)


def of_module(net: Any, x: Any) -> Any:
    """Predict in the mode that the module is in."""
    return net.module_(torch.from_numpy(x))


@pytest.mark.parametrize("predict", [None, of_module])
def test_a_fit_is_filmed_and_no_bit_of_it_changes(film_store: MlflowClient, predict: Any) -> None:
    film = FilmCallback(experiment="curves", name="first", every=3, predict=predict, lr=0.05)
    made = net(film).fit(X, Y)
    states = (each.module_.state_dict().values() for each in (made, net().fit(X, Y)))
    assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))
    found = only_film(film_store)
    assert (found.status, found.run.info.run_name) == ("FINISHED", "first")
    assert found.run.data.params == {"lr": "0.05"}
    rows = made.history[:, ("epoch", "train_loss", "valid_loss")]
    assert found.points("loss") == [(epoch, loss) for epoch, loss, _ in rows]
    assert found.points("valid_loss") == [(epoch, loss) for epoch, _, loss in rows]
    assert found.frames == [1, 4]
    reel = found.reel()
    assert len(reel.dataset) == 40
    expected = made.predict(reel.probes.inputs.numpy())[:, 0]
    assert reel.recording().predictions[-1] == pytest.approx(expected, abs=1e-6)


def test_classifiers(film_store: MlflowClient) -> None:
    options: dict[str, Any] = {"module__inputs": 2, "max_epochs": 2, "verbose": 0}
    softmax = {"module__outputs": 2, "module__end": nn.Softmax}
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        NeuralNetClassifier(Network, callbacks=[FilmCallback(every=1)], **options, **softmax).fit(
            MOONS, SIDES
        )
    flat = {"module__end": lambda: nn.Flatten(0)}
    film = FilmCallback(every=1, classes=("upper", "lower"))
    NeuralNetBinaryClassifier(Network, callbacks=[film], **options, **flat).fit(
        MOONS, SIDES.astype(np.float32)
    )
    first, second = (found.reel() for found in films(film_store))
    assert (first.dataset.classes, second.dataset.classes) == (("0", "1"), ("upper", "lower"))
    for reel in (first, second):
        assert reel.recording().predictions.sum(axis=2) == pytest.approx(1)


class Raises(Callback):
    """Breaks a fit off: in the middle of an epoch, or as a callback ends a training."""

    def __init__(self, error: BaseException, at: str) -> None:
        self.error, self.at = error, at

    def on_batch_end(self, net: Any, **_: Any) -> None:
        if self.at == "batch" and len(net.history) == 3:
            raise self.error

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        if self.at == "epoch" and len(net.history) == 3:
            raise self.error


def test_ctrl_c_which_skorch_keeps_to_itself(film_store: MlflowClient) -> None:
    made = net(FilmCallback(every=1), Raises(KeyboardInterrupt(), "batch")).fit(X, Y)
    assert len(made.history) == 3
    found = only_film(film_store)
    assert (found.status, found.frames) == ("KILLED", [1, 2])


@pytest.mark.parametrize("is_first", [True, False])
def test_an_early_end_is_an_end(film_store: MlflowClient, is_first: bool) -> None:
    """A callback ends a training by a KeyboardInterrupt, too, maybe before the film is asked."""
    early = EarlyStopping(monitor="train_loss", patience=1, threshold=10, threshold_mode="abs")
    callbacks = [FilmCallback(every=1), early]
    made = net(*(callbacks if is_first else reversed(callbacks)), max_epochs=9).fit(X, Y)
    epochs = list(range(1, len(made.history) + 1))
    assert len(epochs) < 9
    found = only_film(film_store)
    assert (found.status, found.frames, found.steps("loss")) == ("FINISHED", epochs, epochs)


def test_in_a_block_a_fit_that_raises_ends_at_once(film_store: MlflowClient) -> None:
    with pytest.raises(RuntimeError, match="broken"), FilmCallback(every=1) as film:
        net(film, Raises(RuntimeError("broken"), "batch")).fit(X, Y)
    found = only_film(film_store)
    assert (found.status, found.frames) == ("FAILED", [1, 2])


def test_a_fit_that_raises_ends_when_its_net_is_gone(film_store: MlflowClient) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        net(FilmCallback(every=1), Raises(RuntimeError("broken"), "epoch")).fit(X, Y)
    film = FilmCallback(every=1)
    net(film).fit(X, Y).partial_fit(X, Y)
    found = films(film_store)
    assert [each.status for each in found[1:]] == ["FINISHED", "FINISHED"]
    assert [each.frames for each in found[1:]] == [[1, 2, 3, 4], [5, 6, 7, 8]]


class Copies(Callback):
    def on_epoch_end(self, net: Any, **_: Any) -> None:
        pickle.loads(pickle.dumps(net))
        copy.deepcopy(net)


def test_nets_are_cloned_and_pickled_while_a_film_is_open(film_store: MlflowClient) -> None:
    made = net(FilmCallback(every=1, name="mine"), Copies()).fit(X, Y)
    again = clone(made).initialize()
    assert again.get_params()["callbacks__FilmCallback__options"] == {"every": 1, "name": "mine"}
    again.set_params(callbacks__FilmCallback__options={"every": 2, "name": "other"}).fit(X, Y)
    found = films(film_store)
    assert [each.run.info.run_name for each in found] == ["mine", "other"]
    assert [each.frames for each in found] == [[1, 2, 3, 4], [1, 3, 4]]


def test_a_grid_search_has_a_film_for_each_fit(film_store: MlflowClient) -> None:
    made = net(FilmCallback(every=1), max_epochs=1)
    GridSearchCV(made, {"lr": [0.01, 0.1]}, cv=2).fit(X, Y)
    assert [found.status for found in films(film_store)] == ["FINISHED"] * 5


def test_a_dataset_has_no_arrays(film_store: MlflowClient) -> None:
    rows = Dataset(X, Y)
    with pytest.raises(ValueError, match="the net is given none: give it x and y"):
        net(FilmCallback()).fit(rows, None)
    net(FilmCallback(X, Y, every=1, predict=lambda net, x: net.predict(x) + 7)).fit(rows, None)
    assert only_film(film_store).reel().recording().predictions.min() > 5


def test_the_example_of_the_page(film_store: MlflowClient) -> None:
    type_example("skorch")
    found: Film = only_film(film_store)
    assert (found.status, found.steps("valid_loss")) == ("FINISHED", list(range(1, 81)))
    assert found.points("loss")[-1][1] < 0.02
