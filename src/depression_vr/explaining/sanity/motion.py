"""A reference that knows no network: where pixels change."""

import numpy as np

MOTION = "motion"
"""Its name beside the methods'."""


def motion(pixels: np.ndarray) -> np.ndarray:
    """Absolute difference of every frame from the one before, mean over colours, ``(T, H, W)``, float32.

    The first frame has that of the second; a single frame has none.

    Args:
        pixels: ``(T, H, W, 3)``, uint8.
    """
    if len(pixels) < 2:
        return np.zeros(pixels.shape[:3], np.float32)
    differences = np.abs(np.diff(pixels.astype(np.float32), axis=0)).mean(axis=-1)
    return np.concatenate([differences[:1], differences])
