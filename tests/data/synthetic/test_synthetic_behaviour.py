from dataclasses import fields

import numpy as np
import pytest

from depression_vr.data.synthetic.behaviour import Tracks, draw_tracks
from depression_vr.data.synthetic.features import move_lids, move_lips
from depression_vr.data.synthetic.people import Recording, draw_identity
from depression_vr.data.synthetic.portrait import EYES, LOWER_LIP
from depression_vr.data.synthetic.render import HEAD_AND_SHOULDERS, TIGHT, Framing, render_frames

IDENTITY = draw_identity(203, seed=0)


def tracks(level: float, task: str = "Freeform", seconds: float = 60.0, frame_rate: float = 10.0) -> Tracks:
    recording = Recording("training", 203, np.full(5, level), score=10)
    times = np.arange(round(seconds * frame_rate)) / frame_rate
    return draw_tracks(recording, task, IDENTITY, times, seed=0)


def test_another_frame_rate_sees_the_same_behaviour() -> None:
    slow, fast = tracks(0.4, seconds=5), tracks(0.4, seconds=5, frame_rate=30)
    for track in fields(Tracks):
        np.testing.assert_allclose(getattr(slow, track.name), getattr(fast, track.name)[::3], atol=1e-9)


def test_a_higher_level_smiles_moves_and_talks_less_and_closes_and_lowers_its_eyes_longer() -> None:
    lively, depressed = tracks(0.0), tracks(1.0)
    assert depressed.smile.std() < 0.5 * lively.smile.std()
    assert depressed.opening.std() < 0.5 * lively.opening.std()
    assert depressed.turn.std() < 0.5 * lively.turn.std()
    speed = [np.abs(np.diff(behaviour.turn, axis=0)).mean() for behaviour in (lively, depressed)]
    assert speed[1] < 0.3 * speed[0]
    assert (depressed.lid > 0.9).mean() > 1.5 * (lively.lid > 0.9).mean()
    lowered = [
        (behaviour.gaze[:, 1] > behaviour.gaze[:, 1].min() + 1.5).mean() for behaviour in (lively, depressed)
    ]
    assert lowered[1] > 1.2 * lowered[0]


def test_the_two_tasks_are_two_realisations_of_one_behaviour() -> None:
    freeform, northwind = tracks(0.3), tracks(0.3, task="Northwind")
    assert not np.allclose(freeform.smile, northwind.smile)
    assert freeform.smile.mean() == pytest.approx(northwind.smile.mean(), abs=0.1)


def test_closed_lids_show_no_pixel_of_the_eye() -> None:
    for eye in EYES:
        column = eye.iris[0]
        upper, lower = np.interp(column, *eye.upper.T), np.interp(column, *eye.lower.T)
        y = np.arange(80, 115, 0.25, dtype=np.float32)[:, None]
        _, shown = move_lids(np.full_like(y, column), y, 1.0, np.zeros(2))
        assert not ((shown > upper + 0.5) & (shown < lower - 0.5)).any()


def test_an_open_eye_with_a_straight_gaze_is_the_photo() -> None:
    y, x = np.mgrid[80:115, 185:265].astype(np.float32)
    shown_x, shown_y = move_lids(x, y, 0.0, np.zeros(2))
    np.testing.assert_allclose(shown_x, x)
    np.testing.assert_allclose(shown_y, y, atol=0.5)


def test_a_dropped_lip_uncovers_the_inside_of_the_mouth_and_a_sober_one_covers_the_teeth() -> None:
    y = np.arange(130, 170, 0.25, dtype=np.float32)[:, None]
    x = np.full_like(y, 222.0)
    lip = np.interp(222.0, *LOWER_LIP.T)
    _, closed, hollow = move_lips(x, y, 1.0, 0.0)
    assert hollow.max() == 0
    assert not ((closed > lip - 4.5) & (closed < lip - 0.5)).any()
    assert move_lips(x, y, 1.0, 6.0)[2].sum() < move_lips(x, y, 1.0, 10.0)[2].sum()


@pytest.mark.parametrize("framing", [TIGHT, HEAD_AND_SHOULDERS])
def test_rendered_frames_have_neither_holes_nor_cracks(framing: Framing) -> None:
    # A crack would be a dark line on the skin between the brows and the lips' level, where there is none.
    calm = draw_identity(204, seed=0)
    for frame in render_frames(calm, tracks(0.0, seconds=1), framing, 128, np.random.default_rng(0)):
        assert frame.shape == (128, 128, 3)
        middle = (np.array([226.0, 116.0]) - framing.centre) / framing.width * 128 + 64
        column, row = np.round(middle).astype(int)
        nose = frame[row - 4 : row + 4, column - 4 : column + 4].astype(float)
        assert nose.min() > 0.4 * nose.mean()
