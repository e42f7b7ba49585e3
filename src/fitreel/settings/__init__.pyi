from .base import Settings as Settings, parse as parse, range_text as range_text, setting as setting
from .comparison import MOST_RUNS as MOST_RUNS, ComparisonSettings as ComparisonSettings
from .experiment import (
    LARGEST_SEED as LARGEST_SEED,
    MOST_EPOCHS as MOST_EPOCHS,
    MOST_NEURONS as MOST_NEURONS,
    MOST_OF_A_BATCH as MOST_OF_A_BATCH,
    MOST_POINTS as MOST_POINTS,
    ActivationName as ActivationName,
    CheckpointSettings as CheckpointSettings,
    DataSettings as DataSettings,
    EvaluationSettings as EvaluationSettings,
    FilmFormat as FilmFormat,
    FilmSettings as FilmSettings,
    FunctionName as FunctionName,
    ImageSettings as ImageSettings,
    LiveName as LiveName,
    LiveSettings as LiveSettings,
    LossName as LossName,
    OptimizerName as OptimizerName,
    PlayerSettings as PlayerSettings,
    Switch as Switch,
    TrainingSettings as TrainingSettings,
)
from .groups import GROUPS as GROUPS, KINDS as KINDS, normalised as normalised
from .keywords import shows_keywords as shows_keywords, with_keywords as with_keywords
from .names import nearest as nearest
from .space import Dimension as Dimension
from .sweep import (
    FILMED as FILMED,
    EngineName as EngineName,
    MetricName as MetricName,
    SamplerName as SamplerName,
    SweepSettings as SweepSettings,
    with_values as with_values,
)
from .table import (
    MOST_CLASSES as MOST_CLASSES,
    MOST_FEATURES as MOST_FEATURES,
    TABLE_TRAINING as TABLE_TRAINING,
    MissingName as MissingName,
    TableSettings as TableSettings,
    TaskChoice as TaskChoice,
    check_not_drawn as check_not_drawn,
    check_not_of_table as check_not_of_table,
    for_table as for_table,
    sweep_for_table as sweep_for_table,
    table_training as table_training,
)
from .tracking import PATIENCE as PATIENCE
