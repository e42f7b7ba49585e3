"""evaluate: measure the trained network on seen and on unseen points."""

from typing import TYPE_CHECKING

import fitreel.pictures
import fitreel.training
from fitreel.pictures.still_names import STILLS
from fitreel.settings import DataSettings, EvaluationSettings
from fitreel.settings.metrics import NOISE_FLOOR, TRAIN_LOG_LOSS, TRAIN_RMSE
from fitreel.tracking.names import NOTHING_LEARNED_TAG, WEIGHTS_PICTURE
from pipeline import generate
from pipeline.shared import console
from pipeline.shared.copies import Copies
from pipeline.shared.options import REGISTER
from pipeline.shared.session import Session
from pipeline.shared.stage import nothing, stage
from pipeline.train import record_standstill

if TYPE_CHECKING:
    from fitreel.data.dataset import Dataset
    from fitreel.tracking import Run, Source
    from fitreel.training.weights import Weights

NO_CURVE = "there is no test on fresh points and no noise floor"

FILES = (WEIGHTS_PICTURE, *STILLS)


def evaluate(evaluation: EvaluationSettings, session: Session, register: REGISTER = None) -> None:
    """Measure a trained run on its own points and on fresh ones or test rows; draw its weights.

    Example: fitreel evaluate --run RUN --test-samples 5000
    """
    source = session.source()
    dataset, weights, data = source.dataset(), source.weights(), source.data_settings()
    session.check_free(source, "evaluate", FILES)
    say_what_changed(source)
    with session.run(source) as run:
        if not session.writes_to(source):
            run.set_name(f"{source.name}-evaluate")
        if source.has_changed_points:
            generate.record_changed(run, source, "evaluation")
        else:
            # What the training found is better founded: it knew the losses, too.
            found = source.tags.get(NOTHING_LEARNED_TAG)
            record_standstill(run, found or fitreel.training.why_nothing_learned(weights, dataset))
        was_seen = not source.has_changed_points
        measure_fit(run, dataset, weights, data, evaluation, was_seen=was_seen)
        session.register(run, register, source.run_id)


def say_what_changed(source: "Source") -> None:
    """Warn if the points are not those that the run's settings draw."""
    if source.has_changed_points:
        console.warn(
            f"the points of run {source.run_id} changed after its training: errors on them are "
            f"logged as points_rmse and points_r2, and {NO_CURVE}"
        )
    elif source.has_edited_points:
        console.warn(
            f"the points of run {source.run_id} were edited before its training: {NO_CURVE}"
        )


@stage("evaluate", restore=nothing)
def measure_fit(
    run: "Run",
    dataset: "Dataset",
    weights: "Weights",
    data: DataSettings | None,
    evaluation: EvaluationSettings,
    *,
    was_seen: bool = True,
    copies: Copies | None = None,
) -> None:
    """Measure the fit and log the metrics and the still pictures, of which copies may be left.

    Points that changed after the training are neither the training's nor fresh ones: they count
    as ``points_…``.
    """
    if dataset.schema is None:  # a table is tested on rows of its own, or on none
        run.log_settings(evaluation)
    if data:
        log_noise_floor(run, data)
    if was_seen:
        metrics = fitreel.training.evaluate(weights, dataset, data, evaluation)
        metrics |= fitreel.training.baseline_metrics(dataset)
        loss = metrics[TRAIN_LOG_LOSS] if dataset.classes else metrics[TRAIN_RMSE] ** 2
    else:
        error = fitreel.training.root_error(weights, dataset)
        r2 = fitreel.training.explained(error, dataset)
        metrics, loss = {"points_rmse": error, "points_r2": r2}, error**2
    run.log_metrics(metrics)
    if reason := fitreel.training.why_worse(metrics):
        console.warn(f"the network is {reason}")
    with run.artifacts() as folder:
        figure = fitreel.pictures.draw_weights(weights, dataset, run.name, loss)
        figure.savefig(folder / WEIGHTS_PICTURE)
        for name, draw in fitreel.pictures.still_pictures(weights, dataset).items():
            draw().savefig(folder / name)
        if copies:
            copies.add(folder)


def log_noise_floor(run: "Run", data: DataSettings) -> None:
    """Log the least ``test_rmse`` that any model can reach."""
    run.log_params({NOISE_FLOOR: f"{data.noise_floor:.6g}"})
