"""run: all four stages, one run.

They share this process: importing torch and mlflow takes longer than the work.
"""

from fitreel import (
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    LiveSettings,
    TrainingSettings,
)
from pipeline import animate, evaluate, generate, train
from pipeline.options import Target
from pipeline.session import connect, open_run


def run(
    data: DataSettings,
    training: TrainingSettings,
    live: LiveSettings,
    evaluation: EvaluationSettings,
    film: FilmSettings,
    target: Target,
) -> None:
    """Draw points, train on them, measure and film the fit: one experiment, one run.

    Example: fitreel run --lr 0.2 --activation tanh
    """
    tracker = connect(target)
    source = tracker.source_or_none(target.run)
    if source and source.has_dataset:
        raise ValueError(f"run {source.run_id} is an experiment already; leave --run out")
    window = train.open_window(live)
    with open_run(tracker, target, source) as run:
        run.set_name(data.prefix + training.label)
        dataset = generate.stage(run, data)
        network, history = train.stage(run, dataset, training, live, window)
        evaluate.stage(run, dataset, network.weights(), data, evaluation)
        animate.stage(run, dataset, history, film)
