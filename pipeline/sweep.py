"""sweep: many trainings for one question, each a run below that of the sweep."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import fitreel.sweep
import fitreel.training
from fitreel.settings import (
    DataSettings,
    EvaluationSettings,
    SweepSettings,
    TableSettings,
    TrainingSettings,
)
from fitreel.settings.metrics import TRAIN_LOG_LOSS, TRAIN_RMSE
from fitreel.tracking.names import (
    BEST_FILM,
    DIVERGED_TAG,
    KIND_TAG,
    NOTHING_LEARNED_TAG,
    PARALLEL_TAG,
    PRUNED_TAG,
    SWEEP_PAGE,
    TRIALS,
    WEIGHTS,
)
from pipeline import evaluate, generate
from pipeline.run import check_unused
from pipeline.shared import console
from pipeline.shared.conclusion import conclude
from pipeline.shared.note import sweep_note
from pipeline.shared.own_data import own_data
from pipeline.shared.progress import sweeping
from pipeline.shared.session import Session

if TYPE_CHECKING:
    from fitreel.data.dataset import Dataset
    from fitreel.sweep.engines import Engine
    from fitreel.sweep.results import Results
    from fitreel.sweep.search import Search
    from fitreel.sweep.study import Study
    from fitreel.sweep.trials import Outcome, Trial
    from fitreel.tracking import Run

FILES = (
    WEIGHTS,
    TRIALS,
    BEST_FILM,
    SWEEP_PAGE,
    "history.png",
    "importance.png",
    "settings.png",
    "parallel.png",
)
LONGEST_PAUSE = 5.0  # seconds without a stored trial; then the end of the run reports why
END_TAGS = {"diverged": DIVERGED_TAG, "pruned": PRUNED_TAG}


@dataclass
class Report:
    """What the session shows of a sweep: its results, or only the run if they are missing."""

    results: "Results | None" = None

    def describe(self, run: "Run") -> str:
        """Return the note of a run whose sweep is finished."""
        if self.results is None:
            raise ValueError("a sweep without results cannot be described")
        return sweep_note(run, self.results)

    def summarise(self, run: "Run", ways: Mapping[str, str]) -> None:
        """Print the best trials and where the run is."""
        console.summarise_sweep(self.results, run, ways)


def sweep(
    data: DataSettings,
    table: TableSettings,
    training: TrainingSettings,
    evaluation: EvaluationSettings,
    settings: SweepSettings,
    session: Session,
) -> None:
    """Train many networks that differ in what --space says; log and film the results.

    All trainings share the other options. Each is a run below that of the sweep.
    Example: fitreel sweep --trials 200 --space lr=log:1e-3:0.5 --space activation=relu,tanh
    """
    if settings.shortage:
        console.warn(settings.shortage)
    # Study, table, engine and archive before the run is opened: if Optuna, a file, the device or
    # the storage is missing, nothing is created.
    study = fitreel.sweep.open_study(settings)
    with own_data(table, data, session) as rows:
        source = session.source_or_none()
        check_unused(session, source)
        session.check_free(source, "sweep", FILES)
        engine = fitreel.sweep.open_engine(settings)
        archive = fitreel.sweep.Archive(settings.storage, session.directory)
        report = Report()
        with session.run(source, describe=report.describe, summarise=report.summarise) as run:
            run.set_name(f"{table.label}-{settings.label}" if table else settings.label)
            run.set_tags({KIND_TAG: "sweep"})
            dataset = generate.make_dataset(run, data, rows)
            # By the run's id, so that a resumed sweep continues the same study.
            study.archive_in(archive, f"fitreel-{run.run_id}")
            known = None if table else data
            search = fitreel.sweep.Search(settings, dataset, known, training, evaluation)
            with run.stage("sweep"):
                report.results = train_trials(run, search, study, engine)
            conclude(run, search, report.results)
            wait_for_store(run, report.results)


def train_trials(run: "Run", search: "Search", study: "Study", engine: "Engine") -> "Results":
    """Train the trials that the study asks for, round by round, and log every one."""
    log_settings(run, search)
    settings = search.settings
    # A resumed sampler must learn in the same order, even if there are other processors now.
    if settings.learns:
        engine.parallel = int(run.tags.get(PARALLEL_TAG, engine.parallel))
    run.set_tags({PARALLEL_TAG: str(engine.parallel)})
    shared = shared_params(run, search)
    known = run.trials()
    trials, outcomes = list["Trial"](), list["Outcome"]()
    with sweeping(settings, lambda: run.delivered_trials) as show:
        for finished in search.run(study, engine, known):
            for trial, outcome in finished:
                if trial.number not in known:
                    log_trial(run, trial, outcome, shared, search.dataset)
                trials.append(trial)
                # The journal has the curves; those of a million trials would fill the memory.
                outcomes.append(outcome.without_curve())
            show(fitreel.sweep.Results(settings, trials, outcomes))
    floor = search.data.noise_floor if search.data else None
    return fitreel.sweep.Results(settings, trials, outcomes, study.importances(), floor)


def shared_params(run: "Run", search: "Search") -> dict[str, Any]:
    """Return the params that all trials share: how points were drawn, or which table it is."""
    if search.data:
        return asdict(search.data) | asdict(search.evaluation)
    table = run.table_settings() or TableSettings()
    known = {name: value for name, value in asdict(table).items() if name not in table.unset()}
    return {"data_seed": run.data_seed} | known


def log_settings(run: "Run", search: "Search") -> None:
    """Log the settings that all trials share, and those of the sweep."""
    names = [each.name for each in search.settings.dimensions]
    run.log_settings(search.base, leave_out=names)  # each trial has these of its own
    if search.data:
        run.log_settings(search.evaluation)
        evaluate.log_noise_floor(run, search.data)
    run.log_settings(search.settings, leave_out=("storage",))  # it may hold a password


def log_trial(
    run: "Run", trial: "Trial", outcome: "Outcome", shared: dict[str, Any], dataset: "Dataset"
) -> None:
    """Log a trial as a run of its own below the sweep's."""
    params = {name: str(value) for name, value in (shared | asdict(trial.settings)).items()}
    tags = {END_TAGS[outcome.end]: str(outcome.epochs)} if outcome.end in END_TAGS else {}
    if outcome.end == "finished" and outcome.weights:
        error = outcome.metrics[TRAIN_LOG_LOSS if dataset.classes else TRAIN_RMSE]
        if reason := fitreel.training.why_nothing_learned(
            outcome.weights, dataset, outcome.curve, error
        ):
            tags[NOTHING_LEARNED_TAG] = reason
    run.log_trial(outcome, trial.name, params, tags)


def wait_for_store(run: "Run", results: "Results") -> None:
    """Show how the store receives the trials, until it has them all or receives none."""
    # The end of the run waits for the store as well, but without a progress bar.
    with sweeping(results.settings, lambda: run.delivered_trials) as show:
        show(results)
        seen, since = -1, time.monotonic()
        while seen < len(results.trials) and time.monotonic() - since < LONGEST_PAUSE:
            if run.delivered_trials > seen:
                seen, since = run.delivered_trials, time.monotonic()
            time.sleep(0.1)
