import numpy as np
import pytest
import torch

from fitreel.data.dataset import Dataset, Rows
from fitreel.reel.of_history import losses_on_test, record, record_frames
from fitreel.reel.probes import kind_of, probes_of
from fitreel.reel.thinning import curve_places
from fitreel.settings import TrainingSettings
from fitreel.training.evaluation import evaluate
from fitreel.training.loop import Fit, fit
from tests.kinds import KINDS, dataset_of, history_of


def test_a_frame_has_the_prediction_of_its_epoch(dataset: Dataset, trained: Fit) -> None:
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
    kept = curve_places(losses, 4000)
    assert {0, 123_456, 654_321, 999_999} <= set(kept.tolist())
    assert len(kept) <= 4002
    assert curve_places(losses[:50], 50).tolist() == list(range(50))


def test_what_is_not_a_number_hides_no_spike_of_a_thinned_curve() -> None:
    losses = np.full(10_000, 0.5)
    losses[[5_001, 5_003, 5_005]] = 9.0, np.nan, 0.001
    losses[7_000:8_000] = np.nan
    kept = curve_places(losses, 100)
    assert {0, 5_001, 5_005, 9_999} <= set(kept.tolist())
    assert np.isnan(losses[kept]).sum() > 2, "the gap stays a gap"


@pytest.mark.parametrize(
    ("kind", "places", "rows"),
    [
        ("curve", 200, (0, 0)),
        ("field", 80 * 60, (160, 40)),
        ("regions", 80 * 60, (160, 40)),
        ("agreement", 0, (160, 40)),
        ("confidence", 0, (120, 30)),
    ],
)
def test_the_probes_of_a_kind_are_a_line_a_grid_or_rows(
    kind: str, places: int, rows: tuple[int, int]
) -> None:
    reel = record(dataset_of(kind), history_of(kind), 5)
    assert kind_of(reel.dataset) == kind
    assert reel.probes.places == places
    assert (len(reel.probes.training), len(reel.probes.test)) == rows
    assert len(reel.in_space(0)) == places
    network = history_of(kind).frames[-1]
    assert reel.dataset.test
    for found, part, shown in (
        (reel.on_training(4), reel.dataset, reel.probes.training),
        (reel.on_test(4), reel.dataset.test, reel.probes.test),
    ):
        wanted = network.predict(part.inputs[torch.from_numpy(shown)]).numpy()
        assert found == pytest.approx(wanted, abs=1e-4)


def test_the_grid_begins_at_its_lower_left_and_fits_the_test_rows() -> None:
    dataset = dataset_of("field")
    probes = probes_of(dataset, grid=(5, 4))
    places = probes.inputs[:20].reshape(4, 5, 2)
    assert (places[0, :, 1] == places[0, 0, 1]).all()
    assert (places[:, 0, 0] == places[0, 0, 0]).all()
    assert places[0, 0].tolist() < places[3, 4].tolist()
    assert dataset.test
    for rows in (dataset.inputs, dataset.test.inputs):
        assert (rows >= places[0, 0]).all()
        assert (rows <= places[3, 4]).all()


def test_many_rows_are_a_sample_of_both_parts() -> None:
    x = torch.rand(4000, 3)
    many = Dataset(x, x[:, 0], test=Rows(x[:3000], x[:3000, 0]))
    probes = probes_of(many)
    assert (len(probes.training), len(probes.test)) == (250, 250)
    classes = Dataset(x, (x[:, 0] > 0.5).long(), classes=["a", "b"], test=many.test)
    assert (len(probes_of(classes).training), len(probes_of(classes).test)) == (500, 500)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_the_test_rows_is_what_evaluate_measures(kind: str) -> None:
    reel = record(dataset_of(kind), history_of(kind), 3)
    metrics = evaluate(history_of(kind).frames[-1], dataset_of(kind))
    assert reel.test_losses is not None
    name = "test_log_loss" if reel.dataset.classes else "test_mse"
    assert reel.test_losses[-1] == pytest.approx(metrics[name], rel=1e-5)
    assert reel.test_losses[0] > reel.test_losses[-1]


def test_the_loss_of_the_test_rows_is_of_the_kind_that_was_trained() -> None:
    dataset = dataset_of("agreement")
    history = fit(dataset, TrainingSettings(optimizer="adam", epochs=10, loss="mae")).history
    found = record(dataset, history, 2).test_losses
    assert found is not None
    assert found[-1] == pytest.approx(evaluate(history.frames[-1], dataset)["test_mae"], rel=1e-5)


def test_drawn_points_have_no_loss_on_test_rows(dataset: Dataset, trained: Fit) -> None:
    assert record(dataset, trained.history, 5).test_losses is None
    with pytest.raises(ValueError, match="no test rows"):
        losses_on_test(dataset, trained.history, np.array([0]))
