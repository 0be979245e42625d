"""Follow every face through a video: a search now and then, landmarks in every frame."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
from pydantic import ConfigDict, Field, PositiveInt, validate_call

from depression_vr.data.videos import RawVideo
from depression_vr.faces.aligning.alignment import align, to_template
from depression_vr.faces.landmarks import LandmarkDetector
from depression_vr.faces.tracking.track_table import FrameFaces, Sighting
from depression_vr.faces.tracking.tracks import Track, Tracks, distance, is_near, overlap, pair
from depression_vr.faces.video import VideoFrame

_NOBODY = -1
_SAME_FACE = 0.5  # overlap of two boxes in one frame from which on they hold one face
_THUMBNAIL = 32

Share = Annotated[float, Field(ge=0, le=1)]


class FaceTracking:
    """Finds faces in every n-th frame and follows them in between.

    Between two searched frames that show the same face its box is interpolated and its landmarks are found
    in it. A face that a search has missed is followed from frame to frame while it looks as it did. Where
    a followed face does not look like itself in the searched frame, that frame is searched too.

    Args:
        backend: finds faces and landmarks.
        every: search each so many frames; 1 searches all.
        every_seconds: search again after so many seconds at the latest, however few frames they have.
        min_likeness: the correlation (-1..1) of a followed face with itself in the searched frame from which
            on it is believed.
        min_overlap: the overlap (intersection over union, 0..1) of two boxes from which on they are one
            person's.
        unseen_limit: how many seconds a face is followed that the detector does not find.
        batch_frames: about so many frames are in memory, and go to the detector together.
    """

    CHANGES_NO_FRAME = ("batch_frames",)

    @validate_call(config=ConfigDict(arbitrary_types_allowed=True))
    def __init__(
        self,
        backend: LandmarkDetector,
        every: PositiveInt = 10,
        every_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.5,
        min_likeness: Annotated[float, Field(ge=-1, le=1)] = 0.7,
        min_overlap: Share = 0.2,
        unseen_limit: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0,
        batch_frames: PositiveInt = 16,
    ) -> None:
        self.backend = backend
        self.every = every
        self.every_seconds = every_seconds
        self.min_likeness = min_likeness
        self.min_overlap = min_overlap
        self.unseen_limit = unseen_limit
        self.batch_frames = batch_frames

    def prepare(self) -> None:
        """Make sure that packages and weights are there.

        Raises:
            UserError: what is missing, where it belongs, and what works without it.
        """
        self.backend.prepare()

    def processes(self) -> int:
        """As many as the backend gains by."""
        return self.backend.processes()

    def files(self, video: RawVideo) -> tuple[Path, ...]:
        """What is read beside the video: nothing."""
        return ()

    def track(self, frames: Iterable[VideoFrame], video: RawVideo) -> Iterator[FrameFaces]:
        """Follow all faces; yields every frame, in order."""
        pursuit = _Pursuit(self)
        groups: list[list[VideoFrame]] = []
        for group in self._groups(frames):
            groups.append(group)
            if sum(map(len, groups)) >= self.batch_frames:
                yield from pursuit.follow(groups)
                groups = []
        yield from pursuit.follow(groups)

    def _groups(self, frames: Iterable[VideoFrame]) -> Iterator[list[VideoFrame]]:
        """Consecutive frames of which the last is to be searched; the first frame is a group by itself."""
        group: list[VideoFrame] = []
        searched = -math.inf
        for frame in frames:
            group.append(frame)
            if len(group) == self.every or frame.time - searched >= self.every_seconds:
                yield group
                searched, group = frame.time, []
        if group:
            yield group


@dataclass(frozen=True)
class _Picture:
    """A frame with its pixels."""

    frame: VideoFrame
    rgb: np.ndarray

    @cached_property
    def gray(self) -> np.ndarray:
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY)

    def thumbnail(self, landmarks: np.ndarray) -> np.ndarray:
        """The aligned face, small, with mean 0 and norm 1, so that two are compared by their product."""
        face = align(self.gray, to_template(landmarks, _THUMBNAIL), _THUMBNAIL).astype(np.float32)
        face -= face.mean()
        return face / max(float(np.linalg.norm(face)), 1e-6)


class _Group:
    """Consecutive frames of which the last is searched, and what is found in them."""

    def __init__(self, pictures: list[_Picture], candidates: list[Sighting]) -> None:
        self.between = pictures[:-1]
        self.key = pictures[-1]
        self.searched: dict[int, list[Sighting]] = {len(self.between): candidates}
        self.sightings: list[dict[int, Sighting]] = [{} for _ in pictures]

    def frames(self, faces_before: int) -> Iterator[FrameFaces]:
        faces = faces_before
        for place, picture in enumerate((*self.between, self.key)):
            if place in self.searched:
                faces = len(self.searched[place])
            seen = tuple(self.sightings[place].values())
            frame = picture.frame
            yield FrameFaces(frame.number, frame.source, frame.time, max(faces, len(seen)), seen)


class _Pursuit:
    """The state of following all faces of one video."""

    def __init__(self, settings: FaceTracking) -> None:
        self.settings = settings
        self.backend = settings.backend
        self.tracks = Tracks()
        self.faces = 0

    def follow(self, groups: Sequence[Sequence[VideoFrame]]) -> Iterator[FrameFaces]:
        """Go on by some groups of frames, the last frame of each being searched."""
        pictures = [[_Picture(frame, frame.rgb()) for frame in group] for group in groups]
        candidates = self._search([group[-1] for group in pictures])
        for group_pictures, found in zip(pictures, candidates, strict=True):
            group = _Group(group_pictures, found)
            self._identify(group)
            for frame in group.frames(self.faces):
                yield frame
                self.faces = frame.faces

    def _identify(self, group: _Group) -> None:
        """Say who the faces of the searched frame are, and follow everyone through the frames before it."""
        unknown = list(group.searched[len(group.between)])
        before = {track.number: (track.last, track.thumbnail) for track in self.tracks.visible}
        visible: list[Track] = []
        for track, face in self._same(self.tracks.visible, unknown):
            self._meet(track, face, group)
            self._bridge(track, *before[track.number], group)
            visible.append(track)
        for track in self.tracks.visible:
            if track in visible:
                continue
            walker, arrived = self._walk(track, group, range(len(group.sightings)))
            track.go_on_as(walker)
            if arrived:
                for same, face in self._same([track], unknown):
                    self._meet(same, face, group)
                visible.append(track)
        self.tracks.settle(visible)
        for face in unknown:
            if self._belongs_to_another(face, group, place=-1, number=_NOBODY):
                continue
            track = self._known_again(face, group.key.frame.time) or self._new(face)
            self._meet(track, face, group)
            self._walk(track, group, range(len(group.between) - 1, -1, -1))
            self.tracks.visible.append(track)

    def _same(self, tracks: Sequence[Track], unknown: list[Sighting]) -> list[tuple[Track, Sighting]]:
        """Tracks and the faces that continue them, which are known from then on."""
        pairs = pair(
            [track.last.box for track in tracks], [face.box for face in unknown], self.settings.min_overlap
        )
        same = [(tracks[row], unknown[column]) for row, column in pairs]
        unknown[:] = [face for face in unknown if all(face is not known for _, known in same)]
        return same

    def _known_again(self, face: Sighting, time: float) -> Track | None:
        near = [
            track
            for track in self.tracks.remembered
            if is_near(face.box, track.last.box, time - track.seen_at)
        ]
        if not near:
            return None
        track = max(near, key=lambda track: track.sightings)
        self.tracks.remembered.remove(track)
        return track

    def _new(self, face: Sighting) -> Track:
        number = self.tracks.begin()
        return Track(number, face, 0.0, 0.0, thumbnail=np.zeros((_THUMBNAIL, _THUMBNAIL)), sightings=0)

    def _meet(self, track: Track, face: Sighting, group: _Group) -> None:
        """A track's person was detected in the searched frame."""
        track.last = replace(face, track=track.number)
        track.seen_at = track.detected_at = group.key.frame.time
        track.thumbnail = group.key.thumbnail(face.landmarks)
        track.sightings += 1
        group.sightings[-1][track.number] = track.last

    def _bridge(self, track: Track, start: Sighting, thumbnail: np.ndarray, group: _Group) -> None:
        """Landmarks between two searched frames, in boxes between theirs."""
        if not group.between:
            return
        shares = np.arange(1, len(group.between) + 1)[:, None] / (len(group.between) + 1)
        boxes = (1 - shares) * start.box + shares * track.last.box
        found = self._landmarks(group.between, boxes)
        doubted = []
        for place, (picture, sighting) in enumerate(zip(group.between, found, strict=True)):
            face = picture.thumbnail(sighting.landmarks)
            likeness = max(float((face * thumbnail).sum()), float((face * track.thumbnail).sum()))
            if likeness >= self.settings.min_likeness:
                group.sightings[place][track.number] = replace(sighting, track=track.number, score=likeness)
            else:
                doubted.append(place)
        self._search_places(group, doubted)
        for place in doubted:
            now = group.between[place].frame.time
            own = [
                (seen[track.number].box, abs(picture.frame.time - now))
                for picture, seen in zip((*group.between, group.key), group.sightings, strict=True)
                if track.number in seen
            ]
            self._detected_near(track.number, [(boxes[place], 0.0), *own], group, place)

    def _walk(self, track: Track, group: _Group, places: range) -> tuple[Track, bool]:
        """Follow from frame to frame while the face looks as at its last detection.

        Returns:
            The track as it is at the end of the way, and whether that is the last place.
        """
        pictures = [*group.between, group.key]
        walker = replace(track)
        for place in places:
            if track.number in group.sightings[place]:
                return walker, False
            picture = pictures[place]
            sighting = self._landmarks([picture], walker.last.box[None])[0]
            likeness = float((picture.thumbnail(sighting.landmarks) * walker.thumbnail).sum())
            unseen = abs(picture.frame.time - walker.detected_at)
            if (
                likeness >= self.settings.min_likeness
                and unseen <= self.settings.unseen_limit
                and not self._belongs_to_another(sighting, group, place, track.number)
            ):
                walker.last = replace(sighting, track=track.number, score=likeness)
                walker.seen_at = picture.frame.time
                group.sightings[place][track.number] = walker.last
                continue
            self._search_places(group, [place])
            ago = abs(picture.frame.time - walker.seen_at)
            seen = self._detected_near(track.number, [(walker.last.box, ago)], group, place)
            if seen is None:
                return walker, False
            walker.last = seen
            walker.seen_at = walker.detected_at = picture.frame.time
            walker.thumbnail = picture.thumbnail(seen.landmarks)
        return walker, True

    def _belongs_to_another(self, face: Sighting, group: _Group, place: int, number: int) -> bool:
        others = [seen.box for other, seen in group.sightings[place].items() if other != number]
        return bool(pair([face.box], others, _SAME_FACE))

    def _detected_near(
        self, number: int, boxes: Sequence[tuple[np.ndarray, float]], group: _Group, place: int
    ) -> Sighting | None:
        """The detected face that continues a track in a frame that was searched since following failed.

        Args:
            number: of the track.
            boxes: where the face was, or should be, and how many seconds before or after.
            group: the frames.
            place: of the frame among them.
        """
        faces = [
            face
            for face in group.searched[place]
            if not self._belongs_to_another(face, group, place, number)
            and any(
                overlap(face.box, box) >= self.settings.min_overlap or is_near(face.box, box, seconds)
                for box, seconds in boxes
            )
        ]
        if not faces:
            return None
        nearest = min(faces, key=lambda face: min(distance(face.box, box) for box, _ in boxes))
        seen = replace(nearest, track=number)
        group.sightings[place][number] = seen
        return seen

    def _search_places(self, group: _Group, places: Sequence[int]) -> None:
        pictures = [*group.between, group.key]
        places = [place for place in places if place not in group.searched]
        found = self._search([pictures[place] for place in places])
        group.searched.update(zip(places, found, strict=True))

    def _search(self, pictures: Sequence[_Picture]) -> list[list[Sighting]]:
        """The faces of each picture, with landmarks, not yet known whose."""
        if not pictures:
            return []
        faces = self.backend.detect([picture.rgb for picture in pictures])
        of_picture = [picture for picture, found in zip(pictures, faces, strict=True) for _ in found]
        flat = [face for found in faces for face in found]
        boxes = np.array([face.box for face in flat]).reshape(-1, 4)
        sightings = iter(
            replace(sighting, detected=True, score=face.score)
            for sighting, face in zip(self._landmarks(of_picture, boxes), flat, strict=True)
        )
        return [[next(sightings) for _ in found] for found in faces]

    def _landmarks(self, pictures: Sequence[_Picture], boxes: np.ndarray) -> list[Sighting]:
        if not pictures:
            return []
        landmarks, confidence = self.backend.landmarks([picture.rgb for picture in pictures], boxes)
        around = self.backend.box_around(landmarks)
        return [
            Sighting(_NOBODY, False, math.nan, float(sure), box, points)
            for points, sure, box in zip(landmarks, confidence, around, strict=True)
        ]
