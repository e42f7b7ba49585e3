"""The options of the commands, one for each field of the settings."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import Field, asdict, fields
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from fitreel.checks.text import check_filter, check_model, check_name, check_path, shown
from fitreel.settings import (
    GROUPS,
    ComparisonSettings,
    FilmSettings,
    LiveName,
    LiveSettings,
    Switch,
    TableSettings,
    TrainingSettings,
    parse,
    range_text,
)
from pipeline.shared.completion import choices, complete_run
from pipeline.shared.session import Session, Target
from pipeline.shared.typed import fit_to_table, typed_names

PANELS = {**GROUPS, Target: "Run"}


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return the Typer command of a function whose parameters are settings and a session."""
    hints: dict[str, Any] = get_type_hints(command, include_extras=True)
    hints.pop("return")
    own = {
        name: hints.pop(name) for name, kind in [*hints.items()] if get_origin(kind) is Annotated
    }
    groups = {name: Target if kind is Session else kind for name, kind in hints.items()}
    options = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=[each.default] if each.metadata.get("many") else each.default,
            annotation=_option(each, get_type_hints(group)[each.name], PANELS[group]),
        )
        for group in groups.values()
        for each in fields(group)
    ]
    options += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in (own | {"as_json": JSON}).items()
    ]
    if TrainingSettings in groups.values() or TableSettings in groups.values():
        options += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=False)
            for name, kind in {"project": PROJECT, "context": typer.Context}.items()
        ]

    @functools.wraps(command)
    def with_settings(**values: Any) -> None:
        given = {
            name: group(**{each.name: _joined(values[each.name]) for each in fields(group)})
            for name, group in groups.items()
        }
        typed = typed_names(values) if "context" in values else set()
        fit_to_table(given, typed)
        target = given.pop("session")
        settings = {name: asdict(group) for name, group in given.items()}
        chosen = {name: values[name] for name in own if values[name] is not None}
        plan = {
            "command": command.__name__,
            "settings": settings,
            "options": chosen,
            "typed": sorted(typed),
        }
        session = Session(target, plan, as_json=values["as_json"])
        command(**given, **chosen, session=session)

    # Typer looks at both, and through __wrapped__.
    del with_settings.__wrapped__
    with_settings.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    with_settings.__annotations__ = {option.name: option.annotation for option in options}
    return with_settings


def _joined(value: Any) -> Any:
    return " ".join(value) if isinstance(value, list) else value


def _option(each: "Field[Any]", kind: Any, panel: str) -> Any:
    if panel == PANELS[Target]:
        return Annotated[kind, _target_option(each.name)]
    if each.metadata.get("many"):
        return Annotated[list[kind], _setting_option(each, kind, panel)]
    return Annotated[kind, _setting_option(each, kind, panel)]


def _setting_option(each: "Field[Any]", kind: Any, panel: str) -> Any:
    text = each.metadata["help"]
    if limits := range_text(each.metadata):
        text = f"{text.removesuffix('.')}, {limits}."
    return typer.Option(
        _flag(each.name),
        help=text,
        rich_help_panel=panel,
        parser=_parser(functools.partial(parse, kind=kind)),
        metavar=_metavar(kind),
        autocompletion=choices(kind),
    )


