"""The tables of a whole output folder: what training reads, and how good every video's frames are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from depression_vr.data.videos import RawVideo
from depression_vr.faces.output import Output
from depression_vr.files import write_csv

MANIFEST = "manifest.csv"
QUALITY_OF_VIDEOS = "quality.csv"

_MANIFEST_COLUMNS = ("path", "label", "partition", "subject", "task", "recording", "video_id")
_ONLY_IN_MANIFEST = ("label", "subject", "recording")  # where they may be corrected
_INCOMPLETE = "files of the finished video are missing; preprocessing makes it again"


@dataclass(frozen=True)
class VideoRecord:
    """What an output folder knows of one video.

    Attributes:
        video: what is known of it; ``path`` may not be where the file is.
        summary: of the finished video; None where there is none.
        reason: why the latest attempt failed; ``""`` where it did not. A finished video with a reason is
            an earlier result that could not be made again.
    """

    video: RawVideo
    summary: dict[str, Any] | None
    reason: str = ""


def video_records(output: Output) -> list[VideoRecord]:
    """Everything that was finished or failed, in the order of the folders."""
    records: dict[Path, VideoRecord] = {}
    for read in output.summaries():
        video = _video(read)
        summary = output.finished(video)
        records[output.folder(video)] = VideoRecord(video, summary, "" if summary else _INCOMPLETE)
    for note in output.failures():
        failed = _video(note)
        folder = output.folder(failed)
        before = records.get(folder, VideoRecord(failed, None))
        records[folder] = VideoRecord(before.video, before.summary, _reason(note, output))
    return [records[folder] for folder in sorted(records)]


def of_corpus(
    records: Sequence[VideoRecord], corpus: Sequence[RawVideo], output: Output
) -> list[VideoRecord]:
    """The records of a corpus's videos, with what is known of them now, such as corrected labels."""
    known = {output.folder(video): video for video in corpus}
    return [
        replace(record, video=known[folder])
        for record in records
        if (folder := output.folder(record.video)) in known
    ]


def _video(known: dict[str, Any]) -> RawVideo:
    def text(key: str) -> str:
        return "" if known.get(key) is None else str(known[key])

    path = Path(text("source"))
    return RawVideo(path=path, **{key: text(key) for key in _MANIFEST_COLUMNS if key != "path"})


def _reason(note: dict[str, Any], output: Output) -> str:
    """The reason without the folders of this machine."""
    reason = str(note["reason"])
    for folder in (Path(note["path"]).parent, output.root):
        reason = reason.replace(f"{folder}/", "")
    return reason


def write_tables(output: Output, records: Sequence[VideoRecord]) -> list[dict[str, Any]]:
    """Write ``manifest.csv``, which ``data=csv`` reads, and ``quality.csv``.

    The manifest has a row for every finished video, its path relative to the output; label and partition
    are empty where they are not known. ``quality.csv`` has a row for every video that finished or failed:
    status (finished, failed), the reason of the latest failure, and the numbers of its summary. The same
    videos give the same bytes, wherever the folder lies.

    Args:
        output: where the tables go.
        records: the videos.

    Returns:
        The rows of ``quality.csv``.
    """
    finished = [record.video for record in records if record.summary is not None]
    manifest = [_manifest_row(video, output) for video in finished]
    rows = [_quality_row(record) for record in records]
    _write(output.root / MANIFEST, manifest, _MANIFEST_COLUMNS)
    _write(output.root / QUALITY_OF_VIDEOS, rows, tuple(dict.fromkeys(key for row in rows for key in row)))
    return rows


def _manifest_row(video: RawVideo, output: Output) -> dict[str, Any]:
    path = output.folder(video).relative_to(output.root).as_posix()
    return {**{column: getattr(video, column) for column in _MANIFEST_COLUMNS}, "path": path}


def _quality_row(record: VideoRecord) -> dict[str, Any]:
    return {
        "video_id": record.video.video_id,
        "partition": record.video.partition,
        "task": record.video.task,
        "status": "failed" if record.summary is None else "finished",
        "reason": record.reason,
        **{
            key: value
            for key, value in (record.summary or {}).items()
            if key not in _ONLY_IN_MANIFEST and not isinstance(value, dict | list)
        },
    }


def _write(path: Path, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    # object: a count must stay a whole number beside the empty cells of failed videos
    write_csv(path, pd.DataFrame(rows, columns=list(columns), dtype=object))
