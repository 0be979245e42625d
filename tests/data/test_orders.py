"""In which order clips and windows come, and which of them each process takes."""

import tracemalloc
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DistributedSampler

from depression_vr.bench.large_corpus import LargeCorpus
from depression_vr.data.clips import ClipShape
from depression_vr.data.datasets import EpochPosition, EvaluationOrder, EvaluationWindows, TrainingOrder
from depression_vr.data.reader import ClipReader


def windows(folder: Path, videos: int, frames: int) -> EvaluationWindows:
    corpus = LargeCorpus(videos, frames)
    table = folder / "manifest.csv"
    corpus.write_table(table)
    manifest = corpus.manifest(corpus.read(table))
    return EvaluationWindows(manifest, "training", ClipShape(8, 1), ClipReader((4, 4)))


@pytest.mark.parametrize(("videos", "processes"), [(4, 1), (8, 3), (1, 2), (1, 7)])
def test_processes_share_the_windows_as_pytorch_would(tmp_path: Path, videos: int, processes: int) -> None:
    of_partition = windows(tmp_path, videos, frames=20)
    for rank in range(processes):
        order = EvaluationOrder(of_partition, rank=rank, processes=processes)
        places: DistributedSampler[int] = DistributedSampler(of_partition, processes, rank, shuffle=False)
        assert list(order) == list(places)
        assert len(order) == len(places)


def test_the_order_of_windows_takes_no_memory(tmp_path: Path) -> None:
    order = EvaluationOrder(windows(tmp_path, 1200, frames=90_000), rank=1, processes=3)
    assert len(order) == 400 * 11_250 / 3
    tracemalloc.start()
    try:
        assert list(islice(order, 3)) == [1, 4, 7]
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_processes_share_an_epoch() -> None:
    videos = np.arange(10, 20)
    shares = [list(TrainingOrder(videos, 0, rank=rank, processes=3)) for rank in range(3)]
    assert [len(share) for share in shares] == [4, 4, 4]
    assert {key.video for share in shares for key in share} == set(range(10, 20))
    together = [key for keys in zip(*shares, strict=True) for key in keys]
    assert together[:10] == list(TrainingOrder(videos, 0))


def test_an_epoch_that_was_begun_goes_on() -> None:
    whole = TrainingOrder(np.arange(5), 0)
    whole.set_epoch(2)
    begun = TrainingOrder(np.arange(5), 0, position=EpochPosition(epoch=2, clips=3))
    assert list(begun) == list(whole)[3:]
    begun.set_epoch(3)
    assert len(list(begun)) == 5
