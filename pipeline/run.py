"""run: all four stages, one run.

They share this process: importing torch and mlflow takes longer than the work.
"""

from fitreel import (
    CheckpointSettings,
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    LiveSettings,
    PlayerSettings,
    TrainingSettings,
)
from pipeline import animate, evaluate, generate, train
from pipeline.session import Session


def run(
    data: DataSettings,
    training: TrainingSettings,
    checkpoints: CheckpointSettings,
    live: LiveSettings,
    evaluation: EvaluationSettings,
    film: FilmSettings,
    player: PlayerSettings,
    session: Session,
) -> None:
    """Draw points, train on them, measure and film the fit: one experiment, one run.

    Example: fitreel run --lr 0.2 --activation tanh
    """
    source = session.source_or_none()
    if session.is_new and source and source.has_dataset:
        raise ValueError(f"run {source.run_id} is an experiment already; leave --run out")
    training.check_frames()
    window = train.open_window(live)
    with session.run(source) as run:
        run.set_name(data.prefix + training.label)
        dataset = generate.stage(run, data)
        weights, history = train.stage(run, dataset, training, checkpoints, live, window)
        evaluate.stage(run, dataset, weights, data, evaluation)
        noise_floor = run.metrics.get("noise_floor")
        animate.stage(run, dataset, history, film, player, noise_floor)
