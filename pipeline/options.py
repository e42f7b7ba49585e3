"""The options of the commands, made from the settings: one option a field."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from fitreel.settings import (
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    LiveSettings,
    TrainingSettings,
    parse,
    range_text,
)
from fitreel.text import check_name, check_run_id, check_uri


def _text(text: str, check: Callable[[str], str]) -> Any:
    return field(default=None, metadata={"help": text, "check": check})


@dataclass(frozen=True)
class Target:
    """Say which run to read from and log to."""

    run: str | None = _text("Id of the run to go on with.", check_run_id)
    experiment: str | None = _text(
        "MLflow experiment of a new run; made if it is missing.", check_name
    )
    name: str | None = _text(
        "Name of the run; made from its settings if none is given.", check_name
    )
    tracking_uri: str | None = _text(
        "MLflow's tracking URI; without it $MLFLOW_TRACKING_URI, else mlflow.db in this directory.",
        check_uri,
    )


PANELS = {
    DataSettings: "Points",
    TrainingSettings: "Training",
    LiveSettings: "Training",
    EvaluationSettings: "Evaluation",
    FilmSettings: "Film",
    Target: "Run",
}


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Make a Typer command of a function whose parameters are dataclasses of settings."""
    groups: dict[str, type] = get_type_hints(command)
    groups.pop("return")
    options = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=_option(each, get_type_hints(group)[each.name], PANELS[group]),
        )
        for group in groups.values()
        for each in fields(group)
    ]

    @functools.wraps(command)
    def with_settings(**values: Any) -> None:
        command(
            **{
                name: group(**{each.name: values[each.name] for each in fields(group)})
                for name, group in groups.items()
            }
        )

    # Typer looks at both, and through __wrapped__.
    del with_settings.__wrapped__
    with_settings.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    with_settings.__annotations__ = {option.name: option.annotation for option in options}
    return with_settings


def _option(each: "Field[Any]", kind: Any, panel: str) -> Any:
    flag = f"--{each.name.replace('_', '-')}"
    text = each.metadata["help"]
    if panel == PANELS[Target]:
        read, metavar = _parser(each.metadata["check"]), "TEXT"
    else:
        if limits := range_text(each.metadata):
            text = f"{text.removesuffix('.')}, {limits}."
        read, metavar = _parser(functools.partial(parse, kind=kind)), _metavar(kind)
    option = typer.Option(flag, help=text, rich_help_panel=panel, parser=read, metavar=metavar)
    return Annotated[kind, option]


def _parser(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    def read(text: Any) -> Any:
        try:
            return parse(str(text))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return read


def _metavar(kind: Any) -> str:
    return "|".join(get_args(kind)) if get_origin(kind) is Literal else kind.__name__.upper()
