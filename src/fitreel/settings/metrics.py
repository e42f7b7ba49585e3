"""The metrics of a run: their names, in the order in which they are shown, and their old names.

Nothing is imported here but the standard library, so that every package may read these names.
"""

import math
import sys
from collections.abc import Collection, Mapping

LOSS = "loss"  # of every epoch
TRAIN_RMSE = "train_rmse"
TEST_RMSE = "test_rmse"  # on fresh points or held-out rows: the one by which runs are ranked
TEST_R2 = "test_r2"
TEST_MAE, TEST_MSE = "test_mae", "test_mse"  # of tables only
TRAIN_LOG_LOSS, TRAIN_ACCURACY = "train_log_loss", "train_accuracy"  # of classes, as those below
TEST_LOG_LOSS = "test_log_loss"  # the one by which runs with classes are ranked
TEST_ACCURACY, TEST_F1 = "test_accuracy", "test_f1"
TEST_ROC_AUC = "test_roc_auc"  # of two classes only
# Of a sweep's trials on a table: root mean squared error, or log loss of classes, on rows that
# are not trained on; with --cv the mean over the folds. No test row decides which trial is best.
VALIDATION_ERROR = "validation_error"
BEST_EPOCH = "best_epoch"  # whose weights early stopping kept
DEAD_NEURONS = "dead_neurons"
TEST_METRICS = (TEST_RMSE, TEST_R2, TEST_MAE, TEST_MSE)
CLASS_TEST_METRICS = (TEST_LOG_LOSS, TEST_ACCURACY, TEST_F1, TEST_ROC_AUC)
# Models to be better than, each the prefix of its metrics, as in ridge_test_rmse.
BASELINES = {
    "mean": "the mean of the training rows",
    "ridge": "ridge regression",
    "majority": "the class frequencies of the training rows",
    "logistic": "logistic regression",
}
METRICS = (
    VALIDATION_ERROR,
    *TEST_METRICS,
    *CLASS_TEST_METRICS,
    TRAIN_RMSE,
    TRAIN_LOG_LOSS,
    TRAIN_ACCURACY,
    DEAD_NEURONS,
    BEST_EPOCH,
    LOSS,
)
# No metric but a param: it is known before the training, and the same for all that share points.
NOISE_FLOOR = "noise_floor"
# MLflow groups charts by what is before a slash, and shows all such groups before the names
# without one, but for "system/": that stands last, and has a tab of its own. A filter needs back
# quotes for a name with a slash, which a shell runs as a command.
SYSTEM = "system/"

# What fitreel 0.3.0 and before logged too, and the metric whose square each of them is.
SQUARES = {TEST_MSE: TEST_RMSE, "train_mse": TRAIN_RMSE}
RETIRED = {"train_mse", "train_mae", "train_r2", "excess_mse", NOISE_FLOOR}


def retired(metrics: Collection[str]) -> frozenset[str]:
    """Return those of a run's metrics that are no longer shown unless they are asked for."""
    # Tables have two of the old names again. What 0.3.0 evaluated has others as well, which are
    # in no run of today.
    is_old = not RETIRED.isdisjoint(metrics)
    old = RETIRED | {TEST_MSE, TEST_MAE} if is_old else RETIRED
    return frozenset(old.intersection(metrics))


def ranking_metric(has_classes: bool) -> str:
    """Return the metric by which runs are ranked, of numbers or of classes."""
    return TEST_LOG_LOSS if has_classes else TEST_RMSE


def baseline_errors(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the ranking metric of each baseline that a run has, by a label."""
    metric = ranking_metric(TEST_LOG_LOSS in metrics)
    return {
        f"{metric} of {label}": metrics[f"{name}_{metric}"]
        for name, label in BASELINES.items()
        if f"{name}_{metric}" in metrics
    }


def baseline_metrics(metrics: Collection[str]) -> frozenset[str]:
    """Return those metrics that measure a baseline."""
    starts = tuple(f"{name}_test_" for name in BASELINES)
    return frozenset(name for name in metrics if name.startswith(starts))


def higher_is_better(metric: str) -> bool:
    """Return whether the best value of a metric is its highest."""
    return metric.endswith(("r2", "accuracy", "f1", "roc_auc"))


def is_finite(value: float) -> bool:
    """Return whether a metric is finite; MLflow's databases store infinity as the largest float."""
    return abs(value) < sys.float_info.max


def measured(metrics: Mapping[str, float], metric: str) -> float:
    """Return a metric by its present or its old name; NaN if it is missing."""
    if metric in metrics or metric not in SQUARES:
        return metrics.get(metric, math.nan)
    return float(metrics.get(SQUARES[metric], math.nan) ** 2)


def seconds_metric(stage: str) -> str:
    """Return the metric that keeps the seconds of a stage; only a finished stage has it."""
    return f"{SYSTEM}{stage}_seconds"
