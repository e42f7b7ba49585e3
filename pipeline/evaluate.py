"""evaluate: measure the trained network on points it saw and on points it never saw."""

from typing import TYPE_CHECKING

import fitreel
from fitreel import DataSettings, EvaluationSettings
from pipeline.options import Target
from pipeline.session import connect, open_run

if TYPE_CHECKING:
    from fitreel.dataset import Dataset
    from fitreel.network import Weights
    from fitreel.tracking import Run


def evaluate(evaluation: EvaluationSettings, target: Target) -> None:
    """Measure a trained run on its own points and on fresh ones; picture its weights.

    Example: fitreel evaluate --run RUN --test-samples 5000
    """
    tracker = connect(target)
    source = tracker.source(target.run)
    dataset, weights, data = source.dataset(), source.weights(), source.data_settings()
    with open_run(tracker, target, source) as run:
        if not tracker.writes_to(source):
            run.set_name(f"{source.name}-evaluate")
        stage(run, dataset, weights, data, evaluation)


def stage(
    run: "Run",
    dataset: "Dataset",
    weights: "Weights",
    data: DataSettings | None,
    evaluation: EvaluationSettings,
) -> dict[str, float]:
    """Measure the fit and log the metrics and rst.png."""
    with run.stage("evaluate"):
        run.log_settings(evaluation)
        metrics = fitreel.evaluate(weights, dataset, data, evaluation)
        run.log_metrics(metrics)
        with run.artifacts() as folder:
            table = fitreel.neuron_table(weights, dataset)
            figure = fitreel.draw_weights(table, run.read().name, metrics["train_mse"])
            figure.savefig(folder / "rst.png")
    return metrics
