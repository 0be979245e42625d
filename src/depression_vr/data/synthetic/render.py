"""From identity and behaviour tracks to frames: warp the photo, put it before a room, light it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from depression_vr.data.synthetic import shapes
from depression_vr.data.synthetic.behaviour import Tracks
from depression_vr.data.synthetic.features import move_lids, move_lips
from depression_vr.data.synthetic.people import Identity
from depression_vr.data.synthetic.portrait import FACE_CENTRE, NECK, Bytes, Floats, portrait

_INSIDE_MOUTH = np.array([46.0, 16.0, 18.0], np.float32)


@dataclass(frozen=True)
class Framing:
    """Which part of the photo a frame shows: a square of ``width`` photo pixels around ``centre``."""

    centre: tuple[float, float]
    width: float


TIGHT = Framing((226.0, 129.0), 104.0)
HEAD_AND_SHOULDERS = Framing((226.0, 120.0), 206.0)


def render_frames(
    identity: Identity, tracks: Tracks, framing: Framing, size: int, rng: np.random.Generator
) -> Iterator[Bytes]:
    """Render the frames of a video one after the other.

    Args:
        identity: person and room.
        tracks: the behaviour, one value per frame.
        framing: the part of the photo to show.
        size: side of a frame in pixels.
        rng: for the sensor's noise.

    Yields:
        RGB frames ``(size, size, 3)``, uint8 0..255.
    """
    # Small frames show fewer pixels than the photo has: render larger, then average, so nothing flickers.
    oversampling = 2 if size < framing.width else 1
    renderer = _Renderer(identity, framing, size * oversampling)
    for frame in range(len(tracks)):
        scene = renderer.scene(tracks, frame)
        if oversampling > 1:
            scene = np.asarray(cv2.resize(scene, (size, size), interpolation=cv2.INTER_AREA), np.float32)
        scene += identity.noise * rng.standard_normal(scene.shape, np.float32)
        yield np.clip(scene + 0.5, 0, 255).astype(np.uint8)


class _Renderer:
    """Everything about a person that is the same in all frames, computed once."""

    def __init__(self, identity: Identity, framing: Framing, side: int) -> None:
        self.identity = identity
        self.scale = framing.width / (side * identity.scale)
        self.grid_x, self.grid_y = _grid(framing, side, identity.scale)
        self.grid_x = self.grid_x - np.float32(identity.offset[0])
        self.grid_y = self.grid_y - np.float32(identity.offset[1])
        self.photo = _coloured_photo(identity)
        self.face = _weighted_sum(shapes.identity_fields(), identity.shape)
        self.light = _light(identity, side)
        self.room = cv2.resize(
            identity.background.astype(np.float32), (2 * side, 2 * side), interpolation=cv2.INTER_CUBIC
        )
        self.side = side

    def scene(self, tracks: Tracks, frame: int) -> Floats:
        """One frame before the sensor: RGB ``(side, side, 3)``, float32, about 0..255."""
        x, y = self._turned_head(tracks, frame)
        x, y = self._expressed(x, y, tracks, frame)
        x, y = move_lids(x, y, float(tracks.lid[frame]), tracks.gaze[frame])
        sober = float(np.clip(1 - tracks.smile[frame], 0, 1))
        x, y, hollow = move_lips(x, y, sober, float(tracks.opening[frame]))
        painted = cv2.remap(self.photo, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        person, alpha = painted[..., :3].astype(np.float32), painted[..., 3:].astype(np.float32) / 255
        person += hollow[..., None] * (_INSIDE_MOUTH - person)
        room = self._room(tracks.shake[frame])
        return np.asarray((room + alpha * (person - room)) * (self.light * np.float32(tracks.gain[frame])))

    def _turned_head(self, tracks: Tracks, frame: int) -> tuple[Floats, Floats]:
        """Where the frame's pixels lie on the still head: undo camera shake, sway, roll, turn."""
        shake = tracks.shake[frame].astype(np.float32)
        x, y = self.grid_x - shake[0], self.grid_y - shake[1]
        # The neck bends and the shoulders hardly follow; the nose travels further than the outline.
        follows = cv2.remap(_follow(), x - shapes.ORIGIN[0], y - shapes.ORIGIN[1], cv2.INTER_LINEAR,
                            borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        body, depth = follows[..., 0], follows[..., 1]
        sway, turn = tracks.sway[frame].astype(np.float32), tracks.turn[frame].astype(np.float32)
        roll = np.float32(tracks.roll[frame])
        moved_x = body * (sway[0] - roll * (y - np.float32(NECK[1]))) + depth * turn[0]
        moved_y = body * (sway[1] + roll * (x - np.float32(NECK[0]))) + depth * turn[1]
        return x - moved_x, y - moved_y

    def _expressed(self, x: Floats, y: Floats, tracks: Tracks, frame: int) -> tuple[Floats, Floats]:
        amounts = np.array([1 - tracks.smile[frame], tracks.brows[frame]])
        field = self.face + _weighted_sum(shapes.expression_fields(), amounts)
        there = cv2.remap(field, x - shapes.ORIGIN[0], y - shapes.ORIGIN[1], cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        return x + there[..., 0], y + there[..., 1]

    def _room(self, shake: npt.NDArray[np.float64]) -> Floats:
        shift = shake / self.scale
        matrix = np.array([[1, 0, shift[0] - self.side / 2], [0, 1, shift[1] - self.side / 2]], np.float32)
        return np.asarray(cv2.warpAffine(self.room, matrix, (self.side, self.side)), np.float32)


def _grid(framing: Framing, side: int, scale: float) -> tuple[Floats, Floats]:
    """Photo coordinates of the pixels of a frame, each ``(side, side)``."""
    steps = ((np.arange(side) + 0.5) / side - 0.5) * framing.width / scale
    x, y = np.meshgrid(steps + framing.centre[0] - 0.5, steps + framing.centre[1] - 0.5)
    return x.astype(np.float32), y.astype(np.float32)


def _weighted_sum(fields: Floats, amounts: npt.NDArray[np.float64]) -> Floats:
    # Added one by one: a matrix product may add in another order on another number of threads.
    total: Floats = np.zeros_like(fields[0])
    for field, amount in zip(fields, amounts, strict=True):
        total += np.float32(amount) * field
    return total


@lru_cache(maxsize=1)
def _follow() -> Floats:
    """How much each place follows the head's shift, and its turn: ``(EXTENT, EXTENT, 2)``, 0..1."""
    x, y = np.meshgrid(*(np.arange(shapes.EXTENT) + origin for origin in shapes.ORIGIN))
    below = np.clip((y - 160) / 60, 0, 1)
    body = 1 - 0.8 * below**2 * (3 - 2 * below)
    centre_x, centre_y = FACE_CENTRE
    depth = np.exp(-(((x - centre_x) / 52) ** 2) - ((y - centre_y) / 58) ** 2)
    return np.stack([body, depth * body], axis=2).astype(np.float32)


def _coloured_photo(identity: Identity) -> Bytes:
    """The photo in this person's colours, and the mask of the person: ``(512, 512, 4)``, uint8."""
    photo = portrait()
    skin = photo.skin[..., None]
    gain = identity.hair.astype(np.float32) * (1 - skin) + identity.skin.astype(np.float32) * skin
    rgb = np.clip(photo.rgb * gain, 0, 255)
    return np.concatenate([rgb, 255 * photo.person[..., None]], axis=2).astype(np.uint8)


def _light(identity: Identity, side: int) -> Floats:
    """The gain of every pixel, ``(side, side, 3)``."""
    ramp = np.linspace(-1, 1, side)
    slope = 1 + identity.slope[0] * ramp[None, :] + identity.slope[1] * ramp[:, None]
    return np.asarray(slope[..., None] * identity.light, np.float32)
