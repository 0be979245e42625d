"""The canonical face: where eyes and mouth lie in every aligned frame.

Positions are fractions of the frame's side, so the template fits any size. ``docs/face_template.svg`` shows
it. The eyes-to-mouth region of PLEGDF-FGLSCF (rows 53 to 181, columns 55 to 215 of 256) reaches from the
brows to the lower lip of a face in this place.
"""

import numpy as np

from depression_vr.faces.landmarks import LEFT_EYE_CORNERS, MOUTH_CORNERS, RIGHT_EYE_CORNERS

TEMPLATE = np.array([[0.365, 0.33], [0.635, 0.33], [0.5, 0.613]])
"""Left eye, right eye and mouth as ``(x, y)``, each the middle between its two corners."""


def anchors(landmarks: np.ndarray) -> np.ndarray:
    """The points that the template places: left eye, right eye, mouth.

    The corners' middle moves least with blinks, gaze and an opening mouth, so expressions stay in the frames
    instead of going into the alignment.

    Args:
        landmarks: shape ``(..., 68, 2)``.

    Returns:
        Shape ``(..., 3, 2)``.
    """
    corners = (LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS, MOUTH_CORNERS)
    return np.stack([landmarks[..., pair, :].mean(axis=-2) for pair in corners], axis=-2)
