"""The one real face of the corpus: its photo, and where its parts are, fixed once.

The photo is `skimage.data.astronaut()`, a NASA portrait of Eileen Collins in the public domain that
scikit-image ships inside its package. All coordinates are pixels ``(x, y)`` of that photo (512 x 512).

- `LANDMARKS` are the 68 points of dlib's ``shape_predictor_68_face_landmarks`` (iBUG numbering), found once
  on the photo enlarged four times, hence the quarters of a pixel.
- The curves of lids and lips were read off enlargements of the photo, because a shape predictor places them
  a pixel or two wide of the edge along which a lid must close.
- `OUTLINE` runs around hair, ears, neck and suit; it began as a GrabCut contour and was corrected by hand.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

LANDMARKS = np.array([
    [179.75, 103.75], [180.0, 115.5], [181.0, 126.75], [182.25, 138.25], [185.0, 149.75], [191.25, 160.0],
    [200.0, 168.5], [209.25, 176.0], [220.75, 178.75], [232.25, 177.25], [243.5, 171.25], [253.5, 163.5],
    [261.0, 154.0], [265.5, 143.0], [268.5, 131.25], [270.75, 119.75], [272.0, 108.0], [186.5, 94.5],
    [192.5, 88.5], [200.75, 87.5], [209.25, 89.25], [217.0, 92.75], [236.25, 93.75], [244.25, 91.0],
    [252.5, 90.75], [260.5, 92.5], [265.75, 98.75], [226.25, 102.5], [226.0, 110.75], [225.75, 119.0],
    [225.5, 127.5], [214.5, 131.25], [219.5, 132.75], [224.5, 134.5], [230.0, 133.25], [234.75, 132.0],
    [195.25, 101.5], [200.75, 98.0], [207.25, 98.75], [213.0, 104.25], [206.75, 104.5], [200.0, 104.25],
    [238.0, 105.5], [244.0, 100.75], [250.5, 100.75], [255.75, 104.5], [250.75, 106.75], [244.25, 106.5],
    [201.0, 139.75], [209.5, 139.5], [218.25, 140.0], [223.5, 141.25], [229.75, 140.25], [237.75, 140.5],
    [245.75, 141.0], [237.75, 151.25], [229.25, 155.5], [222.5, 156.0], [216.5, 155.0], [208.25, 150.25],
    [203.75, 141.0], [217.75, 143.25], [223.25, 144.5], [229.5, 143.75], [242.75, 142.0], [229.25, 150.0],
    [223.0, 150.75], [217.0, 149.75],
])  # fmt: skip

BROWS = slice(17, 27)
NOSE = slice(27, 36)
LEFT_EYE = slice(36, 42)
RIGHT_EYE = slice(42, 48)
MOUTH = slice(48, 68)

FACE_CENTRE = (226.0, 128.0)
NECK = (226.0, 192.0)

OUTLINE = np.array([
    [237, 16], [222, 18], [212, 21], [200, 26], [193, 31], [188, 35], [172, 43], [160, 55], [154, 70],
    [154, 88], [160, 103], [168, 116], [171, 121], [175, 128], [182, 132], [183, 148], [166, 148],
    [149, 153], [134, 164], [124, 178], [113, 189], [114, 207], [100, 216], [80, 233], [60, 280],
    [60, 511], [360, 511], [352, 295], [346, 275], [340, 262], [319, 243], [312, 240], [303, 233],
    [299, 219], [289, 203], [276, 189], [255, 173], [258, 162], [265, 146], [267, 137], [273, 136],
    [279, 129], [291, 116], [299, 100], [302, 87], [301, 78], [297, 64], [293, 52], [286, 40], [275, 29],
    [264, 23], [250, 18],
])  # fmt: skip


class Eye(NamedTuple):
    """One eye of the photo: lid edges as polylines ``(n, 2)`` from corner to corner, and the iris."""

    upper: Floats
    lower: Floats
    iris: tuple[float, float]


EYES = (
    Eye(
        np.array([[191, 102], [193, 100], [196, 98.3], [200, 97.3], [203, 97.2], [207, 98.2], [210, 100],
                  [214.5, 103]], np.float32),
        np.array([[191, 102], [196, 103.2], [200, 104.3], [204, 104.8], [208, 104.3], [211, 103.5],
                  [214.5, 103]], np.float32),
        (202.5, 101.0),
    ),
    Eye(
        np.array([[235.5, 105], [239, 102.3], [242, 100.3], [245, 99.2], [249, 99.2], [253, 100.3],
                  [256, 102], [260, 105]], np.float32),
        np.array([[235.5, 105], [240, 105.5], [244, 106.4], [248, 106.7], [252, 106.3], [255.5, 105.6],
                  [260, 105]], np.float32),
        (246.3, 102.8),
    ),
)  # fmt: skip

UPPER_LIP = np.array([
    [202, 139.2], [206, 139.9], [210, 140.9], [214, 141.9], [218, 143.0], [222, 143.7], [226, 143.6],
    [230, 142.8], [234, 142.0], [238, 141.1], [244.5, 140],
], np.float32)  # fmt: skip
LOWER_LIP = np.array([
    [202, 139.2], [206, 142.4], [210, 145.6], [214, 147.6], [218, 148.7], [222, 149.1], [226, 148.9],
    [230, 148.1], [234, 146.1], [238, 144.0], [241, 142.3], [244.5, 140],
], np.float32)  # fmt: skip


class Portrait(NamedTuple):
    """The photo taken apart.

    Attributes:
        rgb: ``(512, 512, 3)``, float32 0..255.
        person: ``(512, 512)``, float32, 1 on the person, 0 on the background.
        skin: ``(512, 512)``, float32, 1 on the face and neck, 0 elsewhere.
    """

    rgb: Floats
    person: Floats
    skin: Floats


@lru_cache(maxsize=1)
def portrait() -> Portrait:
    """Load the photo and draw its masks (soft edges a pixel or two wide)."""
    rgb: Bytes = np.asarray(skimage.data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]
    person = _filled(OUTLINE, rgb.shape[:2], feather=1.2, erode=1)
    brow_line = [[266.0, 88.0], [246.0, 82.0], [226.0, 78.0], [206.0, 79.0], [188.0, 84.0]]
    neck = [[254.0, 172.0], [250.0, 186.0], [232.0, 190.0], [210.0, 188.0], [190.0, 178.0]]
    face = np.concatenate([LANDMARKS[:6], neck[::-1], LANDMARKS[11:17], brow_line])
    skin = _filled(face, rgb.shape[:2], feather=2.5, erode=0)
    return Portrait(rgb.astype(np.float32), person, skin)


def _filled(polygon: npt.NDArray[np.float64], shape: tuple[int, int], feather: float, erode: int) -> Floats:
    mask: npt.NDArray[Any] = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], 255)
    if erode:
        mask = cv2.erode(mask, np.ones((2 * erode + 1, 2 * erode + 1), np.uint8))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), feather), np.float32) / np.float32(255)
