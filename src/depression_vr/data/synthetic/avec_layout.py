"""The same people as videos and label files, laid out as AVEC2014 is, so that anyone can run its path."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from pydantic import PositiveInt, validate_call

from depression_vr.data.film import write_mp4
from depression_vr.data.naming import AVEC2014_TASKS as TASKS
from depression_vr.data.synthetic.people import Recording
from depression_vr.data.synthetic.render import HEAD_AND_SHOULDERS
from depression_vr.data.synthetic.settings import DEFAULT_RECORDINGS, Settings
from depression_vr.errors import Problem, UserError
from depression_vr.files import write_text
from depression_vr.keys import APath
from depression_vr.parallel import Bar, Tick, do_all

_SETTINGS = "synthetic.json"
_PARTITION_FOLDERS = {"training": "Training", "development": "Development", "test": "Testing"}
_SMALLEST_SIZE = 256


@validate_call
def write_avec2014(
    out: APath,
    recordings: Mapping[str, int] = DEFAULT_RECORDINGS,
    seconds: float = 6.0,
    frame_rate: float = 30.0,
    size: int = 256,
    seed: int = 0,
    workers: PositiveInt | None = None,
) -> Path:
    """Write ``Training/Freeform/203_1_Freeform_video.mp4`` and so on, and ``DepressionLabels/``.

    A call that was cut short is taken up again by the same call: finished videos stay untouched.

    Args:
        out: the folder, new, empty, or begun with the same settings.
        recordings: recordings per partition; each has two videos, one per task.
        seconds: length of a video.
        frame_rate: frames per second.
        size: side of a frame in pixels, even, from 256, where a face is large enough to be detected.
        seed: the people are those of a `SyntheticCorpus` of the same seed and recordings.
        workers: processes; None for one per core.

    Returns:
        The folder.

    Raises:
        UserError: a setting makes no sense, or the folder holds something else.
    """
    folder = out.absolute()
    if size < _SMALLEST_SIZE or size % 2:
        wanted = f"is {size}, but must be even and at least {_SMALLEST_SIZE} for videos"
        raise UserError("no videos can be made with these settings:", problems=[Problem("size", wanted)])
    settings = Settings(dict(recordings), round(seconds * frame_rate), frame_rate, size, seed)
    _claim(folder, settings)
    people = settings.people()
    _write_labels(folder / "DepressionLabels", people)
    do_all(
        partial(_write_recording, folder, settings),
        people,
        workers=workers,
        ticks=Bar("Synthetic AVEC2014 videos", "videos", len(people) * len(TASKS)),
    )
    return folder


def _claim(folder: Path, settings: Settings) -> None:
    """Note the settings in a new folder; refuse a folder that is not begun with the same ones."""
    note, wanted = folder / _SETTINGS, settings.as_dict()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if note.is_file():
            if json.loads(note.read_text()) != wanted:
                raise UserError(
                    "the folder holds synthetic videos of other settings",
                    where=str(note),
                    fix="name another folder with out=, or remove this one",
                )
        elif any(folder.iterdir()):
            raise UserError(
                "the folder holds something else",
                where=str(folder),
                fix="name a new or empty folder with out=",
            )
        else:
            write_text(note, json.dumps(wanted, indent=2) + "\n")
    except (OSError, ValueError) as error:
        raise UserError(
            f"the folder cannot be used: {error}", where=str(folder), fix="name another folder with out="
        ) from error


def _write_labels(folder: Path, people: list[Recording]) -> None:
    for recording in people:
        write_text(folder / f"{recording.name}_Depression.csv", f"{recording.score}\n")


def _write_recording(out: Path, settings: Settings, recording: Recording, tick: Tick) -> None:
    for task in TASKS:
        video = out / _PARTITION_FOLDERS[recording.partition] / task / f"{recording.name}_{task}_video.mp4"
        if not video.exists():
            video.parent.mkdir(parents=True, exist_ok=True)
            unfinished = video.with_name(f".{video.name}.partial")
            write_mp4(unfinished, settings.film(recording, task, HEAD_AND_SHOULDERS), settings.frame_rate)
            unfinished.replace(video)
        tick()
