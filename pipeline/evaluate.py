"""evaluate: measure the trained network on points it saw and on points it never saw."""

from typing import TYPE_CHECKING

import fitreel
from fitreel import DataSettings, EvaluationSettings
from pipeline.session import Session

if TYPE_CHECKING:
    from fitreel.dataset import Dataset
    from fitreel.network import Weights
    from fitreel.tracking import Run

FILES = ("rst.png",)


def evaluate(evaluation: EvaluationSettings, session: Session) -> None:
    """Measure a trained run on its own points and on fresh ones; picture its weights.

    Example: fitreel evaluate --run RUN --test-samples 5000
    """
    source = session.source()
    dataset, weights, data = source.dataset(), source.weights(), source.data_settings()
    session.check_free(source, "evaluate", FILES)
    with session.run(source) as run:
        if not session.writes_to(source):
            run.set_name(f"{source.name}-evaluate")
        stage(run, dataset, weights, data, evaluation)


def stage(
    run: "Run",
    dataset: "Dataset",
    weights: "Weights",
    data: DataSettings | None,
    evaluation: EvaluationSettings,
) -> None:
    """Measure the fit and log the metrics and rst.png."""
    if run.has_done("evaluate"):
        return
    with run.stage("evaluate"):
        run.log_settings(evaluation)
        metrics = fitreel.evaluate(weights, dataset, data, evaluation)
        run.log_metrics(metrics)
        with run.artifacts() as folder:
            table = fitreel.neuron_table(weights, dataset)
            figure = fitreel.draw_weights(table, run.name, metrics["train_mse"])
            figure.savefig(folder / "rst.png")
