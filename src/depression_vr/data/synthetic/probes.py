"""What simple statistics of the pixels say about the score: the floor under any network.

A probe reads a few numbers from each video, fits a ridge regression on the training partition and is applied
to others. The motion probe sees how much the picture changes, not what changes.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import numpy.typing as npt

from depression_vr.data.frames import FrameFolder, read_frame
from depression_vr.data.manifest import Manifest

Features = npt.NDArray[np.float64]

_SIDE = 64
_MOST_FRAMES = 64
_RIDGE = 10.0
_LAGS = (1, 2, 4)
_THREADS = 4


def probe_scores(
    manifest: Manifest, rows: npt.NDArray[np.intp], read: Callable[[FrameFolder], Features]
) -> npt.NDArray[np.float64]:
    """Fit a probe on the training partition and apply it.

    Args:
        manifest: the corpus; frames are read from its folders.
        rows: of the manifest's table, the videos to score.
        read: the numbers of one video, such as `motion_statistics`.

    Returns:
        Scores, shape ``(len(rows),)``, clipped to 0..maximum.
    """
    training = manifest.rows("training")
    labels = manifest.table["label"].to_numpy(np.float64)[training]
    scores = _ridge(_read_all(manifest, training, read), labels, _read_all(manifest, rows, read))
    return np.asarray(np.clip(scores, 0, manifest.maximum))


def motion_statistics(folder: FrameFolder) -> Features:
    """Mean absolute and log mean squared difference of frames 1, 2 and 4 apart, shape ``(6,)``."""
    clip = np.stack([_grey(folder, frame) for frame in range(min(len(folder), _MOST_FRAMES))])
    statistics: list[float] = []
    for lag in _LAGS:
        change = clip[lag:] - clip[:-lag] if len(clip) > lag else np.zeros((1, _SIDE, _SIDE), np.float32)
        statistics += [float(np.abs(change).mean()), float(np.log1p(1e4 * np.square(change).mean()))]
    return np.array(statistics)


def _grey(folder: FrameFolder, frame: int) -> npt.NDArray[np.float32]:
    rgb = read_frame(folder, frame, (_SIDE, _SIDE))
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32) / np.float32(255)


def _read_all(
    manifest: Manifest, rows: npt.NDArray[np.intp], read: Callable[[FrameFolder], Features]
) -> Features:
    with ThreadPoolExecutor(_THREADS) as pool:
        return np.stack(list(pool.map(read, [manifest.folders[row] for row in rows])))


def _ridge(training: Features, labels: Features, wanted: Features) -> Features:
    """Ridge regression on standardised features, in closed form."""
    mean, deviation = training.mean(axis=0), training.std(axis=0) + 1e-12
    x, centre = (training - mean) / deviation, labels.mean()
    weights = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ (labels - centre))
    return np.asarray((wanted - mean) / deviation @ weights + centre)
