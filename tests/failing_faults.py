"""The faults that a test tries: calls with their errors, one after the other, counted."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.failing_cases import PREPARATIONS, Call

SAMPLE = 3  # faults of a command in the short version
Fault = tuple[Call, str]


def names(*short: str) -> list[Any]:
    """Return the names of all commands; those that are not named are for the long version."""
    marks = {name: [] if name in short else [pytest.mark.torture] for name in PREPARATIONS}
    return [pytest.param(name, marks=marks[name]) for name in PREPARATIONS]


def faults_of(
    calls: Sequence[Call], errors_of: Callable[[Call], Sequence[str]], torture: bool
) -> list[Fault]:
    """Return each call with an error, the first of each kind with all of its errors.

    The errors take turns. The short version gets some, from the first to the last.
    """
    faults = list[Fault]()
    for place, call in enumerate(calls):
        errors = errors_of(call)
        faults += [
            (call, each) for each in (errors if call[1] == 1 else [errors[place % len(errors)]])
        ]
    return faults if torture else faults[len(faults) // SAMPLE // 2 :: len(faults) // SAMPLE]


def try_all(name: str, faults: Sequence[Fault], attempt: Callable[[Call, str], str]) -> None:
    """Make each call fail with its error; print how often it ended how, and report all trouble."""
    ended, troubles = Counter[str](), list[str]()
    for call, error in faults:
        try:
            ended[attempt(call, error)] += 1
        except (AssertionError, OSError) as trouble:
            troubles.append(f"{call}, {error}: {trouble}")
    print(f"{name}: {len(faults)} faults: {dict(ended)}, {len(troubles)} troubles")
    assert not troubles, "\n\n".join(troubles)
    # Threads do not make the same calls each time.
    assert ended["not reached"] <= max(1, len(faults) // 10)
