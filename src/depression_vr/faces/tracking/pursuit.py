"""Who is who from frame to frame: faces that were searched for are met again and followed in between."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from depression_vr.faces.landmarks import LandmarkDetector
from depression_vr.faces.tracking.pictures import THUMBNAIL_SIDE, Group, Picture
from depression_vr.faces.tracking.track_table import FrameFaces, Sighting
from depression_vr.faces.tracking.tracks import Track, Tracks, distance, is_near, overlap, pair
from depression_vr.faces.video import VideoFrame

_NOBODY = -1
_SAME_FACE = 0.5  # overlap of two boxes in one frame from which on they hold one face


class Pursuit:
    """The state of following all faces of one video.

    Args:
        backend: finds faces and landmarks.
        min_likeness: as of `FaceTracking`, and so are the other two.
        min_overlap: see there.
        unseen_limit: see there.
    """

    def __init__(
        self, backend: LandmarkDetector, *, min_likeness: float, min_overlap: float, unseen_limit: float
    ) -> None:
        self.backend = backend
        self.min_likeness = min_likeness
        self.min_overlap = min_overlap
        self.unseen_limit = unseen_limit
        self.tracks = Tracks()
        self.faces = 0

    def follow(self, groups: Sequence[Sequence[VideoFrame]]) -> Iterator[FrameFaces]:
        """Go on by some groups of frames, the last frame of each being searched."""
        pictures = [[Picture(frame, frame.rgb()) for frame in group] for group in groups]
        candidates = self._search([group[-1] for group in pictures])
        for group_pictures, found in zip(pictures, candidates, strict=True):
            group = Group(group_pictures, found)
            self._identify(group)
            for frame in group.frames(self.faces):
                yield frame
                self.faces = frame.faces

    def _identify(self, group: Group) -> None:
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
        pairs = pair([track.last.box for track in tracks], [face.box for face in unknown], self.min_overlap)
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
        return Track(
            number, face, 0.0, 0.0, thumbnail=np.zeros((THUMBNAIL_SIDE, THUMBNAIL_SIDE)), sightings=0
        )

    def _meet(self, track: Track, face: Sighting, group: Group) -> None:
        """A track's person was detected in the searched frame."""
        track.last = replace(face, track=track.number)
        track.seen_at = track.detected_at = group.key.frame.time
        track.thumbnail = group.key.thumbnail(face.landmarks)
        track.sightings += 1
        group.sightings[-1][track.number] = track.last

    def _bridge(self, track: Track, start: Sighting, thumbnail: np.ndarray, group: Group) -> None:
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
            if likeness >= self.min_likeness:
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

    def _walk(self, track: Track, group: Group, places: range) -> tuple[Track, bool]:
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
                likeness >= self.min_likeness
                and unseen <= self.unseen_limit
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

    def _belongs_to_another(self, face: Sighting, group: Group, place: int, number: int) -> bool:
        others = [seen.box for other, seen in group.sightings[place].items() if other != number]
        return bool(pair([face.box], others, _SAME_FACE))

    def _detected_near(
        self, number: int, boxes: Sequence[tuple[np.ndarray, float]], group: Group, place: int
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
                overlap(face.box, box) >= self.min_overlap or is_near(face.box, box, seconds)
                for box, seconds in boxes
            )
        ]
        if not faces:
            return None
        nearest = min(faces, key=lambda face: min(distance(face.box, box) for box, _ in boxes))
        seen = replace(nearest, track=number)
        group.sightings[place][number] = seen
        return seen

    def _search_places(self, group: Group, places: Sequence[int]) -> None:
        pictures = [*group.between, group.key]
        places = [place for place in places if place not in group.searched]
        found = self._search([pictures[place] for place in places])
        group.searched.update(zip(places, found, strict=True))

    def _search(self, pictures: Sequence[Picture]) -> list[list[Sighting]]:
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

    def _landmarks(self, pictures: Sequence[Picture], boxes: np.ndarray) -> list[Sighting]:
        if not pictures:
            return []
        landmarks, confidence = self.backend.landmarks([picture.rgb for picture in pictures], boxes)
        around = self.backend.box_around(landmarks)
        return [
            Sighting(_NOBODY, False, math.nan, float(sure), box, points)
            for points, sure, box in zip(landmarks, confidence, around, strict=True)
        ]
