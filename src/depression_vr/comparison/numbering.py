"""Videos, subjects and recordings by numbers, for what is passed on."""

from collections.abc import Sequence
from dataclasses import replace

from depression_vr.comparison.grouping import Group, Replicate

_WORDS = {"video_id": "video", "subject": "subject", "recording": "recording"}


def without_ids(groups: Sequence[Group]) -> list[Group]:
    """The groups with videos, subjects and recordings numbered, alike in all groups of a corpus."""
    names: dict[tuple[str, str], dict[str, str]] = {}
    for group in groups:
        videos = group.replicates[0].videos
        for column, word in _WORDS.items():
            in_order = sorted(set(videos[column]))
            digits = len(str(len(in_order)))
            names[group.corpus, column] = {
                name: f"{word} {place:0{digits}}" for place, name in enumerate(in_order, start=1)
            }

    def numbered(group: Group, replicate: Replicate) -> Replicate:
        columns = {column: replicate.videos[column].map(names[group.corpus, column]) for column in _WORDS}
        return replace(replicate, videos=replicate.videos.assign(**columns))

    return [
        replace(group, replicates=tuple(numbered(group, replicate) for replicate in group.replicates))
        for group in groups
    ]
