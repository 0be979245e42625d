"""What a person does, as functions of continuous time, so that any frame rate sees the same behaviour.

Every behaviour is fast and nearly periodic: a clip of a second and a half holds several nods, words and
blinks, and says as much about the level as the next one. What a single frame shows (a lowered lid, an open
mouth) varies from person to person by more than the level moves it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from depression_vr.data.naming import AVEC2014_TASKS as TASKS
from depression_vr.data.synthetic.people import BEHAVIOURS, Identity, Recording

Track = npt.NDArray[np.float64]

HORIZON = 600.0
"""Behaviour is laid out for so many seconds."""
_BLINK_RAMP = 0.07


@dataclass(frozen=True)
class Tracks:
    """One value per frame each, shape ``(frames,)`` or ``(frames, 2)``.

    Attributes:
        turn: apparent shift of the nose against the head's outline (yaw, pitch), photo pixels.
        sway: shift of the head, photo pixels; roll: radians.
        smile: 0 sober .. 1 the photo's broad smile.
        opening: how far the lower lip is dropped, photo pixels, from 0.
        lid: 0 open .. 1 closed.
        gaze: shift of the iris, photo pixels, y downwards.
        brows: raise in photo pixels.
        shake: shift of the camera, photo pixels.
        gain: of the lamp, about 1.
    """

    turn: Track
    sway: Track
    roll: Track
    smile: Track
    opening: Track
    lid: Track
    gaze: Track
    brows: Track
    shake: Track
    gain: Track

    def __len__(self) -> int:
        return len(self.smile)


def draw_tracks(recording: Recording, task: str, identity: Identity, times: Track, seed: int) -> Tracks:
    """Realise the behaviour of one video.

    Args:
        recording: the levels that drive the behaviour; both tasks share them.
        task: the tasks differ only in their realisation.
        identity: the camera's shake and the lamp's flicker.
        times: of the frames, seconds from the start, below 600.
        seed: the corpus's seed.
    """
    resting = np.random.default_rng((seed, 3, recording.subject))
    rng = np.random.default_rng((seed, 4, recording.subject, TASKS.index(task)))
    head, smile, mouth, blink, gaze = recording.levels + 0.06 * rng.standard_normal(len(BEHAVIOURS))
    rest_smile, rest_opening, rest_lid, rest_gaze, roll_sign = resting.random(5)
    lowered = _lowered(gaze, times, rng)
    smiling = 0.62 * np.exp(-1.9 * smile) * _swing(0.85 * np.exp(-0.3 * smile), times, rng)
    talking = 6.5 * np.exp(-2.0 * mouth) * _swing(2.0 * np.exp(-0.5 * mouth), times, rng)
    nod = _nod(head, times, rng)
    lid_open = (1 - _blinks(blink, times, rng)) * (1 - 0.3 * rest_lid) * (1 - 0.35 * lowered)
    return Tracks(
        turn=nod,
        sway=0.5 * nod,
        roll=0.006 * (2 * roll_sign - 1) * nod[:, 0],
        smile=np.clip(0.25 + 0.4 * rest_smile + smiling, -0.1, 1.15),
        opening=np.maximum(1.5 + 4.5 * rest_opening + talking, 0),
        lid=1 - lid_open,
        gaze=np.stack([_glances(times, rng), -0.8 + 1.2 * rest_gaze + 3.0 * lowered], axis=1),
        brows=0.7 * _swing(0.5, times, rng),
        shake=identity.shake * np.stack([_swing(1.7, times, rng), _swing(2.3, times, rng)], axis=1),
        gain=1 + identity.flicker * (_swing(3.1, times, rng) + _swing(4.3, times, rng)),
    )


def _swing(frequency: float, times: Track, rng: np.random.Generator) -> Track:
    """A sinusoid of amplitude 1 whose rhythm wanders, so that no two periods are alike."""
    frequency *= np.exp(0.1 * rng.standard_normal())
    phase, slow = rng.uniform(0, 2 * np.pi, 2)
    wander = 0.7 * np.sin(2 * np.pi * 0.31 * frequency * times + slow)
    return np.asarray(np.sin(2 * np.pi * frequency * times + phase + wander))


def _nod(level: float, times: Track, rng: np.random.Generator) -> Track:
    """Turning and nodding in photo pixels ``(frames, 2)``: slower and smaller the higher the level."""
    amplitude = 6.0 * np.exp(-1.5 * level)
    frequency = 1.1 * np.exp(-0.6 * level)
    turning, nodding = _swing(frequency, times, rng), _swing(1.3 * frequency, times, rng)
    return np.asarray(amplitude * np.stack([turning, 0.7 * nodding], axis=1))


def _blinks(level: float, times: Track, rng: np.random.Generator) -> Track:
    """How far blinks close the eye, 0..1: more and longer the higher the level."""
    duration = 0.13 * np.exp(1.25 * level)
    period = duration + 0.75 * np.exp(-0.35 * level)
    count = int(HORIZON / period) + 2
    starts = period * (np.arange(count) - rng.random() + 0.15 * rng.uniform(-1, 1, count))
    return _episodes(starts, starts + duration, times, _BLINK_RAMP)


def _lowered(level: float, times: Track, rng: np.random.Generator) -> Track:
    """How far the gaze is lowered, 0..1: it stays down longer the higher the level."""
    down = 0.35 * np.exp(1.0 * level)
    up = 0.65
    count = int(HORIZON / (down + up)) + 2
    starts = (down + up) * (np.arange(count) - rng.random() + 0.1 * rng.uniform(-1, 1, count))
    return _episodes(starts, starts + down, times, 0.08)


def _episodes(starts: Track, ends: Track, times: Track, ramp: float) -> Track:
    """A track that is 1 within the episodes, 0 outside, with linear ramps around each start and end."""
    latest = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, len(starts) - 1)
    within = np.zeros_like(times)
    for near in (latest, np.minimum(latest + 1, len(starts) - 1)):
        rising = (times - starts[near]) / ramp + 0.5
        falling = (ends[near] - times) / ramp + 0.5
        within = np.maximum(within, np.clip(np.minimum(rising, falling), 0, 1))
    return within


def _glances(times: Track, rng: np.random.Generator) -> Track:
    """Sideways gaze in photo pixels: jumps to a new place every half second or so, whatever the level."""
    jumps = np.cumsum(rng.uniform(0.3, 0.9, int(HORIZON / 0.3)))
    places = rng.normal(0, 1.0, len(jumps) + 1)
    return places[np.searchsorted(jumps, times)]
