"""The metrics of a run: their names, in the order in which they are shown, and their old names.

Nothing is imported here but the standard library, so that every package may read these names.
"""

import math
from collections.abc import Mapping

LOSS = "loss"  # of every epoch
TRAIN_RMSE = "train_rmse"
TEST_RMSE = "test_rmse"  # on fresh points: the one by which runs are ranked
TEST_R2 = "test_r2"
DEAD_NEURONS = "dead_neurons"
METRICS = (TEST_RMSE, TEST_R2, TRAIN_RMSE, DEAD_NEURONS, LOSS)
# No metric but a param: it is known before the training, and the same for all that share points.
NOISE_FLOOR = "noise_floor"
# MLflow groups charts by what is before a slash, and shows all such groups before the names
# without one, but for "system/": that stands last, and has a tab of its own. A filter needs back
# quotes for a name with a slash, which a shell runs as a command.
SYSTEM = "system/"

# What fitreel 0.3.0 and before logged too, and the metric whose square each of them is.
SQUARES = {"test_mse": TEST_RMSE, "train_mse": TRAIN_RMSE}
RETIRED = {*SQUARES, "test_mae", "train_mae", "train_r2", "excess_mse", NOISE_FLOOR}


def higher_is_better(metric: str) -> bool:
    """Return whether the best value of a metric is its highest."""
    return metric.endswith("r2")


def measured(metrics: Mapping[str, float], metric: str) -> float:
    """Return a metric by its present or its old name; NaN if it is missing."""
    if metric in metrics or metric not in SQUARES:
        return metrics.get(metric, math.nan)
    return float(metrics.get(SQUARES[metric], math.nan) ** 2)


def seconds_metric(stage: str) -> str:
    """Return the metric that keeps the seconds of a stage; only a finished stage has it."""
    return f"{SYSTEM}{stage}_seconds"
