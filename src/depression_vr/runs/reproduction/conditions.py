"""What a run was made with, and how that differs from what there is now."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from depression_vr.errors import Problem, UserError
from depression_vr.runs.run import Run

_ROUNDING = "rounds sums in another order: over a training, results drift apart as with another seed"
_HARDWARE = {
    "torch_threads": _ROUNDING,
    "gpus": _ROUNDING,
    "processor": _ROUNDING,
    "instructions": _ROUNDING,
    "cores": "",
    "platform": "",
    "python": "",
}
"""What of the hardware is compared, and what follows from a difference."""
_DIGITS = 12
_NOTHING = "none"


class Dataset(BaseModel):
    """A corpus, as a record has it."""

    fingerprint: str
    videos: dict[str, int]


class Conditions(BaseModel):
    """What a run is made with, as far as its results may depend on it: of its record, and files beside it.

    Attributes:
        config_digest: of the config file; None in a record from before it was noted.
        git_diff: the uncommitted changes to the code.
        frames: as `frame_contents` gives them; None where they were not noted.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    seed: int
    config_digest: str | None = None
    git_commit: str | None
    git_diff: str
    packages: Mapping[str, str | None]
    hardware: Mapping[str, Any]
    dataset: Dataset
    frames: pd.DataFrame | None = None


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was recorded.

    Attributes:
        about: what it belongs to: ``config``, ``data``, ``code``, ``hardware`` or ``package``.
        name: of what differs.
        recorded: what it was.
        here: what it is.
        remark: what follows from it.
    """

    about: str
    name: str
    recorded: str
    here: str
    remark: str = ""

    def __str__(self) -> str:
        remark = f" ({self.remark})" if self.remark else ""
        return f"{self.about} {self.name}: {self.recorded} recorded, {self.here} here{remark}"


def recorded_conditions(run: Run) -> Conditions:
    """What a finished run was made with.

    Raises:
        UserError: it has not finished, or its files are damaged.
    """
    run.refuse_imported()
    record = run.record()
    if record.get("status") != "finished":
        raise UserError(
            f"the run has not finished, its status is {record.get('status')}; there is nothing to compare",
            where=str(run.record_file),
            fix="go on with it, or use another run",
        )
    try:
        frames = pd.read_csv(run.frames_file, dtype={"video_id": str}) if run.frames_file.is_file() else None
        diff = run.diff_file.read_text(encoding="utf-8", errors="replace")
        return Conditions.model_validate({**record, "git_diff": diff, "frames": frames})
    except ValidationError as error:
        wrong = [Problem(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors()]
        raise UserError(
            "the record is damaged:", where=str(run.record_file), problems=wrong, fix="use another run"
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(
            f"the run is damaged: {error}", where=str(run.folder), fix="use another run"
        ) from error


def differences(recorded: Conditions, here: Conditions) -> list[Difference]:
    """Everything that differs, what decides most about a result first."""
    return [
        *_config(recorded, here),
        *_data(recorded, here),
        *_code(recorded, here),
        *_hardware(recorded.hardware, here.hardware),
        *_packages(recorded.packages, here.packages),
    ]


def _config(recorded: Conditions, here: Conditions) -> Iterator[Difference]:
    if recorded.seed != here.seed:
        yield Difference("config", "seed", str(recorded.seed), str(here.seed))
    if recorded.config_digest is not None and recorded.config_digest != here.config_digest:
        digests = (_short(recorded.config_digest), _short(here.config_digest))
        yield Difference("config", "file", *digests, "edited since the training")


def _data(recorded: Conditions, here: Conditions) -> Iterator[Difference]:
    before, now = recorded.dataset, here.dataset
    if before.fingerprint != now.fingerprint:
        digests = (_short(before.fingerprint), _short(now.fingerprint))
        yield Difference("data", "table", *digests, "labels, partitions, subjects or names of frames")
    for partition in sorted(before.videos.keys() | now.videos.keys()):
        counts = [str(dataset.videos.get(partition, 0)) for dataset in (before, now)]
        if counts[0] != counts[1]:
            yield Difference("data", f"number of {partition} videos", *counts)
    if recorded.frames is not None and here.frames is not None:
        yield from _frames(recorded.frames, here.frames)


def _frames(recorded: pd.DataFrame, here: pd.DataFrame) -> Iterator[Difference]:
    before, now = ({row["video_id"]: row for row in table.to_dict("records")} for table in (recorded, here))
    for video in [*before, *(video for video in now if video not in before)]:
        told = [_NOTHING, _NOTHING]
        for place, videos in enumerate((before, now)):
            if video in videos:
                row = videos[video]
                unreadable = f", {row['unreadable']} unreadable" if row["unreadable"] else ""
                told[place] = f"{row['frames']} frames{unreadable}, digest {_short(row['digest'])}"
        if told[0] != told[1]:
            yield Difference("data", f"video {video}", told[0], told[1])


def _code(recorded: Conditions, here: Conditions) -> Iterator[Difference]:
    if recorded.git_commit != here.git_commit:
        yield Difference("code", "commit", _short(recorded.git_commit), _short(here.git_commit))
    before, now = _changes(recorded.git_diff), _changes(here.git_diff)
    for file in sorted(before.keys() | now.keys()):
        if before.get(file) != now.get(file):
            told = ["changed" if file in changes else "as committed" for changes in (before, now)]
            if told[0] == told[1]:
                told[1] = "changed in another way"
            yield Difference("code", file, *told)


def _changes(diff: str) -> dict[str, str]:
    """The parts of a diff, by file; without tests and documents, which are no part of a run."""
    parts = re.split(r"^(?:diff --git a/.* b/|untracked: )(.*)\n", diff, flags=re.MULTILINE)
    changes = zip(parts[1::2], parts[2::2], strict=True)
    return {
        file: change for file, change in changes if not file.startswith("tests/") and not file.endswith(".md")
    }


def _hardware(recorded: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Difference]:
    for name, remark in _HARDWARE.items():
        if name in recorded and name in here and recorded[name] != here[name]:
            yield Difference("hardware", name, _told(recorded[name]), _told(here[name]), remark)


def _told(value: Any) -> str:
    return (", ".join(map(str, value)) or _NOTHING) if isinstance(value, list) else str(value)


def _packages(recorded: Mapping[str, str | None], here: Mapping[str, str | None]) -> Iterator[Difference]:
    for name in sorted(recorded.keys() | here.keys()):
        if recorded.get(name) != here.get(name):
            yield Difference("package", name, *(str(each.get(name, _NOTHING)) for each in (recorded, here)))


def _short(digest: str | None) -> str:
    return _NOTHING if digest is None else digest[:_DIGITS]
