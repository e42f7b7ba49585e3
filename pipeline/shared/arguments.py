"""The arguments as people type them: a switch alone, and options by the names of other tools."""

from collections.abc import Sequence
from itertools import pairwise

import typer

from fitreel.checks.text import shown
from fitreel.settings import KINDS, Switch, nearest

# Settings that are on or off, such as --live.
SWITCHES = {f"--{name.replace('_', '-')}" for name, kind in KINDS.items() if kind == Switch}

FLAGS = {f"--{name}": f"--{name.replace('_', '-')}" for name in KINDS}


def with_values(arguments: Sequence[str]) -> list[str]:
    """Return the arguments; a switch without a value gets ``on``.

    ``mlflow run`` passes parameters that MLproject does not declare by their names: --test_size.
    """
    arguments = [FLAGS.get(word, word) for word in arguments]
    # Typer knows no option whose value may be left out.
    return [
        f"{word}=on" if word in SWITCHES and following.startswith("-") else word
        for word, following in pairwise([*arguments, "--"])
    ]


def explained(error: typer.TyperException) -> str:
    """Return the message of an error; for an unknown option with the one that is meant."""
    unknown, context = getattr(error, "option_name", None), getattr(error, "ctx", None)
    if not unknown or context is None:
        return error.format_message()
    known = [flag for option in context.command.params for flag in option.opts]
    meant = nearest(unknown.lstrip("-"), [flag.lstrip("-") for flag in known if "--" in flag])
    hint = f"; did you mean --{meant}?" if meant else f"; see {context.command_path} --help"
    return f"there is no option {shown(unknown)}{hint}"
