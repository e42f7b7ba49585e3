"""The keywords of the library's functions: settings by name, as in ``fit(dataset, lr=0.05)``."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar, get_type_hints

from fitreel.settings.base import Settings, quoted
from fitreel.settings.names import nearest

Group = TypeVar("Group", bound=Settings)
Function = TypeVar("Function", bound=Callable[..., Any])


def with_keywords(
    group: type[Group], settings: Group, keywords: Mapping[str, Any], function: str
) -> Group:
    """Return settings with the fields that keywords name replaced.

    Raises TypeError, in the name of ``function``, if there is no such field or ``settings`` are not
    of this group.
    """
    if not isinstance(settings, group):
        found = type(settings).__name__ if isinstance(settings, Settings) else quoted(settings)
        raise TypeError(f"{function}() takes {group.__name__}, or keywords; got {found}")
    known = [each.name for each in fields(settings)]  # type: ignore[arg-type]
    for name in keywords:
        if name not in known:
            meant = nearest(name, known)
            hint = f"did you mean {meant}?" if meant else f"it has {', '.join(known)}"
            raise TypeError(f"{function}() has no setting '{name}'; {hint}")
    return replace(settings, **keywords)  # type: ignore[type-var]


def shows_keywords(group: type[Settings]) -> Callable[[Function], Function]:
    """Return a decorator: ``help`` and Tab show a group's settings in place of ``**keywords``."""

    def decorate(function: Function) -> Function:
        signature, hints = inspect.signature(function), get_type_hints(group)
        *own, _ = signature.parameters.values()
        named = [
            inspect.Parameter(
                each.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=each.default,
                annotation=hints[each.name],
            )
            for each in fields(group)  # type: ignore[arg-type]
        ]
        shown = signature.replace(parameters=[*own, *named])
        function.__signature__ = shown  # type: ignore[attr-defined]
        return function

    return decorate
