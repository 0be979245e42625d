"""One walk through a copy of AVEC: where its labels, folders of frames and videos lie."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from depression_vr.data.avec.labels import is_label_file
from depression_vr.data.frames import IMAGE_SUFFIXES
from depression_vr.data.naming import VIDEO_SUFFIXES, partition_of, recording_in
from depression_vr.errors import Problem


@dataclass
class Tree:
    """What lies below a folder.

    Attributes:
        root: the folder, absolute.
        labels: label files.
        frames: folders named like a video (below a partition, with a recording id) that hold an image.
        bare: folders named like a video that directly hold no image.
        videos: video files named like a video.
        problems: folders that cannot be read.
    """

    root: Path
    labels: list[Path] = field(default_factory=list)
    frames: list[Path] = field(default_factory=list)
    bare: list[Path] = field(default_factory=list)
    videos: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def walk(root: Path) -> Tree:
    """Look through everything below ``root``, symbolic links included, in the order of names.

    A folder of frames is left at the first image seen, so that its 90,000 entries are not read here.
    A root that is no folder gives an empty tree with one problem.
    """
    tree = Tree(root)
    _visit(root, tree, frozenset())
    return tree


def _visit(folder: Path, tree: Tree, above: frozenset[tuple[int, int]]) -> None:
    try:
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:  # a symbolic link to a folder that we are in
            return
        with os.scandir(folder) as entries:
            subfolders = _read(folder, entries, tree)
    except OSError as error:
        tree.problems.append(Problem(str(folder), f"the folder cannot be read ({error.strerror})"))
        return
    for subfolder in sorted(subfolders):
        _visit(subfolder, tree, above | {identity})


def _read(folder: Path, entries: Iterator[os.DirEntry[str]], tree: Tree) -> list[Path]:
    """Sort the entries of one folder into the tree and return the folders to visit."""
    may_hold_frames = _named_like_a_video(folder, tree.root)
    subfolders = []
    for entry in entries:
        path = folder / entry.name
        suffix = path.suffix.lower()
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            subfolders.append(path)
        elif suffix in IMAGE_SUFFIXES and may_hold_frames:
            tree.frames.append(folder)
            return []
        elif suffix in VIDEO_SUFFIXES and _named_like_a_video(path, tree.root):
            tree.videos.append(path)
        elif is_label_file(path):
            tree.labels.append(path)
    if may_hold_frames:
        tree.bare.append(folder)
    return subfolders


def _named_like_a_video(path: Path, root: Path) -> bool:
    return recording_in(path.name) is not None and partition_of(path.relative_to(root).parts) is not None
