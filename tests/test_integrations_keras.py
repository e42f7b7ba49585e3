"""Keras on torch: a model's fit is filmed, and ends as it ends."""

import copy
import os
import pickle
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"  # before the first import

import keras
import mlflow
import numpy as np
import pytest
import torch
from mlflow.tracking import MlflowClient

from fitreel.integrations.keras import FilmCallback
from tests.filmed import Film, films, only_film, type_example

X = np.linspace(-1, 1, 40)[:, None]
Y = X[:, 0] ** 2


class AlwaysDrops(keras.layers.Layer):
    """A layer that draws random numbers whenever it predicts, as for an uncertainty."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = keras.random.SeedGenerator(3)

    def call(self, inputs: Any) -> Any:
        return keras.random.dropout(inputs, 0.1, seed=self.generator)


def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Dense(8, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.2),
        AlwaysDrops(),
        keras.layers.Dense(1),
    ]
    made = keras.Sequential(layers)
    made.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse", metrics=["mae"])
    return made


def fit(
    *callbacks: keras.callbacks.Callback, made: keras.Model | None = None, **options: Any
) -> keras.Model:
    made = made or model()
    options = {"epochs": 4, "validation_split": 0.2} | options
    made.fit(X, Y, batch_size=8, verbose=0, callbacks=list(callbacks), **options)
    return made


def numbers(made: keras.Model) -> list[Any]:
    """Return all that a model holds: weights, means, and the states of its generators."""
    everything = [*made.variables, *made.optimizer.variables]
    return [each.value.detach().tolist() for each in everything]


def test_a_fit_is_filmed_and_no_bit_of_it_changes(film_store: MlflowClient) -> None:
    made = fit(FilmCallback(X, Y, experiment="curves", name="first", every=2, lr=0.02))
    assert numbers(made) == numbers(fit())
    found = only_film(film_store)
    assert (found.status, found.run.info.run_name) == ("FINISHED", "first")
    assert found.run.data.params == {"lr": "0.02"}
    history = made.history.history
    assert found.run.data.metrics.keys() == history.keys() == {"loss", "mae", "val_loss", "val_mae"}
    for name, values in history.items():
        assert found.points(name) == list(enumerate(values))
    assert found.frames == [0, 2, 3]


def in_training(made: keras.Model, x: Any) -> Any:
    """Predict as a careless function does: layers draw, and take new means."""
    return made(x, training=True)


def test_a_layer_of_torch_is_left_as_it_is_also_by_a_careless_function(
    film_store: MlflowClient,
) -> None:
    found = []
    for callbacks in ([FilmCallback(X, Y, every=1, predict=in_training)], []):
        keras.utils.set_random_seed(0)
        norm = torch.nn.BatchNorm1d(8)
        wrapped = keras.layers.TorchModuleWrapper(norm)
        layers = [keras.layers.Dense(8), wrapped, keras.layers.Dropout(0.2), keras.layers.Dense(1)]
        made = keras.Sequential(layers)
        made.compile(optimizer="sgd", loss="mse")
        fit(*callbacks, made=made)
        found.append([*numbers(made), *(each.tolist() for each in norm.buffers())])
    assert found[0] == found[1]
    assert only_film(film_store).status == "FINISHED"


def test_it_predicts_as_in_evaluation(film_store: MlflowClient) -> None:
    keras.utils.set_random_seed(0)
    made = keras.Sequential(
        [keras.layers.Dense(8), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )
    made.compile(optimizer="sgd", loss="mse")
    fit(FilmCallback(X, Y), made=made)
    found = only_film(film_store).reel()
    expected = made(found.probes.inputs, training=False)[:, 0].detach().numpy()
    assert found.recording().predictions[-1] == pytest.approx(expected, abs=1e-6)


def test_classes_of_a_single_logit_by_a_function(film_store: MlflowClient) -> None:
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.layers.Dense(1)])
    made.compile(optimizer="sgd", loss=keras.losses.BinaryCrossentropy(from_logits=True))
    sides = (X[:, 0] > 0).astype(int)
    classes = ("left", "right")

    def predict(made: keras.Model, x: Any) -> Any:
        return keras.ops.sigmoid(made(x, training=False))

    film = FilmCallback(X, sides, classes=classes, predict=predict)
    made.fit(X, sides, epochs=2, verbose=0, callbacks=[film])
    reel = only_film(film_store).reel()
    assert reel.dataset.classes == classes
    assert reel.recording().predictions.sum(axis=2) == pytest.approx(1)


def test_it_joins_the_run_of_autologging(film_store: MlflowClient) -> None:
    with mlflow.start_run() as active:
        log = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: mlflow.log_metric("loss", logs["loss"], epoch)
        )
        fit(log, FilmCallback(X, Y, every=1))
        assert film_store.get_run(active.info.run_id).info.status == "RUNNING"
    found = Film(film_store, film_store.get_run(active.info.run_id))
    assert found.status == "FINISHED"
    assert found.points("film/loss") == found.points("loss")
    assert found.frames == [0, 1, 2, 3]


class BreaksOff(keras.callbacks.Callback):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def on_epoch_begin(self, epoch: int, _: Any = None) -> None:
        if epoch == 2:
            raise self.error


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("broken"), "FAILED"), (KeyboardInterrupt("broken"), "KILLED")],
)
def test_in_a_block_a_fit_that_is_broken_off_ends_at_once(
    film_store: MlflowClient, error: BaseException, status: str
) -> None:
    with pytest.raises(type(error), match="broken"), FilmCallback(X, Y, every=1) as film:
        fit(film, BreaksOff(error))
    found = only_film(film_store)
    assert (found.status, found.frames) == (status, [0, 1])


def test_two_fits_are_two_films_also_of_copies(film_store: MlflowClient) -> None:
    film = FilmCallback(X, Y, every=1)
    fit(film, epochs=1)
    with pytest.raises(RuntimeError):
        fit(film, BreaksOff(RuntimeError()))
    fit(FilmCallback(X, Y, every=1), epochs=2)
    fit(film, epochs=3)
    found = films(film_store)
    assert [each.status for each in found] == ["FINISHED", "FAILED", "FINISHED", "FINISHED"]
    assert [each.frames for each in found] == [[0], [0, 1], [0, 1], [0, 1, 2]]


def test_a_copy_or_a_pickle_has_no_film(film_store: MlflowClient) -> None:
    film = FilmCallback(X, Y, every=1)
    fit(copy.deepcopy(film), epochs=1)
    fit(pickle.loads(pickle.dumps(film)), epochs=1)
    assert [each.status for each in films(film_store)] == ["FINISHED", "FINISHED"]


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
def test_an_early_end_is_an_end(film_store: MlflowClient) -> None:
    stop = keras.callbacks.EarlyStopping(
        "loss", patience=0, min_delta=10, restore_best_weights=True
    )
    fit(stop, FilmCallback(X, Y, every=1), epochs=9)
    found = only_film(film_store)
    assert (found.status, found.frames) == ("FINISHED", [0, 1])


def test_what_does_not_fit_is_an_error_before_the_first_step(
    film_store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"must return 200 predictions.*got shape \(200, 8\)"):
        fit(FilmCallback(X, Y, predict=lambda made, x: made.layers[0](x)))
    assert only_film(film_store).status == "FAILED"
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(ValueError, match="needs KERAS_BACKEND=torch; it is jax"):
        FilmCallback(X, Y)


def test_the_example_of_the_page(film_store: MlflowClient) -> None:
    type_example("Keras")
    found = only_film(film_store)
    assert (found.status, found.steps("val_mae")) == ("FINISHED", list(range(80)))
    assert found.points("loss")[-1][1] < 0.02
