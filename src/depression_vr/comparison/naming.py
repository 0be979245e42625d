"""Names of groups: network, corpus, and the settings that tell them apart."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from depression_vr.comparison.reading import CHECKPOINT, FinishedRun

NONE = "none"

_PARTS = (CHECKPOINT, "model", "optim", "data", "trainer", "callbacks")
"""Of a config, what tells most first; ``input`` only says again what ``data`` does."""
_CLASS = "_target_"
_MOST_IN_A_NAME = 3
_LONGEST_VALUE = 32


@dataclass(frozen=True)
class Name:
    """A group's name, and all settings that tell it from other groups of its network and corpus."""

    name: str
    settings: Mapping[str, str]


def shown(value: Any) -> str:
    """A value of a config in one line."""
    if value is None:
        return NONE
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def differing(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """Keys that results depend on and that do not have one value in all, what tells most first."""
    keys = sorted({key for one in settings for key in one if _part(key) in _PARTS}, key=_place)
    by_values: dict[tuple[str, ...], str] = {}
    for key in keys:
        # one that follows another, as a schedule's rate does the optimizer's, tells nothing more
        by_values.setdefault(tuple(one.get(key, NONE) for one in settings), key)
    return [key for values, key in by_values.items() if len(set(values)) > 1]


def group_names(
    groups: Mapping[tuple[str, ...], Sequence[FinishedRun]], group_by: Sequence[str] | None
) -> dict[tuple[str, ...], Name]:
    """A name for every group.

    Args:
        groups: by key, which begins with the corpus; then come the values of ``group_by`` or, without it,
            network and fingerprint.
        group_by: what the user named.
    """
    corpora = {key[0] for key in groups}
    if group_by is not None:
        by_user = {key: dict(zip(group_by, key[1:], strict=True)) for key in groups}
        names = {key: Name(_joined(settings), settings) for key, settings in by_user.items()}
        is_named = {"data", "corpus"} & set(group_by)
        return {
            key: Name(f"{name.name}, {key[0]}", name.settings) if len(corpora) > 1 and not is_named else name
            for key, name in names.items()
        }
    alike: dict[tuple[str, str, bool], list[tuple[str, ...]]] = defaultdict(list)
    for key, runs in groups.items():
        alike[key[0], key[1], CHECKPOINT in runs[0].settings].append(key)
    found: dict[tuple[str, ...], Name] = {}
    for (corpus, network, from_elsewhere), keys in alike.items():
        first = {key: groups[key][0].settings for key in keys}
        always = [CHECKPOINT] if from_elsewhere else []
        told = list(dict.fromkeys([*always, *differing(list(first.values()))]))
        stem = f"{network}, {corpus}" if len(corpora) > 1 else network
        settings = {key: {name: first[key][name] for name in told if name in first[key]} for key in keys}
        found |= {key: Name(_with_settings(stem, settings[key]), settings[key]) for key in keys}
    return _unique(found)


def _joined(settings: Mapping[str, str]) -> str:
    bare = ("model", "network", "data", "corpus", "experiment")
    return ", ".join(value if key in bare else f"{_last(key)}={value}" for key, value in settings.items())


def _with_settings(stem: str, settings: Mapping[str, str]) -> str:
    told = [_told(key, value) for key, value in settings.items()][:_MOST_IN_A_NAME]
    more = len(settings) - len(told)
    if more:
        told.append(f"{more} more")
    return f"{stem} ({', '.join(told)})" if told else stem


def _unique(names: Mapping[tuple[str, ...], Name]) -> dict[tuple[str, ...], Name]:
    """Add the fingerprint to names that several groups have."""
    count: dict[str, int] = defaultdict(int)
    for name in names.values():
        count[name.name] += 1
    return {
        key: Name(f"{name.name} {key[-1]}", name.settings) if count[name.name] > 1 else name
        for key, name in names.items()
    }


def _told(key: str, value: str) -> str:
    bare = value.rpartition(".")[2] if key.endswith(_CLASS) else value
    return f"{_last(key)}={bare if len(bare) <= _LONGEST_VALUE else f'{bare[: _LONGEST_VALUE - 1]}…'}"


def _last(key: str) -> str:
    """The part of a key that says what it is; of a class, what it is the class of."""
    parts = key.split(".")
    return parts[-2] if parts[-1] == _CLASS and len(parts) > 1 else parts[-1]


def _part(key: str) -> str:
    return key.partition(".")[0]


def _place(key: str) -> tuple[int, str]:
    return _PARTS.index(_part(key)), key
