"""Rows about a corpus far larger than any that there is: its clip index and its preprocessing shards."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from functools import cached_property, partial
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import psutil
from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr.bench.large_corpus import LargeCorpus
from depression_vr.bench.rows import Goal, Measure, Row, per_second
from depression_vr.data.clips import ClipShape
from depression_vr.data.datasets import EvaluationWindows, TrainingClips, TrainingOrder
from depression_vr.data.frames import FrameFolder
from depression_vr.data.leakage import subject_overlap
from depression_vr.data.manifest import PARTITIONS
from depression_vr.data.reader import ClipReader
from depression_vr.data.videos import folder_problems
from depression_vr.faces.corpus import shard_of

_GIGABYTE = 1e9
_SECONDS_BETWEEN_LOOKS = 0.02
_COMPARED = 5  # shards
_SHORTEST = 0.4  # of the longest video, as AVEC2013's recordings of 20 to 50 minutes

Figures = Mapping[str, float]
Videos = Annotated[int, Field(ge=12)]  # every partition has some


@dataclass(frozen=True)
class ScaleBenchmark:
    """A generated corpus of which no file is on disk. What every file takes is left out: see docs/scaling.md.

    Attributes:
        videos: of the corpus.
        frames: of a video; of the longest, where shards are dealt.
        clip_length: frames per clip.
        frame_step: every how many frames of a video one is kept.
        processes: that train together.
        lookups: clips and windows that are looked up, of each so many.
        shards: of preprocessing.
        listed: frames of the one folder that is on disk.
    """

    videos: Videos = 1_000_000
    frames: PositiveInt = 90_000
    clip_length: PositiveInt = 64
    frame_step: PositiveInt = 3
    processes: PositiveInt = 64
    lookups: PositiveInt = 10_000
    shards: PositiveInt = 1000
    listed: PositiveInt = 10_000

    def rows(self, folder: Path) -> Sequence[Row]:
        """Write the table and the frames of one folder."""
        LargeCorpus(self.videos, self.frames).write_table(folder / "manifest.csv")
        listed = folder / "listed"
        listed.mkdir()
        for number in range(1, self.listed + 1):
            (listed / f"frame_{number:06d}.jpg").touch()
        index = _Apart(partial(_index, self, folder / "manifest.csv"))
        shards = _Apart(partial(_shards, self))
        of_corpus = f"of {self.videos:,} videos of {self.frames:,} frames"
        measures = {
            "scale table": index.measure("table", "s", f"a manifest.csv {of_corpus} read and validated"),
            "scale index": index.measure(
                "index",
                "s",
                f"that, the manifest, all evaluation windows and one process's training order of an epoch, "
                f"of {self.processes} processes",
            ),
            "scale index memory": index.measure(
                "memory", "GB", "peak of the process that did it, with its imports"
            ),
            "scale look-ups": index.measure(
                "look-ups", "look-ups/s", "frames of a random training clip and of a random window"
            ),
            "scale shards": shards.measure(
                "shards",
                "s",
                f"{self.videos:,} raw videos checked, and those of one of {self.shards:,} shards found",
            ),
            "scale shards balance": shards.measure(
                "balance",
                "",
                f"frames of the largest of {_COMPARED} shards over the mean of all, "
                f"videos of {_SHORTEST * self.frames:,.0f} to {self.frames:,} frames",
            ),
            "scale listing": Measure(
                f"one folder of {self.listed:,} frames listed, in the page cache",
                "frames/s",
                lambda: per_second(lambda: len(FrameFolder.listed(listed))),
            ),
        }
        goals = {"scale index": Goal("figure", most=60), "scale index memory": Goal("figure", most=2)}
        return [Row(name, measure, goal=goals.get(name)) for name, measure in measures.items()]


class _Apart:
    """Work that is done once, in a process of its own, and whose figures several rows show.

    Args:
        work: returns figures by name; can be pickled.
    """

    def __init__(self, work: Callable[[], Figures]) -> None:
        self._work = work

    def measure(self, name: str, unit: str, what: str) -> Measure:
        """One of the figures; ``memory`` is the most gigabytes that the process has held."""
        return Measure(what, unit, lambda: self._figures[name], repeated=False)

    @cached_property
    def _figures(self) -> Figures:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            process = psutil.Process(pool.submit(os.getpid).result())
            working = pool.submit(self._work)
            peak = 0
            while wait([working], timeout=_SECONDS_BETWEEN_LOOKS).not_done:
                peak = max(peak, process.memory_info().rss)
            return {**working.result(), "memory": peak / _GIGABYTE}


def _index(size: ScaleBenchmark, table: Path) -> Figures:
    corpus = LargeCorpus(size.videos, size.frames)
    shape = ClipShape(size.clip_length, size.frame_step)
    began = perf_counter()
    validated = corpus.read(table)
    read = perf_counter()
    manifest = corpus.manifest(validated)
    if manifest.warnings or any(subject_overlap(manifest).values()):
        raise RuntimeError("the generated corpus has subjects in several partitions")
    reader = ClipReader((224, 224))
    windows = [EvaluationWindows(manifest, partition, shape, reader) for partition in PARTITIONS]
    clips = TrainingClips(manifest, shape, reader, seed=0, uniforms=0)
    training = TrainingOrder(manifest.rows("training"), 0, rank=size.processes - 1, processes=size.processes)
    order = list(training)
    indexed = perf_counter()
    random = np.random.default_rng(0)
    for number, key in zip(range(size.lookups), cycle(order)):
        clips.clip(key)
        of_partition = windows[number % len(windows)]
        of_partition.window(int(random.integers(len(of_partition))))
    looked_up = perf_counter()
    return {
        "table": read - began,
        "index": indexed - began,
        "look-ups": 2 * size.lookups / (looked_up - indexed),
    }


def _shards(size: ScaleBenchmark) -> Figures:
    videos = LargeCorpus(size.videos, size.frames).raw_videos()
    lengths = np.random.default_rng(0).uniform(_SHORTEST * size.frames, size.frames, size.videos)
    frames = dict(zip((video.video_id for video in videos), lengths, strict=True))
    began = perf_counter()
    if problems := folder_problems([(str(video.path), video) for video in videos]):
        raise RuntimeError(f"the generated videos are wrong: {problems[0]}")
    shard_of(videos, 0, size.shards)
    passed = perf_counter() - began
    compared = np.linspace(0, size.shards - 1, _COMPARED).astype(int)
    sizes = [
        sum(frames[video.video_id] for video in shard_of(videos, shard, size.shards)) for shard in compared
    ]
    return {"shards": passed, "balance": max(sizes) * size.shards / float(lengths.sum())}
