"""The options of the commands, made from the settings: one option a field."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import Field, asdict, fields
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from fitreel.settings import (
    CheckpointSettings,
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    LiveSettings,
    TrainingSettings,
    parse,
    range_text,
)
from pipeline.session import Session, Target

TARGET_HELP = {each.name: each.metadata["help"] for each in fields(Target)}
TRACKING_URI = Annotated[
    str | None, typer.Option("--tracking-uri", help=TARGET_HELP["tracking_uri"], metavar="TEXT")
]
PATIENCE = Annotated[
    float, typer.Option("--patience", help=TARGET_HELP["patience"], metavar="SECONDS")
]

PANELS = {
    DataSettings: "Points",
    TrainingSettings: "Training",
    CheckpointSettings: "Training",
    LiveSettings: "Training",
    EvaluationSettings: "Evaluation",
    FilmSettings: "Film",
    Target: "Run",
}


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Make a Typer command of a function whose parameters are settings and a session."""
    hints: dict[str, Any] = get_type_hints(command)
    hints.pop("return")
    groups = {name: Target if kind is Session else kind for name, kind in hints.items()}
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
        given = {
            name: group(**{each.name: values[each.name] for each in fields(group)})
            for name, group in groups.items()
        }
        target = given.pop("session")
        settings = {name: asdict(group) for name, group in given.items()}
        command(
            **given, session=Session(target, {"command": command.__name__, "settings": settings})
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
        metavar = "SECONDS" if kind is float else "TEXT"
        option = typer.Option(flag, help=text, rich_help_panel=panel, metavar=metavar)
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
