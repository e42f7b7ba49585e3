"""The packing of tags: those that processes read are kept in two tags that hold JSON.

A run with a tag for each fact fills MLflow's pages with columns that nobody filters by. In code
each fact is a tag still, so that those of fitreel 0.3.0 and before are read in the same way.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress

from fitreel.tracking.names import (
    COMPARED_TAG,
    DIGESTS_TAG,
    ENDS_TAG,
    FACTS,
    FACTS_TAG,
    OUTCOME_TAG,
    OUTCOMES,
    OWNER,
    OWNER_TAG,
    PREFIX,
)

PACKED = {OWNER_TAG: OWNER, FACTS_TAG: FACTS}
STRUCTURED = {DIGESTS_TAG, COMPARED_TAG, ENDS_TAG}  # tags that are JSON themselves


def packed(changed: Iterable[str], tags: Mapping[str, str]) -> dict[str, str]:
    """Return what the store gets if some of a run's tags changed; ``tags`` are all of them.

    A tag that holds JSON is written as a whole: no store changes a part of it.
    """
    changed = set(changed)
    found = {tag: tags[tag] for tag in changed.difference(OWNER, FACTS)}
    for into, members in PACKED.items():
        if not changed.isdisjoint(members):
            found[into] = _to_json({tag: tags[tag] for tag in members if tag in tags})
    for tag, outcome in OUTCOMES.items():
        if tag in changed:
            found[OUTCOME_TAG] = outcome
    return found


def unpacked(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a run as they are in code, the packed ones in place of older ones.

    Raises ValueError if a tag that should hold JSON does not.
    """
    found = {tag: text for tag, text in tags.items() if tag not in PACKED}
    for tag, members in PACKED.items():
        if tag in tags:
            # An owner replaces the one that fitreel 0.3.0 wrote, whatever that had more.
            found = {each: text for each, text in found.items() if each not in members}
            found |= {
                each: text for each, text in _from_json(tag, tags[tag]).items() if each in members
            }
    return found


def unpacked_if_readable(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the same, but the tags as they are if one does not hold the JSON that it should."""
    try:
        return unpacked(tags)
    except ValueError:
        return dict(tags)


def _to_json(tags: Mapping[str, str]) -> str:
    return json.dumps({tag.removeprefix(PREFIX): _value(tag, tags[tag]) for tag in tags})


def _value(tag: str, text: str) -> object:
    with suppress(ValueError):  # anybody may have written an older run's tag
        return json.loads(text) if tag in STRUCTURED else text
    return text


def _from_json(tag: str, text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
        return {
            f"{PREFIX}{key}": value if isinstance(value, str) else json.dumps(value)
            for key, value in found.items()
        }
    except (ValueError, AttributeError, RecursionError):
        raise ValueError(f"tag {tag} is not a JSON object") from None
