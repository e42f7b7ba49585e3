"""The arguments as people type them: a switch alone, and options by the names of other tools."""

from collections.abc import Sequence
from itertools import pairwise

import typer

from fitreel.checks.text import shown
from fitreel.settings import KINDS, Switch, nearest

# What a setting is worth without a value.
BARE = {f"--{name.replace('_', '-')}": "on" for name, kind in KINDS.items() if kind == Switch}
BARE |= {"--live": "on", "--pace": "0.1"}  # as in the original tutorial

FLAGS = {f"--{name}": f"--{name.replace('_', '-')}" for name in KINDS}


def with_values(arguments: Sequence[str]) -> list[str]:
    """Return the arguments; a switch without a value gets ``on``, --pace a tenth of a second.

    ``mlflow run`` passes parameters that MLproject does not declare by their names: --test_size.
    """
    arguments = [FLAGS.get(word, word) for word in arguments]
    # Typer knows no option whose value may be left out.
    return [
        f"{word}={BARE[word]}" if word in BARE and following.startswith("-") else word
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
