"""The corpora AVEC2013 and AVEC2014: labels with folders of frames, or with videos to extract them from."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from depression_vr.data.avec.labels import MAXIMUM, PATTERNS, Label, read_labels
from depression_vr.data.avec.matching import Found, Place, Video, match, match_raw
from depression_vr.data.avec.tree import Tree, walk
from depression_vr.data.manifest import COLUMNS, Corpus, Manifest, build_manifest
from depression_vr.data.naming import (
    AVEC2014_TASKS,
    VIDEO_SUFFIXES,
    partition_of,
    recording_in,
    subject_of,
    task_of,
)
from depression_vr.data.problems import stop_at
from depression_vr.data.videos import RawVideo, preprocess_command
from depression_vr.errors import Problem, UserError


class Avec(Corpus):
    """What AVEC2013 and AVEC2014 have in common.

    Labels are one file per recording (``**/DepressionLabels/203_1_Depression.csv``, also with
    ``Training_`` and so on in front of ``DepressionLabels``), each with one BDI-II score 0..63. Frames
    are folders of images, at any depth below a folder named for the partition (Training, Development,
    Testing, or train, dev, test), whose own name has the recording id as a whole token.
    """

    title: str
    home: str
    frames_pattern: str

    def __init__(self, root: str | Path, image_root: str | Path | None, tasks: Sequence[str]) -> None:
        self.root = Path(str(root)).expanduser().absolute()
        self.image_root = self.root if image_root is None else Path(str(image_root)).expanduser().absolute()
        self.tasks = tuple(tasks)

    @abstractmethod
    def _task(self, parts: Sequence[str]) -> str | None:
        """The task that a path names, if it is one of those asked for."""

    @abstractmethod
    def _video_id(self, recording: str, task: str) -> str:
        """The name of one video."""

    def manifest(self) -> Manifest:
        """Find labels and frames, match them and validate the whole.

        Raises:
            UserError: the corpus is not there; or every label file, folder and video that is wrong.
        """
        tree = walk(self.root)
        image_tree = tree if self.image_root == self.root else walk(self.image_root)
        found = self._found(tree, image_tree)
        self._refuse_what_is_not_there(tree, image_tree, found)
        labels, of_labels = read_labels(tree.labels, self.root)
        videos, of_videos = match(labels, found, self.tasks, self.image_root, self._extraction)
        unreadable = dict.fromkeys((*tree.problems, *image_tree.problems))
        rows = pd.DataFrame([self._row(video) for video in videos], columns=[*COLUMNS, "source"])
        return build_manifest(self.name, rows, maximum=MAXIMUM, found=[*unreadable, *of_labels, *of_videos])

    def raw_videos(self) -> tuple[RawVideo, ...]:
        """Find the video files below ``root``, and their labels where there are any.

        Part of a corpus will do: videos need no label, recordings need not have all tasks, and partitions
        may be missing. Folders of frames do not matter, and ``image_root`` is not searched.

        Returns:
            The videos, ordered by partition, recording and task.

        Raises:
            UserError: there is no video; or every label file, folder and video that is wrong.
        """
        tree = walk(self.root, among_frames=True)
        found = tuple(self._places(tree.videos, tree))
        if not found:
            raise self._no_videos(tree)
        labels, of_labels = read_labels(tree.labels, self.root)
        places, of_videos = match_raw(labels, found, self.tasks)
        stop_at(f"the corpus {self.name}", [*tree.problems, *of_labels, *of_videos], "preprocessed")
        return tuple(self._raw_video(place, labels.get(place.recording)) for place in places)

    def _found(self, tree: Tree, image_tree: Tree) -> Found:
        videos = dict.fromkeys(
            (*self._places(tree.videos, tree), *self._places(image_tree.videos, image_tree))
        )
        return Found(
            frames=tuple(self._places(image_tree.frames, image_tree)),
            bare=tuple(self._places(image_tree.bare, image_tree)),
            videos=tuple(videos),
        )

    def _places(self, paths: Sequence[Path], tree: Tree) -> Iterator[Place]:
        for path in paths:
            parts = path.relative_to(tree.root).parts
            partition, recording, task = partition_of(parts), recording_in(path.name), self._task(parts)
            if partition and recording and task:
                yield Place(path, partition, recording, task)

    def _row(self, video: Video) -> dict[str, object]:
        place = video.frames
        return {
            "video_id": self._video_id(place.recording, place.task),
            "path": str(place.path),
            "label": video.label.score,
            "partition": place.partition,
            "subject": subject_of(place.recording),
            "task": place.task,
            "recording": place.recording,
            "source": str(video.label.path),
        }

    def _raw_video(self, place: Place, label: Label | None) -> RawVideo:
        return RawVideo(
            video_id=self._video_id(place.recording, place.task),
            path=place.path,
            label="" if label is None else str(label.score),
            partition=place.partition,
            subject=subject_of(place.recording),
            task=place.task,
            recording=place.recording,
        )

    def _refuse_what_is_not_there(self, tree: Tree, image_tree: Tree, found: Found) -> None:
        """One error for labels or frames that are missing altogether, instead of one per recording."""
        problems = [*dict.fromkeys((*tree.problems, *image_tree.problems))]
        if not tree.labels:
            problems.append(Problem(str(self.root), f"no label file {' or '.join(PATTERNS)}"))
        if not found.frames:
            problems.append(Problem(str(self.image_root), f"no folder of images {self.frames_pattern}"))
        if not found.frames and found.videos:
            raise self._not_extracted(found.videos, problems)
        if not (tree.labels and found.frames):
            raise self._not_there(problems, labels=bool(tree.labels), frames=bool(found.frames))

    def _not_extracted(self, videos: Sequence[Place], problems: Sequence[Problem]) -> UserError:
        return UserError(
            f"{self.title} has {len(videos)} videos here, but none of their frames have been extracted",
            where=str(videos[0].path.parent),
            problems=problems,
            fix=f"{self._extraction(videos[0])}; frames of another program are found as folders "
            f"{self.frames_pattern}",
        )

    def _extraction(self, video: Place) -> str:
        """How to get the frames of a video: the command that writes them, and the key that finds them."""
        below_root = video.path.is_relative_to(self.root)
        # where an interrupted extraction has written already
        faces = str(self.image_root) if below_root and self.image_root != self.root else "FACES"
        root = self.root if below_root else self.image_root
        command = preprocess_command(f"data={self.name}", f"data.root={root}", f"out={faces}")
        found_there = "" if faces != "FACES" else " and set data.image_root=FACES"
        return f"extract them with `{command}`{found_there}"

    def _no_videos(self, tree: Tree) -> UserError:
        pattern = self.frames_pattern.removesuffix("/")
        what = f"no video file {pattern} ({', '.join(VIDEO_SUFFIXES)})"
        problems = [*tree.problems, Problem(str(self.root), what)]
        frames = list(self._places(tree.frames, tree))
        if frames:
            what = f"has folders of frames, such as {frames[0].path}, but no raw videos"
            problems.append(Problem(str(self.root), what))
        return UserError(
            f"{self.title}: its raw videos are not where the configuration says",
            where="config key data.root, the only folder that is searched for raw videos",
            problems=problems,
            fix=f"set data.root to your copy of {self.title}. {self._licence()} `python -m "
            "depression_vr.synthesize layout=avec2014 out=FOLDER` writes synthetic videos for data=avec2014",
        )

    def _not_there(self, problems: Sequence[Problem], *, labels: bool, frames: bool) -> UserError:
        missing = "its frames are" if labels else "its labels are" if frames else "the corpus is"
        return UserError(
            f"{self.title}: {missing} not where the configuration says",
            where=f"config key {'data.image_root (by default data.root)' if labels else 'data.root'}",
            problems=problems,
            fix=f"set data.root to your copy of {self.title}, and data.image_root to its frames where they "
            f"lie elsewhere. {self._licence()} data=synthetic runs without it",
        )

    def _licence(self) -> str:
        return (
            f"The corpus is under licence: sign the end user licence agreement at {self.home} to obtain it."
        )


class Avec2014(Avec):
    """AVEC2014: two tasks per recording, 150 recordings in three partitions.

    Args:
        root: the folder that holds the label files and raw videos, at any depth.
        image_root: the folder below which the folders of frames lie,
            ``**/{Training,Development,Testing}/**/{Freeform,Northwind}/**/*203_1*/``; by default ``root``.
        tasks: the tasks to use, of Freeform and Northwind, in any case.
    """

    name = "avec2014"
    title = "AVEC2014"
    home = "http://avec2014-db.sspnet.eu/"
    frames_pattern = "**/{Training,Development,Testing}/**/{Freeform,Northwind}/**/*203_1*/"

    def __init__(
        self,
        root: str | Path,
        image_root: str | Path | None = None,
        tasks: Sequence[str] = AVEC2014_TASKS,
    ) -> None:
        asked = [task.lower() for task in tasks]
        known = [task.lower() for task in AVEC2014_TASKS]
        # In the corpus's own spelling and order, so that neither changes the rows.
        super().__init__(root, image_root, [task for task in AVEC2014_TASKS if task.lower() in asked])
        self._unknown_tasks = [task for task in asked if task not in known]

    def manifest(self) -> Manifest:
        """Find labels and frames, match them and validate the whole.

        Raises:
            UserError: a task is unknown; the corpus is not there; or every label file, folder and video
                that is wrong.
        """
        self._refuse_tasks()
        return super().manifest()

    def raw_videos(self) -> tuple[RawVideo, ...]:
        """Find the video files of the tasks asked for, and their labels where there are any.

        Raises:
            UserError: a task is unknown; there is no video; or every label file, folder and video that is
                wrong.
        """
        self._refuse_tasks()
        return super().raw_videos()

    def _refuse_tasks(self) -> None:
        if self._unknown_tasks or not self.tasks:
            unknown = ", ".join(self._unknown_tasks)
            raise UserError(
                f"{self.title} has no task {unknown}" if unknown else "no task is asked for",
                where="config key data.tasks",
                fix=f"name one or both of {', '.join(AVEC2014_TASKS)}, such as data.tasks=[Freeform]",
            )

    def _task(self, parts: Sequence[str]) -> str | None:
        return task_of(parts, self.tasks)

    def _video_id(self, recording: str, task: str) -> str:
        return f"{recording}_{task}"


class Avec2013(Avec):
    """AVEC2013: one video of 20 to 50 minutes per recording, 150 recordings in three partitions.

    The task is called ``Combined``, after the release's ``203_1_cut_combined``: one video holds all that
    a session consisted of.

    Args:
        root: the folder that holds the label files and raw videos, at any depth.
        image_root: the folder below which the folders of frames lie,
            ``**/{Training,Development,Testing}/**/*203_1*/``; by default ``root``.
    """

    name = "avec2013"
    title = "AVEC2013"
    home = "http://avec2013-db.sspnet.eu/"
    frames_pattern = "**/{Training,Development,Testing}/**/*203_1*/"

    def __init__(self, root: str | Path, image_root: str | Path | None = None) -> None:
        super().__init__(root, image_root, ("Combined",))

    def _task(self, parts: Sequence[str]) -> str | None:
        return self.tasks[0]

    def _video_id(self, recording: str, task: str) -> str:
        return recording