def _target_option(name: str) -> Any:
    (each,) = [each for each in fields(Target) if each.name == name]
    return typer.Option(
        _flag(name),
        help=each.metadata["help"],
        rich_help_panel=PANELS[Target],
        parser=_parser(each.metadata["check"]),
        metavar="SECONDS" if name == "patience" else "TEXT",
        autocompletion=complete_run if name == "run" else None,
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _parser(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    def read(text: Any) -> Any:
        try:
            return parse(str(text))  # Typer passes defaults through a parser, too
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return read


def _metavar(kind: Any) -> str:
    if kind is str:
        return "TEXT"
    return "|".join(get_args(kind)) if get_origin(kind) is Literal else kind.__name__.upper()


def _comparison_option(name: str) -> Any:
    (each,) = [each for each in fields(ComparisonSettings) if each.name == name]
    kind = get_type_hints(ComparisonSettings)[name]
    return _setting_option(each, kind, PANELS[ComparisonSettings])


def _live_option(name: str) -> Any:
    (each,) = [each for each in fields(LiveSettings) if each.name == name]
    return _setting_option(each, get_type_hints(LiveSettings)[name], PANELS[LiveSettings])


def _text_option(
    text: str,
    metavar: str,
    check: Callable[[str], str],
    group: Any = ComparisonSettings,
    complete: Callable[..., Any] | None = None,
) -> Any:
    return typer.Option(
        help=text,
        metavar=metavar,
        parser=_parser(check),
        autocompletion=complete,
        rich_help_panel=PANELS.get(group),
    )


def _check_runs(text: str) -> str:
    return " ".join(map(check_name, text.split() or [text]))


def _run_argument(text: str) -> Any:
    return typer.Argument(
        help=text, metavar="RUN", parser=_parser(check_name), autocompletion=complete_run
    )


# For the commands that take no settings.
RUN = Annotated[str, _run_argument("The run: its id or the start of it, its name, or latest.")]
RUN_OR_ALL = Annotated[str | None, _run_argument("One run; all that wait if left out.")]
RUN_OR_ONLY = Annotated[
    str | None, _run_argument("The run; the only interrupted one of the store if left out.")
]
ALL_STORES = Annotated[
    bool, typer.Option("--all", help="Look at what waits for all stores, not only for this one.")
]
TRACKING_URI = Annotated[str | None, _target_option("tracking_uri")]
PATIENCE = Annotated[float, _target_option("patience")]
MINUTES = Annotated[
    float,
    typer.Option(
        help="Minutes of silence after which a run of another machine is given up.",
        metavar="MINUTES",
        parser=_parser(functools.partial(parse, kind=float)),
    ),
]

# For watch.
LIVE = Annotated[LiveName, _live_option("live")]
PACE = Annotated[float, _live_option("pace")]

# For compare.
RUNS = Annotated[
    list[str] | None,
    _run_argument("The runs, by id, start of the id or name; the best are found if left out."),
]
RUNS_AS_TEXT = Annotated[
    str | None,
    _text_option(
        'The same in one text, for mlflow run . -e compare -P runs="RUN RUN".',
        "TEXT",
        _check_runs,
    ),
]
BEST = Annotated[int, _comparison_option("best")]
METRIC = Annotated[str, _comparison_option("metric")]
WITH_TRIALS = Annotated[Switch, _comparison_option("with_trials")]
FILTER = Annotated[
    str | None,
    _text_option(
        "Which runs to look at, in MLflow's own words: \"params.lr = '0.1'\".", "TEXT", check_filter
    ),
]
SEARCHED = Annotated[
    str | None,
    _text_option(
        "MLflow experiment to look into, and for the comparison's own run.", "TEXT", check_name
    ),
]
OUT = Annotated[
    str | None,
    _text_option(
        "Directory for the files as well; made if it is missing.", "DIRECTORY", check_path
    ),
]
NAME = Annotated[str | None, _target_option("name")]

PROJECT = Annotated[
    bool,
    typer.Option(
        "--project", hidden=True, help="Options with their default's value count as left out."
    ),
]

JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")]

# For list.
LISTED = Annotated[
    str | None,
    _text_option(
        "MLflow experiment whose runs are listed; those of all if left out.",
        "TEXT",
        check_name,
        group=None,
    ),
]
LIMIT = Annotated[int, typer.Option(help="How many runs.", metavar="INT", min=1, max=10_000)]

# For predict.
NEW_DATA = Annotated[
    str,
    _text_option(
        "File with the columns of the run's table: CSV, TSV, Parquet, .gz, a URI, or - for "
        "standard input.",
        "FILE",
        check_path,
        group=None,
    ),
]
NEW_OUT = Annotated[
    str,
    _text_option(
        "File for the predictions, .csv, .tsv or .parquet; - for standard output.",
        "FILE",
        check_path,
        group=None,
    ),
]
OTHER_RUN = Annotated[str | None, _target_option("run")]
MODEL = Annotated[
    str | None,
    _text_option(
        "Registered model to predict with: models:/NAME@champion or models:/NAME/1.",
        "MODEL",
        check_name,
        group=None,
    ),
]


# For export.
def _check_format(text: str) -> str:
    if text != "onnx":
        raise ValueError(f"'{shown(text)}' is not onnx, the only format")
    return text


FORMAT = Annotated[
    str,
    typer.Option(
        "--format", help="What to write it as.", parser=_parser(_check_format), metavar="onnx"
    ),
]
EXPORTED = Annotated[str, _text_option("File to write.", "FILE", check_path, group=None)]

# For animate.
IMAGES = Annotated[
    str | None,
    _text_option(
        "Film images that others drew: a key of mlflow.log_image or a folder, of --run; or a "
        "directory here, with --out.",
        "KEY",
        check_path,
        FilmSettings,
    ),
]
FILM = Annotated[
    str | None,
    _text_option(
        "File for the film of a directory, .gif or .mp4.", "FILE", check_path, FilmSettings
    ),
]

# For run.
COPIES = Annotated[
    str | None,
    _text_option(
        "Directory for film, pictures and player as well; created if it is missing.",
        "DIRECTORY",
        check_path,
        Target,
    ),
]
REGISTER = Annotated[
    str | None,
    _text_option(
        "Register the model under this name: as champion if it is better on its test rows.",
        "NAME",
        check_model,
        Target,
    ),
]
OPENED = Annotated[
    bool,
    typer.Option("--open", help="Show the player at the end.", rich_help_panel=PANELS[Target]),
]

# For sweep.
RESUMED = Annotated[
    str | None,
    _text_option(
        "Id of an interrupted run to resume; the same as fitreel resume RUN.",
        "RUN",
        check_name,
        Target,
        complete_run,
    ),
]
