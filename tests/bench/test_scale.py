"""The rows about a corpus far larger than any that there is, with a small one."""

import json
from pathlib import Path

import pytest

from conftest import RunCommand
from depression_vr.bench.large_corpus import LargeCorpus
from depression_vr.faces.corpus import shard_of

SMALL = tuple(
    f"benchmarks.scale.{setting}"
    for setting in ("videos=41", "frames=1000", "processes=2", "lookups=5", "shards=4", "listed=3")
)


def test_the_index_and_the_shards_of_a_corpus_are_rows(command: RunCommand) -> None:
    outcome = command("bench.__main__", "rows=scale", "repetitions=1", *SMALL)
    assert outcome.code == 0, outcome.err
    rows = {row["name"]: row for row in json.loads(Path("bench.json").read_text())["rows"]}
    units = {
        "scale table": "s",
        "scale index": "s",
        "scale index memory": "GB",
        "scale look-ups": "look-ups/s",
        "scale shards": "s",
        "scale shards balance": "",
        "scale listing": "frames/s",
    }
    assert {name: row["unit"] for name, row in rows.items()} == units
    assert all(row["figure"] > 0 for row in rows.values())
    assert rows["scale index"]["figure"] > rows["scale table"]["figure"]
    assert 0.05 < rows["scale index memory"]["figure"] < 2  # Python and PyTorch at least
    assert 0.9 < rows["scale shards balance"]["figure"] < 4


@pytest.mark.parametrize("setting", ["videos=8", "shards=0", "frames=many"])
def test_a_wrong_size_is_refused(command: RunCommand, setting: str) -> None:
    outcome = command("bench.__main__", "rows=scale", f"benchmarks.scale.{setting}")
    assert outcome.code == 2
    assert f"benchmarks.scale.{setting.partition('=')[0]}" in outcome.err
    assert not Path("bench.json").exists()


def test_every_video_is_in_one_shard() -> None:
    videos = LargeCorpus(videos=41, frames=10).raw_videos()
    shards = [shard_of(videos[::-1], shard, 4) for shard in range(4)]
    assert [len(shard) for shard in shards] == [11, 10, 10, 10]
    assert sorted(video.video_id for shard in shards for video in shard) == [
        video.video_id for video in videos
    ]
