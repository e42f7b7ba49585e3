"""The options of the commands, made from the settings: one option a field."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Annotated, Any, get_type_hints

import typer


@dataclass(frozen=True)
class Target:
    """Where the run goes."""

    run: str | None = field(default=None, metadata={"help": "Id of the run to go on with."})
    experiment: str | None = field(
        default=None, metadata={"help": "MLflow experiment of a new run; made if it is missing."}
    )
    name: str | None = field(default=None, metadata={"help": "Name of the run."})
    tracking_uri: str | None = field(
        default=None,
        metadata={"help": "MLflow tracking URI [default: $MLFLOW_TRACKING_URI, else mlflow.db]."},
    )


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Make a Typer command of a function whose parameters are dataclasses of settings."""
    groups: dict[str, type] = get_type_hints(command)
    groups.pop("return")
    options = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=_annotation(each, get_type_hints(group)[each.name], group),
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

    del with_settings.__wrapped__  # type: ignore[attr-defined]
    with_settings.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    with_settings.__annotations__ = {option.name: option.annotation for option in options}
    return with_settings


def _annotation(each: "Field[Any]", kind: Any, group: type) -> Any:
    panel = group.__name__.removesuffix("Settings") + " options"
    option = typer.Option(f"--{each.name.replace('_', '-')}", help=each.metadata["help"],
                          rich_help_panel=panel)
    return Annotated[kind, option]
