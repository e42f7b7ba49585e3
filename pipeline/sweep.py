"""sweep: many trainings for one question, each a run below a parent."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import fitreel.sweep
import fitreel.training
from fitreel.settings import (
    FILMED,
    DataSettings,
    EvaluationSettings,
    SweepSettings,
    TrainingSettings,
)
from fitreel.tracking.names import (
    BEST_FILM,
    BEST_TRIAL_TAG,
    DIVERGED_TAG,
    FRAMES_FILE,
    HISTORY_FILE,
    KIND_TAG,
    NOTHING_LEARNED_TAG,
    PARALLEL_TAG,
    PRUNED_TAG,
    TRAINING,
    TRIALS,
    WEIGHTS,
)
from pipeline import generate
from pipeline.run import check_unused
from pipeline.shared import console
from pipeline.shared.note import sweep_note
from pipeline.shared.options import RESUMED
from pipeline.shared.progress import progress, sweeping
from pipeline.shared.session import Session, resume_run

if TYPE_CHECKING:
    from fitreel.comparison.runs import ComparedRun
    from fitreel.data.dataset import Dataset
    from fitreel.sweep.results import Results
    from fitreel.sweep.search import Engine, Search
    from fitreel.sweep.study import Study
    from fitreel.sweep.trials import Outcome, Trial
    from fitreel.tracking import Run

FILES = (
    *(WEIGHTS, TRIALS, BEST_FILM),
    *("history.png", "importance.png", "settings.png", "parallel.png"),
)
SILENCE = 5.0  # seconds without a trial taken, until the end tells what it waits for


def sweep(
    data: DataSettings,
    training: TrainingSettings,
    evaluation: EvaluationSettings,
    settings: SweepSettings,
    session: Session,
    resume: RESUMED = None,
) -> None:
    """Train many networks that differ in what --space says; track and film what came of it.

    All other options are shared by all trainings. Each is a run below that of the sweep.
    Example: fitreel sweep --trials 200 --space lr=log:1e-3:0.5 --space "activation=relu|tanh"
    """
    if resume:
        resume_run(resume, session.target, {"sweep": sweep})
        return
    study = fitreel.sweep.open_study(settings)
    source = session.source_or_none()
    check_unused(session, source)
    session.check_free(source, "sweep", FILES)
    engine = fitreel.sweep.open_engine(settings)
    archive = fitreel.sweep.Archive(settings.storage, session.directory)
    found: list[Results] = []
    described = session.run(
        source,
        describe=lambda run: sweep_note(run, found[0]),
        summarise=lambda run, uri: console.summarise_sweep(found[0] if found else None, run, uri),
    )
    with described as run, console.going_on_with(f"fitreel sweep --resume {run.run_id}"):
        run.set_name(settings.label)
        run.set_tags({KIND_TAG: "sweep"})
        dataset = generate.draw_points(run, data)
        study.archive_in(archive, f"fitreel-{run.run_id}")
        search = fitreel.sweep.Search(settings, dataset, data, training, evaluation)
        with run.stage("sweep"):
            found.append(stage(run, search, study, engine))
        conclude(run, search, found[0])
        wait_for_store(run, found[0])


def stage(run: "Run", search: "Search", study: "Study", engine: "Engine") -> "Results":
    """Train what the study asks for, batch by batch, and log every trial."""
    settings = search.settings
    names = [each.name for each in settings.dimensions]
    run.log_settings(search.base, leave_out=names)
    run.log_settings(search.evaluation)
    run.log_settings(settings, leave_out=("storage",))  # which may hold a password
    # A sampler that learns goes on as it began, however many processors there are by now.
    if settings.learns:
        engine.parallel = int(run.tags.get(PARALLEL_TAG, engine.parallel))
    run.set_tags({PARALLEL_TAG: str(engine.parallel)})
    shared = asdict(search.data) | asdict(search.evaluation)
    known = run.trials()
    trials, outcomes = list["Trial"](), list["Outcome"]()
    with sweeping(settings, lambda: run.delivered_trials) as show:
        for batch in search.run(study, engine, known):
            for trial, outcome in batch:
                if trial.number not in known:
                    record(run, trial, outcome, shared, search.dataset)
                trials.append(trial)
                outcomes.append(outcome.without_curve())
            show(fitreel.sweep.Results(settings, trials, outcomes))
    return fitreel.sweep.Results(settings, trials, outcomes, study.importances())


def record(
    run: "Run", trial: "Trial", outcome: "Outcome", shared: dict[str, Any], dataset: "Dataset"
) -> None:
    """Log a trial as a run of its own below the sweep's."""
    params = {name: str(value) for name, value in (shared | asdict(trial.settings)).items()}
    ended = {"diverged": DIVERGED_TAG, "pruned": PRUNED_TAG}
    tags = {ended[outcome.end]: str(outcome.epochs)} if outcome.end in ended else {}
    if outcome.end == "finished" and outcome.weights:
        r2 = outcome.metrics["train_r2"]
        if reason := fitreel.training.why_nothing_learned(
            outcome.weights, dataset, outcome.curve, r2
        ):
            tags[NOTHING_LEARNED_TAG] = reason
    run.log_trial(outcome, trial.name, params, tags)


