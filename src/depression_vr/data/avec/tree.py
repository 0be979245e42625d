"""One walk through a copy of AVEC: where its labels, folders of frames and videos lie."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from depression_vr.data.avec.labels import is_label_file
from depression_vr.data.frames import IMAGE_SUFFIXES
from depression_vr.data.naming import VIDEO_SUFFIXES, partition_of, recording_in
from depression_vr.data.packed import ARCHIVE
from depression_vr.errors import Problem


@dataclass
class Tree:
    """What lies below a folder.

    Attributes:
        root: the folder, absolute.
        labels: label files.
        frames: folders named like a video (below a partition, with a recording id) that hold an image, or
            an archive of images.
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


def walk(root: Path, *, among_frames: bool = False) -> Tree:
    """Look through everything below ``root``, symbolic links included, in the order of names.

    A root that is no folder gives an empty tree with one problem. Nothing below a folder of frames counts.

    Args:
        root: absolute.
        among_frames: find the videos that lie in a folder of frames too. Otherwise it is left at the
            first image seen, so that its 90,000 entries are not read here.
    """
    tree = Tree(root)
    _visit(root, tree, among_frames, frozenset())
    return tree


def _visit(folder: Path, tree: Tree, among_frames: bool, above: frozenset[tuple[int, int]]) -> None:
    try:
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:  # a symbolic link to a folder that we are in
            return
        with os.scandir(folder) as entries:
            subfolders = _read(folder, entries, tree, among_frames)
    except OSError as error:
        tree.problems.append(Problem(str(folder), f"the folder cannot be read ({error.strerror})"))
        return
    for subfolder in sorted(subfolders):
        _visit(subfolder, tree, among_frames, above | {identity})


def _read(folder: Path, entries: Iterator[os.DirEntry[str]], tree: Tree, among_frames: bool) -> list[Path]:
    """Sort the entries of one folder into the tree and return the folders to visit."""
    may_hold_frames = _named_like_a_video(folder, tree.root)
    holds_frames = False
    subfolders = []
    for entry in entries:
        name = entry.name.lower()
        if name.startswith("."):
            continue
        if entry.is_dir():
            subfolders.append(folder / entry.name)
        elif (name.endswith(IMAGE_SUFFIXES) or name == ARCHIVE) and may_hold_frames:
            holds_frames = True
            if not among_frames:
                break
        elif name.endswith(VIDEO_SUFFIXES) and _named_like_a_video(folder / entry.name, tree.root):
            tree.videos.append(folder / entry.name)
        elif is_label_file(folder / entry.name):
            tree.labels.append(folder / entry.name)
    if holds_frames:
        tree.frames.append(folder)
        return []
    if may_hold_frames:
        tree.bare.append(folder)
    return subfolders


def _named_like_a_video(path: Path, root: Path) -> bool:
    return recording_in(path.name) is not None and partition_of(path.relative_to(root).parts) is not None
