"""The corpora as configs name them: a corpus and how clips are cut from it, as one flat set of keys."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import validate_call

from depression_vr.data.avec import Avec2013, Avec2014
from depression_vr.data.datamodule import ClipDataModule
from depression_vr.data.synthetic import SyntheticCorpus
from depression_vr.data.table import CsvTable

PATH_KEYS = ("root", "image_root", "table")
"""The keys that name folders and files of a corpus: made absolute in a run's config, shown to no logger."""


@validate_call
def avec2013(root: str, image_root: str | None, **clips: Any) -> ClipDataModule:
    """Clips of AVEC2013; ``clips`` goes to `ClipDataModule`."""
    return ClipDataModule(Avec2013(root, image_root), **clips)


@validate_call
def avec2014(root: str, image_root: str | None, tasks: Sequence[str], **clips: Any) -> ClipDataModule:
    """Clips of AVEC2014; ``clips`` goes to `ClipDataModule`."""
    return ClipDataModule(Avec2014(root, image_root, tasks), **clips)


@validate_call
def csv_table(
    table: str,
    image_root: str | None,
    maximum: float,
    partition_by_position: Sequence[int] | None,
    **clips: Any,
) -> ClipDataModule:
    """Clips of the user's own table; ``clips`` goes to `ClipDataModule`."""
    return ClipDataModule(CsvTable(table, image_root, maximum, partition_by_position), **clips)


@validate_call
def synthetic(
    root: str,
    recordings: Mapping[str, int],
    frames: int,
    frame_rate: float,
    frame_size: int,
    generator_seed: int,
    **clips: Any,
) -> ClipDataModule:
    """Clips of the synthetic corpus, made first where it is not there; ``clips`` goes to `ClipDataModule`."""
    corpus = SyntheticCorpus(root, recordings, frames, frame_rate, frame_size, generator_seed)
    return ClipDataModule(corpus, **clips)
