"""The options of the commands, made from the settings: one option a field.

A field without a default is an argument.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
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

STORE = "MLflow's tracking URI; without it $MLFLOW_TRACKING_URI, else mlflow.db in this directory."


def _text(text: str) -> Any:
    return field(default=None, metadata={"help": text})


@dataclass(frozen=True)
class Target:
    """Say which run to read from and log to."""

    run: str | None = _text("Id of the run to go on with.")
    experiment: str | None = _text("MLflow experiment of a new run; made if it is missing.")
    name: str | None = _text("Name of the run; made from its settings if none is given.")
    tracking_uri: str | None = _text(STORE)


@dataclass(frozen=True)
class Past:
    """Say which run to go back to."""

    run: str = field(metadata={"help": "Id of the run."})
    tracking_uri: str | None = _text(STORE)


PANELS = {
    DataSettings: "Points",
    TrainingSettings: "Training",
    LiveSettings: "Training",
    EvaluationSettings: "Evaluation",
    FilmSettings: "Film",
    Target: "Run",
    Past: "Run",
}


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Make a Typer command of a function whose parameters are dataclasses of settings."""
    groups: dict[str, type] = get_type_hints(command)
    groups.pop("return")
    options = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if _is_argument(each) else each.default,
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


def _is_argument(each: "Field[Any]") -> bool:
    return each.default is MISSING


def _option(each: "Field[Any]", kind: Any, panel: str) -> Any:
    flag = f"--{each.name.replace('_', '-')}"
    text = each.metadata["help"]
    if _is_argument(each):
        return Annotated[kind, typer.Argument(help=text, metavar=each.name.upper())]
    if panel == PANELS[Target]:
        option = typer.Option(flag, help=text, rich_help_panel=panel, metavar="TEXT")
    else:
        if limits := range_text(each.metadata):
            text = f"{text.removesuffix('.')}, {limits}."
        option = typer.Option(
            flag, help=text, rich_help_panel=panel, parser=_parser(kind), metavar=_metavar(kind)
        )
    return Annotated[kind, option]


def _parser(kind: Any) -> Callable[[Any], Any]:
    def read(text: Any) -> Any:
        try:
            return parse(str(text), kind)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return read


def _metavar(kind: Any) -> str:
    return "|".join(get_args(kind)) if get_origin(kind) is Literal else kind.__name__.upper()
