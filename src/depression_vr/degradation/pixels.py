"""What cameras and codecs do to pixels."""

import cv2
import numpy as np

from depression_vr.data.frames import decoded
from depression_vr.degradation.base import Degradation, DegradedVideo


class Noise(Degradation):
    """Gaussian noise, independent in every value, rounded and clipped to 0..255.

    As in the robustness study of the STA-DRN release: standard deviations of 1, 2, 4, ..., 256 grey levels.
    """

    name = "noise"
    title = "Gaussian noise"
    unit = "standard deviation, grey levels of 255"
    wanted = "standard deviations above 0, up to 10000"
    identity = 0.0

    def has_level(self) -> bool:
        """Up to 10000, where hardly a value is left between 0 and 255."""
        return 0 < self.level <= 10_000

    def degraded(self, pixels: np.ndarray, frames: np.ndarray, video: DegradedVideo) -> np.ndarray:
        """Noisy pixels."""
        noisy = np.empty_like(pixels)
        for place, frame in enumerate(frames.tolist()):
            values = video.generator(self.name, frame).standard_normal(pixels.shape[1:], np.float32)
            values *= np.float32(self.level)
            values += pixels[place]
            noisy[place] = np.clip(np.rint(values, out=values), 0, 255, out=values)
        return noisy


class Blur(Degradation):
    """Gaussian blur with a square kernel, frames mirrored at their edges.

    As in the robustness study of the STA-DRN release: kernels of 3, 5, 7, 15, 27, 49 pixels. What deviation
    it gave them is not known to us; here it is ``0.15 kernel + 0.35``, the one that torchvision and OpenCV
    take where they are told none.
    """

    name = "blur"
    title = "Gaussian blur"
    unit = "kernel, pixels of the frame as it is read"
    wanted = "odd kernels of 3 to 999 pixels"
    identity = 1.0

    def has_level(self) -> bool:
        """Odd whole numbers of 3 to 999; what a larger one takes grows with its square."""
        return 3 <= self.level <= 999 and self.level % 2 == 1

    def degraded(self, pixels: np.ndarray, frames: np.ndarray, video: DegradedVideo) -> np.ndarray:
        """Blurred pixels."""
        side, deviation = int(self.level), 0.15 * self.level + 0.35
        return np.stack([cv2.GaussianBlur(frame, (side, side), deviation) for frame in pixels])


class Brightness(Degradation):
    """All values times a factor, clipped to 0..255: an exposure that is off."""

    name = "brightness"
    title = "brightness"
    unit = "factor"
    wanted = "factors above 0, up to 255, other than 1"
    identity = 1.0

    def has_level(self) -> bool:
        """Up to 255, where all that is not black is white."""
        return 0 < self.level <= 255

    def degraded(self, pixels: np.ndarray, frames: np.ndarray, video: DegradedVideo) -> np.ndarray:
        """Darker or brighter pixels."""
        values = np.clip(np.rint(np.arange(256) * self.level), 0, 255).astype(np.uint8)
        return values[pixels]


class Jpeg(Degradation):
    """Every frame compressed once more as JPEG, colours at half resolution, by libjpeg's quality."""

    name = "jpeg"
    title = "JPEG compression"
    unit = "quality of 100"
    wanted = "whole qualities 1..100"
    identity = None
    falls = True

    def has_level(self) -> bool:
        """Whole numbers 1..100."""
        return 1 <= self.level <= 100 and self.level == int(self.level)

    def degraded(self, pixels: np.ndarray, frames: np.ndarray, video: DegradedVideo) -> np.ndarray:
        """Pixels after compression."""
        options = [cv2.IMWRITE_JPEG_QUALITY, int(self.level)]
        files = (cv2.imencode(".jpg", frame[..., ::-1], options)[1] for frame in pixels)
        return np.stack([decoded(file.tobytes()) for file in files])
