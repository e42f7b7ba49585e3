import numpy as np
import pytest
import torch

from fitreel.data.dataset import Dataset
from fitreel.reel.recording import record, record_frames
from fitreel.reel.thinning import curve_epochs
from fitreel.training.evaluation import evaluate
from fitreel.training.loop import Fit


def test_a_scene_has_the_prediction_of_its_epoch(dataset: Dataset, trained: Fit) -> None:
    film = record(dataset, trained.history, most_frames=400)
    assert film.epochs.tolist() == list(range(0, 61, 5))
    assert np.array_equal(film.losses[:-1], trained.history.losses[::5])
    assert (film.probes.x[0], film.probes.x[-1]) == (-1, 1)
    for number in (0, 12):
        prediction = trained.history.frames[number].predict(torch.from_numpy(film.probes.x))
        assert np.array_equal(film.predictions[number], prediction.numpy())


def test_long_films_are_thinned_evenly_with_both_ends_kept(dataset: Dataset, trained: Fit) -> None:
    film = record(dataset, trained.history, most_frames=4)
    assert film.epochs.tolist() == [0, 20, 40, 60]


def test_a_film_ends_with_the_trained_network(dataset: Dataset, trained: Fit) -> None:
    for most in (400, 4):
        film = record(dataset, trained.history, most_frames=most)
        line = trained.network.weights().predict(torch.from_numpy(film.probes.x))
        assert np.array_equal(film.predictions[-1], line.numpy())
        error = evaluate(trained.network.weights(), dataset)["train_rmse"]
        assert film.losses[-1] == pytest.approx(error**2, rel=1e-6)


def test_chosen_frames_may_come_in_any_order_and_repeatedly(dataset: Dataset, trained: Fit) -> None:
    film = record(dataset, trained.history, most_frames=400)
    chosen = np.array([3, 3, 0, 11])
    shown = record_frames(dataset, trained.history, chosen)
    assert shown.epochs.tolist() == [15, 15, 0, 55]
    assert np.array_equal(shown.losses, film.losses[chosen])
    assert np.array_equal(shown.predictions, film.predictions[chosen])


def test_a_thinned_curve_keeps_its_spikes_and_its_ends() -> None:
    losses = np.full(1_000_000, 0.5)
    losses[[0, 123_456, 654_321]] = 2.0, 9.0, 0.001
    kept = curve_epochs(losses, 4000)
    assert {0, 123_456, 654_321, 999_999} <= set(kept.tolist())
    assert len(kept) <= 4002
    assert curve_epochs(losses[:50], 50).tolist() == list(range(50))
