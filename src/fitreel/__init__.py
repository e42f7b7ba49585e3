"""Watch a network learn a curve, and keep every run.

The library in five lines, without MLflow:

    from fitreel import evaluate, fit, generate, render
    dataset = generate()
    network, history = fit(dataset)
    print(evaluate(network.weights(), dataset))
    render(dataset, history, "rst.gif")
"""

import importlib
from typing import TYPE_CHECKING, Any

from fitreel.settings import (
    CheckpointSettings as CheckpointSettings,
    ComparisonSettings as ComparisonSettings,
    DataSettings as DataSettings,
    EvaluationSettings as EvaluationSettings,
    FilmSettings as FilmSettings,
    LiveSettings as LiveSettings,
    PlayerSettings as PlayerSettings,
    TrainingSettings as TrainingSettings,
)
from fitreel.sweep.settings import SweepSettings as SweepSettings
from fitreel.version import __version__ as __version__

if TYPE_CHECKING:
    from fitreel.batch import Trained as Trained, fit_many as fit_many
    from fitreel.checkup import (
        Finding as Finding,
        check_fitreel as check_fitreel,
        check_package as check_package,
        check_packages as check_packages,
        check_python as check_python,
        check_spool as check_spool,
        check_waiting as check_waiting,
        check_window as check_window,
    )
    from fitreel.comparison.figure import draw_comparison as draw_comparison
    from fitreel.comparison.grid import (
        count_frames as count_frames,
        is_narrow as is_narrow,
        render_grid as render_grid,
    )
    from fitreel.comparison.runs import (
        ComparedRun as ComparedRun,
        Comparison as Comparison,
        compare as compare,
    )
    from fitreel.comparison.table import comparison_table as comparison_table
    from fitreel.dataset import (
        Dataset as Dataset,
        generate as generate,
        load_dataset as load_dataset,
        save_dataset as save_dataset,
        sha256 as sha256,
    )
    from fitreel.evaluation import errors as errors, evaluate as evaluate
    from fitreel.figures import (
        draw_weights as draw_weights,
        neuron_table as neuron_table,
        scatter as scatter,
    )
    from fitreel.film import render as render
    from fitreel.history import (
        History as History,
        first_difference as first_difference,
        load_history as load_history,
        load_losses as load_losses,
        load_weights as load_weights,
        save_frames as save_frames,
        save_losses as save_losses,
        save_weight_table as save_weight_table,
        save_weights as save_weights,
    )
    from fitreel.live import LiveWindow as LiveWindow
    from fitreel.network import Network as Network, Weights as Weights
    from fitreel.pages.comparison import write_comparison as write_comparison
    from fitreel.pages.player import write_player as write_player
    from fitreel.provenance import read_provenance as read_provenance
    from fitreel.rehearsal import check_film as check_film
    from fitreel.spool import Unavailable as Unavailable, Undelivered as Undelivered
    from fitreel.standstill import why_nothing_learned as why_nothing_learned
    from fitreel.sweep.archive import Archive as Archive
    from fitreel.sweep.figure import draw_search as draw_search
    from fitreel.sweep.films import film_trial as film_trial, render_films as render_films
    from fitreel.sweep.results import Results as Results, save_trials as save_trials
    from fitreel.sweep.search import (
        LocalEngine as LocalEngine,
        Search as Search,
        open_engine as open_engine,
        open_study as open_study,
    )
    from fitreel.tracking import (
        Tracker as Tracker,
        examine as examine,
        following_project_runner as following_project_runner,
        interrupted as interrupted,
        reap as reap,
        sync as sync,
    )
    from fitreel.tracking.checkup import StoreCheckup as StoreCheckup
    from fitreel.tracking.managers import (
        check_conda as check_conda,
        check_local as check_local,
        check_uv as check_uv,
        check_virtualenv as check_virtualenv,
    )
    from fitreel.tracking.search import best_runs as best_runs, named_runs as named_runs
    from fitreel.tracking.source import has_edited_points as has_edited_points
    from fitreel.training import Fit as Fit, TrainingDiverged as TrainingDiverged, fit as fit

# Imported when first asked for: torch and mlflow take seconds, `fitreel --help` needs neither.
_HOMES = {
    "batch": ("Trained", "fit_many"),
    "checkup": (
        "Finding",
        "check_fitreel",
        "check_package",
        "check_packages",
        "check_python",
        "check_spool",
        "check_waiting",
        "check_window",
    ),
    "comparison.figure": ("draw_comparison",),
    "comparison.grid": ("count_frames", "is_narrow", "render_grid"),
    "comparison.runs": ("ComparedRun", "Comparison", "compare"),
    "comparison.table": ("comparison_table",),
    "dataset": ("Dataset", "generate", "load_dataset", "save_dataset", "sha256"),
    "evaluation": ("errors", "evaluate"),
    "figures": ("draw_weights", "neuron_table", "scatter"),
    "film": ("render",),
    "history": (
        "History",
        "first_difference",
        "load_history",
        "load_losses",
        "load_weights",
        "save_frames",
        "save_losses",
        "save_weight_table",
        "save_weights",
    ),
    "live": ("LiveWindow",),
    "network": ("Network", "Weights"),
    "pages.comparison": ("write_comparison",),
    "pages.player": ("write_player",),
    "provenance": ("read_provenance",),
    "rehearsal": ("check_film",),
    "spool": ("Unavailable", "Undelivered"),
    "standstill": ("why_nothing_learned",),
    "sweep.archive": ("Archive",),
    "sweep.figure": ("draw_search",),
    "sweep.films": ("film_trial", "render_films"),
    "sweep.results": ("Results", "save_trials"),
    "sweep.search": ("LocalEngine", "Search", "open_engine", "open_study"),
    "tracking": (
        "Tracker",
        "examine",
        "following_project_runner",
        "interrupted",
        "reap",
        "sync",
    ),
    "tracking.checkup": ("StoreCheckup",),
    "tracking.managers": ("check_conda", "check_local", "check_uv", "check_virtualenv"),
    "tracking.search": ("best_runs", "named_runs"),
    "tracking.source": ("has_edited_points",),
    "training": ("Fit", "TrainingDiverged", "fit"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"fitreel.{module}"), name)
    raise AttributeError(f"module 'fitreel' has no attribute {name!r}")
