"""Does what ``preprocess`` is asked for: finds the videos, preprocesses them, writes the tables."""

import logging
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf
from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from depression_vr.building import build
from depression_vr.data.manifest import Corpus
from depression_vr.data.videos import RawVideo, videos_in
from depression_vr.errors import UserError
from depression_vr.faces.corpus import Outcome, preprocess_videos, shard_of
from depression_vr.faces.output import Output
from depression_vr.faces.pipeline import Preprocessing
from depression_vr.faces.reporting.corpus_tables import of_corpus, video_records, write_tables
from depression_vr.faces.reporting.report import write_report
from depression_vr.keys import APath, FrameRate, keys_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Report:
    faces: bool


@dataclass(frozen=True)
class _Settings:
    """The plain keys of the config."""

    input: APath | None
    out: APath
    fps: FrameRate | None
    workers: PositiveInt | None
    shard: NonNegativeInt
    num_shards: PositiveInt
    overwrite: bool
    merge: bool
    report: _Report


def preprocess(config: DictConfig) -> list[str]:
    """Preprocess what is not finished and write tables and report.

    Args:
        config: ``conf/preprocess.yaml``, composed.

    Returns:
        What could not be made, and why.

    Raises:
        UserError: there is nothing to do, or something is missing that every video needs.
        pydantic.ValidationError: a setting is refused.
    """
    settings = keys_of(config, _Settings)
    output = Output(settings.out.absolute())
    corpus = _corpus(config, settings)
    if settings.merge:
        output.require()
        return _write_tables(output, corpus, settings)
    videos = _videos(corpus, settings)
    outcome = preprocess_videos(
        shard_of(videos, settings.shard, settings.num_shards),
        Preprocessing(build(config.faces), build(config.crops), settings.fps),
        output,
        workers=settings.workers,
        overwrite=settings.overwrite,
    )
    print(f"{len(outcome.done)} videos done, {len(outcome.kept)} finished before")
    tables = _write_tables(output, corpus, settings) if settings.num_shards == 1 else []
    return [*_failures(outcome), *tables]


def _corpus(config: DictConfig, settings: _Settings) -> Sequence[RawVideo] | None:
    """The videos of the corpus; None where the config names none."""
    if config.get("data") is None:
        return None
    if settings.input is not None:
        raise UserError(
            "both a corpus and a file or folder are given",
            where="config keys data and input",
            fix="leave one out",
        )
    from depression_vr.data.corpora import corpus_keys  # noqa: PLC0415 (torch, which workers do without)

    own = OmegaConf.masked_copy(config.data, ["corpus", *corpus_keys(config.data.corpus)])
    named = {"data": {"_target_": "depression_vr.data.corpora.named_corpus", **own}}
    corpus: Corpus = build(named)["data"]  # below its key, which is in what is said of wrong settings
    return corpus.raw_videos()


def _videos(corpus: Sequence[RawVideo] | None, settings: _Settings) -> Sequence[RawVideo]:
    if corpus is not None:
        return corpus
    if settings.input is not None:
        return videos_in(settings.input)
    raise UserError(
        "there is nothing to preprocess",
        where="config keys data and input",
        fix="give a corpus (data=avec2014 data.root=FOLDER) or input=FILE_OR_FOLDER",
    )


def _write_tables(output: Output, corpus: Sequence[RawVideo] | None, settings: _Settings) -> list[str]:
    """Write tables and report, of a corpus's videos alone where there is one."""
    try:
        everything = video_records(output)
        records = everything if corpus is None else of_corpus(everything, corpus, output)
        if others := len(everything) - len(records):
            log.warning("%d videos in %s are not of this corpus: in no table", others, output.root)
        write_tables(output, records)
        print(f"report: {write_report(output, records, faces=settings.report.faces)}")
    except OSError as error:
        return [f"tables and report could not be written: {error}"]
    return []


def _failures(outcome: Outcome) -> list[str]:
    if not outcome.failures:
        return []
    tried = len(outcome.done) + len(outcome.kept) + len(outcome.failures)
    failed = [f"failed: {video.path}: {reason}" for video, reason in outcome.failures]
    return [*failed, f"{len(failed)} of {tried} videos failed"]
