"""The synthetic corpus: a real face, animated, whose behaviour is driven by a known score."""

import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import cv2
import pandas as pd

from depression_vr.data.manifest import Corpus, Manifest, build_manifest
from depression_vr.data.naming import AVEC2014_TASKS as TASKS
from depression_vr.data.synthetic.people import BEHAVIOURS, Recording
from depression_vr.data.synthetic.portrait import Bytes
from depression_vr.data.synthetic.probes import motion_statistics, probe_scores
from depression_vr.data.synthetic.render import TIGHT
from depression_vr.data.synthetic.settings import DEFAULT_RECORDINGS, Settings
from depression_vr.errors import UserError
from depression_vr.files import write_csv
from depression_vr.parallel import Bar, Tick, do_all

_TABLE = "videos.csv"
_JPEG_QUALITY = 95
_ABANDONED_AFTER = 6 * 3600.0


class SyntheticCorpus(Corpus):
    """Animated videos of one face in many guises, generated once and kept on disk.

    Frames lie as JPEG files in ``<root>/<fingerprint>/frames/<video_id>/``; beside them ``videos.csv`` says
    what the generator knows of each video: its score, the oracle's score and the level of every behaviour.

    Args:
        root: folder for the generated corpora, made if it is not there.
        recordings: recordings per partition; each has two videos, one per task.
        frames: per video.
        frame_rate: frames per second.
        size: side of a frame in pixels.
        seed: people, behaviour and noise are a function of it.
        workers: processes that generate; None for one per core. No pixel depends on it.

    Raises:
        UserError: a setting makes no sense.
    """

    name = "synthetic"

    def __init__(
        self,
        root: Path | str,
        recordings: Mapping[str, int] = DEFAULT_RECORDINGS,
        frames: int = 32,
        frame_rate: float = 10.0,
        size: int = 64,
        seed: int = 0,
        workers: int | None = None,
    ) -> None:
        self.root = Path(root).expanduser().absolute()
        self.settings = Settings(dict(recordings), frames, frame_rate, size, seed)
        self.workers = workers

    @property
    def folder(self) -> Path:
        """Where these settings' frames and ``videos.csv`` lie once they are complete."""
        return self.root / self.settings.fingerprint()

    def manifest(self) -> Manifest:
        """The corpus's table; generates what is not on disk yet, with a progress bar.

        Raises:
            UserError: the root cannot be written, or generated frames have been removed since.
        """
        if not self.folder.is_dir():
            self._generate()
        known = self._known()
        rows = known[["video_id", "partition", "subject", "task", "recording"]].assign(
            path=[str(self.folder / "frames" / video_id) for video_id in known["video_id"]],
            label=known["score"],
            source=[f"{self.folder / _TABLE} row {row + 2}" for row in range(len(known))],
        )
        return build_manifest(self.name, rows)

    def references(self, manifest: Manifest, partition: str) -> pd.DataFrame:
        """The motion probe, read from the frames, and the oracle, which knows the behaviour.

        Returns:
            One row per video of the partition: ``video_id``, ``motion_probe``, ``oracle``, scores 0..63.
        """
        references = super().references(manifest, partition)
        oracle = self._known().set_index("video_id")["oracle_score"]
        motion = probe_scores(manifest, manifest.rows(partition), motion_statistics)
        return references.assign(motion_probe=motion, oracle=oracle.loc[references["video_id"]].to_numpy())

    def _known(self) -> pd.DataFrame:
        try:
            names = dict.fromkeys(("subject", "recording", "video_id"), str)
            return pd.read_csv(self.folder / _TABLE, dtype=names)
        except FileNotFoundError as error:
            raise UserError(
                f"the synthetic corpus has lost its {_TABLE}",
                where=str(self.folder),
                fix="remove this folder; the corpus is then made again",
            ) from error

    def _generate(self) -> None:
        # Complete folders appear under their name in one step, so a killed generation leaves none behind.
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(self.root)
            partial_folder = Path(tempfile.mkdtemp(prefix=f".partial-{self.folder.name}-", dir=self.root))
        except OSError as error:
            raise UserError(
                f"the synthetic corpus cannot be written: {error.strerror}",
                where=str(self.root),
                fix="name a folder that can be written with data.root",
            ) from error
        try:
            self._fill(partial_folder)
            self._publish(partial_folder)
        finally:
            shutil.rmtree(partial_folder, ignore_errors=True)

    def _fill(self, folder: Path) -> None:
        people = self.settings.people()
        do_all(
            partial(_write_recording, folder / "frames", self.settings),
            people,
            workers=self.workers,
            ticks=Bar("Synthetic corpus", "videos", len(people) * len(TASKS)),
        )
        _write_table(folder / _TABLE, people)
        (folder / "settings.json").write_text(json.dumps(self.settings.as_dict(), indent=2) + "\n")

    def _publish(self, folder: Path) -> None:
        folder.chmod(0o755)
        try:
            folder.rename(self.folder)
        except OSError:
            # Another process was faster with the same corpus: its pixels are the same.
            if not self.folder.is_dir():
                raise


def _remove_abandoned(root: Path) -> None:
    """Remove what killed generations left; a generation that still runs is much younger."""
    for folder in root.glob(".partial-*"):
        if time.time() - folder.stat().st_mtime > _ABANDONED_AFTER:
            shutil.rmtree(folder, ignore_errors=True)


def _write_recording(frames_folder: Path, settings: Settings, recording: Recording, tick: Tick) -> None:
    for task in TASKS:
        folder = frames_folder / f"{recording.name}_{task}"
        folder.mkdir(parents=True)
        for number, frame in enumerate(settings.film(recording, task, TIGHT)):
            _write_jpeg(folder / f"{number:06d}.jpg", frame)
        tick()


def _write_jpeg(path: Path, rgb: Bytes) -> None:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    path.write_bytes(encoded.tobytes())


def _write_table(path: Path, people: list[Recording]) -> None:
    told = ("video_id", "recording", "subject", "task", "partition", "score", "oracle_score")
    rows = [
        (
            f"{recording.name}_{task}", recording.name, recording.subject, task, recording.partition,
            recording.score, f"{recording.oracle_score:.4f}", *(f"{level:.6f}" for level in recording.levels),
        )
        for recording in people
        for task in TASKS
    ]  # fmt: skip
    columns = [*told, *(f"level_{behaviour}" for behaviour in BEHAVIOURS)]
    write_csv(path, pd.DataFrame(rows, columns=columns))
