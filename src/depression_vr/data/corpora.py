"""The corpora as configs name them: a corpus and how clips are cut from it, as one flat set of keys."""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt, validate_call

from depression_vr.data.avec import Avec2013, Avec2014
from depression_vr.data.datamodule import ClipDataModule
from depression_vr.data.manifest import Corpus
from depression_vr.data.no_corpus import NoCorpus
from depression_vr.data.synthetic import SyntheticCorpus
from depression_vr.data.table import CsvTable
from depression_vr.errors import UserError
from depression_vr.keys import A_LIST


@validate_call
def avec2013(root: str, image_root: str | None) -> Corpus:
    """AVEC2013."""
    return Avec2013(root, image_root)


@validate_call
def avec2014(root: str, image_root: str | None, tasks: Annotated[list[str], A_LIST]) -> Corpus:
    """AVEC2014."""
    return Avec2014(root, image_root, tasks)


@validate_call
def csv(
    table: str,
    image_root: str | None,
    maximum: Annotated[float, Field(gt=0, allow_inf_nan=False)],
    partition_by_position: Annotated[list[NonNegativeInt], Field(min_length=3, max_length=3)] | None,
) -> Corpus:
    """The user's own table."""
    return CsvTable(table, image_root, maximum, partition_by_position)


@validate_call
def synthetic(
    root: str,
    recordings: Mapping[str, int],
    frames: int,
    frame_rate: float,
    frame_size: int,
    generator_seed: int,
) -> Corpus:
    """The synthetic corpus, made first where it is not there."""
    return SyntheticCorpus(root, recordings, frames, frame_rate, frame_size, generator_seed)


@validate_call
def none() -> Corpus:
    """No corpus: of a network that was imported without one."""
    return NoCorpus()


_CORPORA: Mapping[str, Callable[..., Corpus]] = {
    "avec2013": avec2013,
    "avec2014": avec2014,
    "csv": csv,
    "none": none,
    "synthetic": synthetic,
}


def corpus_keys(corpus: str) -> tuple[str, ...]:
    """The keys that a corpus has beside those of its clips.

    Raises:
        UserError: there is no such corpus.
    """
    if corpus not in _CORPORA:
        raise UserError(
            f"there is no corpus {corpus!r}", where="config key data.corpus", fix=f"use {', '.join(_CORPORA)}"
        )
    return tuple(inspect.signature(_CORPORA[corpus]).parameters)


def named_corpus(corpus: str, **settings: Any) -> Corpus:
    """The corpus of a name; ``settings`` has its `corpus_keys`."""
    return _CORPORA[corpus](**settings)


def clips(corpus: str, **settings: Any) -> ClipDataModule:
    """Clips of a corpus: ``settings`` has its `corpus_keys`, and what `ClipDataModule` takes."""
    own = {key: settings.pop(key) for key in corpus_keys(corpus) if key in settings}
    return ClipDataModule(named_corpus(corpus, **own), **settings)
