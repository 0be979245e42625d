"""Where faces lie in the frames of a corpus."""

from collections.abc import Sequence

import numpy as np

from depression_vr.data.synthetic.corpus import SyntheticCorpus
from depression_vr.data.synthetic.portrait import LANDMARKS
from depression_vr.data.synthetic.render import TIGHT
from depression_vr.errors import UserError
from depression_vr.faces.aligning.template import TEMPLATE, anchors


def face_places(face: Sequence[Sequence[float]] | None, corpus: str) -> np.ndarray:
    """Where left eye, right eye and mouth lie in the frames, ``(x, y)`` as fractions, shape ``(3, 2)``.

    The template's places, to which `preprocess` aligns; those of the synthetic corpus's own, tighter framing;
    or what the user says.

    Args:
        face: as the user has it, three points; None where the corpus says.
        corpus: its name.

    Raises:
        UserError: what the user says is no face.
    """
    if face is None:
        return _synthetic_places() if corpus == SyntheticCorpus.name else TEMPLATE
    left, right, mouth = places = np.array(face, float)
    if not (left[0] < right[0] and mouth[1] > max(left[1], right[1])):
        raise UserError(
            f"{places.tolist()} are no eyes and mouth: they lie on one line, or are not left eye, right eye "
            "and, below them, mouth",
            where="config key face",
            fix="give [[x, y], [x, y], [x, y]] of left eye, right eye and mouth as fractions of the frame",
        )
    return places


def _synthetic_places() -> np.ndarray:
    places: np.ndarray = (anchors(LANDMARKS) + 0.5 - np.array(TIGHT.centre)) / TIGHT.width + 0.5
    return places
