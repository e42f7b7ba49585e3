"""The session of a command: it opens the store and the run, and reports at the end."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import fitreel.journal
import fitreel.tracking
from fitreel.checks.text import check_name, check_uri
from fitreel.settings import GROUPS, PATIENCE, parse
from pipeline.shared import console
from pipeline.shared.copies import Copies
from pipeline.shared.note import note
from pipeline.shared.result import described, print_json, undelivered
from pipeline.shared.viewing import ways_to_look

if TYPE_CHECKING:
    from fitreel.tracking import Interrupted, Run, Source, Tracker

    # Prints the results of a run; it gets the ways to look at it by their names.
    Summarise = Callable[[Run, Mapping[str, str]], None]


def _text(text: str, check: Callable[[str], Any], default: Any = None) -> Any:
    return field(default=default, metadata={"help": text, "check": check})


# Not a group of settings: it says which run and where, not how the run was made, and is not logged.
@dataclass(frozen=True)
class Target:
    """Which run to read from and log to."""

    run: str | None = _text(
        "Run to read from and log to: its id or the start of it, its name, or latest.", check_name
    )
    experiment: str | None = _text(
        "MLflow experiment of a new run; created if it is missing.", check_name
    )
    name: str | None = _text("Name of the run; by default it is made of the settings.", check_name)
    tracking_uri: str | None = _text(
        "MLflow's tracking URI; default: $MLFLOW_TRACKING_URI, else mlflow.db in this directory.",
        check_uri,
    )
    patience: float = _text(
        "How long to wait for a busy store, at the start and at the end; then use fitreel sync.",
        partial(parse, kind=float),
        PATIENCE,
    )

    def __post_init__(self) -> None:
        if not 0 <= self.patience < float("inf"):
            raise ValueError(f"patience must be 0 or more seconds; got {self.patience}")


class Session:
    """A command that is running: its store, and what it resumes if it was interrupted."""

    def __init__(
        self,
        target: Target,
        plan: dict[str, Any] | None = None,
        interrupted: "Interrupted | None" = None,
        *,
        as_json: bool = False,
    ) -> None:
        """Start or resume a command; one without a plan cannot be resumed later."""
        self.target = target
        self._plan = plan
        self._interrupted = interrupted
        self.as_json = as_json
        self.copies = Copies()
        self._registered: tuple[str, str] | None = None

    @property
    def is_new(self) -> bool:
        """Whether the command was not resumed, so that its run has to be checked first."""
        return self._interrupted is None

    @property
    def typed(self) -> set[str]:
        """The names of the settings that somebody typed; the others have their defaults."""
        return set(self._plan.get("typed", ())) if self._plan else set()

    @property
    def directory(self) -> Path:
        """The directory in which the command was started first."""
        first = None if self._plan is None else self._plan.get("directory")
        return Path(first) if first else Path.cwd()

    @cached_property
    def tracker(self) -> "Tracker":
        """The tracking store that the options name; it must exist.

        Only `run`, `generate` and `sweep` may create one, and only if they name no run: a command
        that reads would find nothing in a new store.
        """
        return self._reach(may_create=False)

    def _reach(self, *, may_create: bool) -> "Tracker":
        return fitreel.tracking.Tracker(
            self.target.tracking_uri or None,
            self.target.experiment or None,
            may_create=may_create,
            patience=fitreel.tracking.Patience(self.target.patience, console.warn),
        )

    def source(self) -> "Source":
        """Open the run to read from; ValueError if it is missing or not an experiment."""
        source = self.any_source()
        if source.kind and self.is_new:
            raise ValueError(f"run {source.run_id} is a {source.kind}, not an experiment")
        return source

    def any_source(self) -> "Source":
        """Open the run to read from, of any kind; ValueError if it is missing."""
        # A resumed command reads what it read at first, whatever MLflow's active run is now.
        named = self._plan["source"] if self._plan and not self.is_new else self.target.run
        return self.tracker.source(named)

    def source_or_none(self) -> "Source | None":
        """Open the run to read from if one is named or active; else the store may be created."""
        if self.is_new:
            # Replaces the cached property, which would not create a store.
            self.tracker = self._reach(may_create=not self.target.run)
            return self.tracker.source_or_none(self.target.run)
        return self.source() if self._plan and self._plan["source"] else None

    def writes_to(self, source: "Source") -> bool:
        """Return whether the command logs to the run that it reads from."""
        if self._interrupted is None:
            return self.tracker.writes_to(source)
        return bool(self._interrupted.run_id == source.run_id)

    def into(self, source: "Source | None") -> "Source | None":
        """Return the run that the command will log to; None for a new one."""
        if source and self.writes_to(source):
            return source
        return self.tracker.source_or_none(None)

    def check_free(self, source: "Source | None", stage: str, files: Collection[str]) -> None:
        """Raise ValueError if a stage would replace files that it did not log itself.

        A stage that is done is known to the run; it may replace its own files.
        """
        into = self.into(source) if self.is_new else None
        if into is None or into.has_logged(stage):
            return
        if found := into.first_of(files):
            raise ValueError(
                f"run {into.run_id} has {found}, which fitreel {stage} did not log and would "
                "replace; log to another run"
            )

    @contextmanager
    def run(
        self,
        source: "Source | None" = None,
        experiment_id: str | None = None,
        describe: "Callable[[Run], str]" = note,
        summarise: "Summarise" = console.summarise,
        *,
        as_guest: bool = False,
    ) -> Iterator["Run"]:
        """Open the run to log to; at the end write its note, show its summary, print its id.

        ``describe`` returns the note, in Markdown; ``summarise`` prints the results of the run. A
        guest leaves the note and the status of the source as they are, and cannot be resumed.
        """
        run = None
        is_guest = as_guest and source is not None and self.writes_to(source)
        try:
            with (
                fitreel.tracking.following_project_runner(),
                self._open(source, experiment_id, as_guest=is_guest) as run,
                nullcontext() if is_guest or not self._plan else console.resume_hint(run.run_id),
            ):
                # At once: it may be wanted before the end.
                console.say(f"run {run.run_id}")
                yield run
                if not is_guest:
                    run.set_note(describe(run))
        # All was computed and waits in the spool: the summary is shown before the error.
        except fitreel.journal.Undelivered:
            self._close(run, summarise, is_delivered=False)
            raise
        self._close(run, summarise, is_delivered=True)

    def register(self, run: "Run", name: str | None, run_id: str) -> None:
        """Register the model of a run under a name, if there is one; the end says what came of it.

        It is delivered as everything else: if the store is away, by fitreel sync.
        """
        if name:
            run.register(name, run_id)
            self._registered = (run_id, name)

    def _open(
        self, source: "Source | None", experiment_id: str | None, *, as_guest: bool
    ) -> AbstractContextManager["Run"]:
        if as_guest and source:
            return self.tracker.join(source.run_id)
        if self._interrupted:
            return self.tracker.resume(self._interrupted.journal, self._interrupted.run_id)
        # Noted for `resume`, which may be started elsewhere, with another active run.
        started = {"source": source.run_id if source else None, "directory": str(self.directory)}
        return self.tracker.run(
            source,
            self.target.name or None,
            experiment_id=experiment_id,
            plan=self._plan and self._plan | started,
        )

    def _close(self, run: "Run | None", summarise: "Summarise", *, is_delivered: bool) -> None:
        if run is None:
            return
        summarise(run, self._ways(run) if is_delivered else {})
        if self._registered and is_delivered:
            console.say(self.tracker.registered(*self._registered))
        for copy in self.copies.files:
            console.say(f"wrote {copy}")
        if not self.is_new:  # several commands of a run may be resumed: one result is printed
            return
        if not self.as_json:
            print(run.run_id)  # alone on standard output, for scripts
            return
        found = described(self.tracker.source(run.run_id)) if is_delivered else undelivered(run)
        print_json(found | {"copies": self.copies.files})

    def _ways(self, run: "Run") -> dict[str, str]:
        try:
            return ways_to_look(run, self.tracker, self.target.tracking_uri)
        except (OSError, ValueError) as error:  # the run is complete, and its id is still to print
            console.warn(str(error))
            return {}


def resume_run(
    named: str,
    target: Target,
    commands: Mapping[str, Callable[..., None]],
    *,
    as_json: bool = False,
) -> None:
    """Run the interrupted commands of a run again, the oldest first; a finished run is reported.

    Their stages return what the run has already, as ``Run.has_done`` says.

    Raises ValueError if a command is not among ``commands``, or of another version of fitreel.
    """
    run_id = fitreel.tracking.waiting_run(named, target.tracking_uri or None)
    uri, is_finished = target.tracking_uri, True
    for interrupted in fitreel.tracking.interrupted(run_id, target.tracking_uri):
        uri, is_finished = interrupted.uri, False
        name = interrupted.plan["command"]
        if name not in commands:
            interrupted.journal.close()
            raise ValueError(f"run {run_id} was started by fitreel {name}: fitreel resume {run_id}")
        settings = _settings(interrupted, commands[name])
        if interrupted.damage:
            console.warn(f"{interrupted.damage}; what is missing is computed again")
        console.say(f"resuming fitreel {name}")
        # The store of the first start: the default of this directory may be another.
        again = replace(target, tracking_uri=interrupted.uri)
        options = interrupted.plan.get("options", {})  # missing in journals of fitreel 0.3.0
        session = Session(again, interrupted.plan, interrupted)
        commands[name](**settings, **options, session=session)
    if is_finished:
        console.say(f"run {run_id} is finished")
    if as_json:
        tracker = fitreel.tracking.Tracker(uri or None, may_create=False)
        print_json(described(tracker.source(run_id)) | {"copies": []})
    else:
        print(run_id)


def _settings(interrupted: "Interrupted", command: Callable[..., None]) -> dict[str, Any]:
    """Return the groups of settings that an interrupted command was started with."""
    kinds = get_type_hints(command)
    try:
        found = {key: kinds[key](**values) for key, values in interrupted.plan["settings"].items()}
        # What an earlier version did not have, as tables in 0.4, has its defaults.
        groups = {key: kind for key, kind in kinds.items() if kind in GROUPS}
        return {key: kind() for key, kind in groups.items() if key not in found} | found
    except (KeyError, TypeError):
        raise ValueError(
            f"run {interrupted.run_id} was started by another version of fitreel"
        ) from None
