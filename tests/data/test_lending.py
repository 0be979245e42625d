"""Batches come out of a worker in memory that it uses again, but never while somebody looks at it."""

import os
from collections.abc import Sequence
from functools import partial

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.data import DataLoader, Dataset

from depression_vr.data.lending import PixelMemory

CLIPS = 12
ON_THE_WAY = 4  # two that the loader prefetches, the one that the loop holds and the one that it gets


class Numbered(Dataset[Tensor]):
    """Clips ``(2, 3, 4, 5)``, colours last in memory, all of whose pixels are the clip's number."""

    def __len__(self) -> int:
        return CLIPS

    def __getitem__(self, number: int) -> Tensor:
        return torch.full((2, 4, 5, 3), number, dtype=torch.uint8).permute(0, 3, 1, 2)


def with_buffers(memory: PixelMemory, clips: Sequence[Tensor]) -> tuple[Tensor, int]:
    """A batch, and how many buffers there are by then."""
    return memory.stack(clips), len(memory.buffers)


def batches(workers: int = 1, batch_size: int = 1, start: str | None = None) -> DataLoader[Tensor]:
    return DataLoader(
        Numbered(),
        batch_size,
        num_workers=workers,
        multiprocessing_context=start,
        persistent_workers=workers > 0,
        collate_fn=partial(with_buffers, PixelMemory()),
    )


def test_memory_is_used_again() -> None:
    buffers = 0
    for number, (clips, made) in enumerate(batches()):
        assert (clips == number).all()
        buffers = made
    assert buffers <= ON_THE_WAY


@pytest.mark.parametrize(
    ("workers", "start"), [(1, "fork"), (2, "fork"), pytest.param(2, "spawn", marks=pytest.mark.slow)]
)
def test_batches_that_are_held_keep_their_pixels(workers: int, start: str) -> None:
    held = [clips for clips, _ in batches(workers, start=start)]
    assert [clips.unique().tolist() for clips in held] == [[number] for number in range(CLIPS)]


def test_a_part_of_a_batch_keeps_its_pixels() -> None:
    held = [clips[0, 1, :, 2:].numpy()[0] for clips, _ in batches()]
    assert [part.max() for part in held] == [part.min() for part in held] == list(range(CLIPS))


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_memory_of_held_batches_goes_back_when_they_go_in_another_mode_of_pytorch() -> None:
    loader = batches()
    with torch.inference_mode():
        held = list(loader)
    assert held[-1][1] >= CLIPS
    with FakeTensorMode():
        held.clear()
    made = [buffers for _, buffers in loader]
    assert made[-1] <= ON_THE_WAY + 1  # as many as if none had been held


def test_a_process_that_is_forked_does_not_give_back_what_its_parent_looks_at() -> None:
    loader = iter(batches())
    held = [next(loader)[0]]
    child = os.fork()
    if not child:
        held.clear()
        os._exit(0)
    os.waitpid(child, 0)
    assert [clips.unique().tolist() for clips, _ in loader] == [[number] for number in range(1, CLIPS)]
    assert held[0].unique().tolist() == [0]


def test_memory_of_an_epoch_that_is_left_early_is_used_in_the_next() -> None:
    loader = batches()
    for _ in range(3):
        clips, _ = next(iter(loader))
        assert (clips == 0).all()
    made = [buffers for _, buffers in loader]
    assert made[-1] <= ON_THE_WAY + 1  # the clips above


@pytest.mark.parametrize("workers", [0, 1])
def test_a_last_batch_may_be_smaller(workers: int) -> None:
    *_, last = (clips for clips, _ in batches(workers, batch_size=5))
    assert last.shape == (2, 2, 3, 4, 5)
    assert last.permute(0, 1, 3, 4, 2).is_contiguous()
    assert [clip.unique().tolist() for clip in last] == [[10], [11]]