def conclude(run: "Run", search: "Search", results: "Results") -> None:
    """Log what the sweep as a whole came to: the best trial, its model, films and pictures."""
    if run.has_done("conclude"):
        return
    with run.stage("conclude"):
        run.log_metrics({end: float(count) for end, count in results.ends.items()})
        with run.artifacts() as folder:
            fitreel.sweep.save_trials(results, folder / TRIALS)
        best = results.best(FILMED)
        if not best:
            raise ArithmeticError(why_none(results))
        outcome = results.outcomes[best[0]]
        run.log_params(
            {f"best_{name}": str(each) for name, each in results.values(best[0]).items()}
        )
        run.log_metrics({f"best_{name}": value for name, value in outcome.metrics.items()})
        run.set_tags({BEST_TRIAL_TAG: str(best[0])})
        films = list(film_best(run, search, results, best))
        with run.artifacts() as folder:
            if outcome.weights:
                fitreel.training.save_weights(outcome.weights, folder / WEIGHTS)
                run.log_model(folder / WEIGHTS)
            if films:
                fitreel.sweep.render_films(films, search.settings.metric, folder / BEST_FILM)
            for name, figure in fitreel.sweep.draw_search(results).items():
                figure.savefig(folder / f"{name}.png")


def why_none(results: "Results") -> str:
    """Say why no trial can be the best."""
    count, metric = len(results.trials), results.settings.metric
    if finished := results.ends["finished"]:
        return f"{metric} is no number in {finished} finished trials; choose another --metric"
    rates = "the rates of --space" if "lr" in results.names else "--lr"
    return f"none of {count} trials finished, {results.ends['diverged']} diverged; lower {rates}"


def film_best(
    run: "Run", search: "Search", results: "Results", best: list[int]
) -> "Iterator[ComparedRun]":
    """Train the best once more with their frames kept, which their runs get, too."""
    with progress("film", len(best)) as show:
        for done, number in enumerate(best, start=1):
            if film := fitreel.sweep.film_trial(search, results, number):
                with run.trial_artifacts(number, TRAINING) as folder:
                    fitreel.training.save_losses(film.history.losses, folder / HISTORY_FILE)
                    fitreel.training.save_frames(film.history, folder / FRAMES_FILE)
                yield film
            show(done)


def wait_for_store(run: "Run", results: "Results") -> None:
    """Show how the store takes the trials, as long as it takes any."""
    with sweeping(results.settings, lambda: run.delivered_trials) as show:
        show(results)
        seen, since = -1, time.monotonic()
        while seen < len(results.trials) and time.monotonic() - since < SILENCE:
            if run.delivered_trials > seen:
                seen, since = run.delivered_trials, time.monotonic()
            time.sleep(0.1)
