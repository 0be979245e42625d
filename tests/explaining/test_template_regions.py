"""Regions lie where the parts of the face lie, in aligned frames and in those of the synthetic corpus."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from depression_vr.data.synthetic.portrait import BROWS, LANDMARKS, LEFT_EYE, MOUTH, NOSE, RIGHT_EYE
from depression_vr.data.synthetic.render import TIGHT
from depression_vr.face_places import face_places
from depression_vr.faces.aligning.alignment import to_template
from depression_vr.faces.aligning.template import TEMPLATE
from depression_vr.faces.aligning.template_regions import REGIONS, outlines, region_masks

SIZE = 96
DOCS = Path(__file__).parents[2] / "docs"
PARTS = {"eyes": (LEFT_EYE, RIGHT_EYE), "brows": (BROWS,), "mouth": (MOUTH,)}


@pytest.mark.parametrize("size", [(48, 48), (31, 64), (224, 224)])
def test_regions_cover_every_pixel_once(size: tuple[int, int]) -> None:
    masks = region_masks(size)
    assert masks.shape == (len(REGIONS), *size)
    np.testing.assert_allclose(masks.sum(axis=0), 1, atol=1e-6)


def test_areas_do_not_depend_on_the_resolution() -> None:
    areas = [region_masks((side, side)).mean(axis=(1, 2)) for side in (24, 224)]
    np.testing.assert_allclose(*areas, atol=2e-3)


def test_regions_are_the_same_on_both_sides() -> None:
    masks = region_masks((SIZE, SIZE))
    np.testing.assert_allclose(masks, masks[:, :, ::-1], atol=0.07)  # rounded to eighths of pixels


def region_at(places: np.ndarray, at: np.ndarray) -> list[str]:
    """The region with the most of the pixel at each place, fractions ``(n, 2)``."""
    x, y = (places * SIZE).astype(int).T
    return [REGIONS[number] for number in region_masks((SIZE, SIZE), at)[:, y, x].argmax(axis=0)]


def parts_found(landmarks: np.ndarray, at: np.ndarray) -> dict[str, set[str]]:
    return {
        part: {name for which in places for name in region_at(landmarks[which], at)}
        for part, places in PARTS.items()
    }


def test_landmarks_of_an_aligned_face_lie_in_their_regions() -> None:
    aligned = (to_template(LANDMARKS, SIZE).apply(LANDMARKS) + 0.5) / SIZE
    assert parts_found(aligned, TEMPLATE) == {part: {part} for part in PARTS}
    assert set(region_at(aligned[NOSE], TEMPLATE)) == {"nose"}


def test_landmarks_of_the_synthetic_face_lie_in_their_regions() -> None:
    framed = (LANDMARKS + 0.5 - np.array(TIGHT.centre)) / TIGHT.width + 0.5
    assert parts_found(framed, face_places(None, "synthetic")) == {part: {part} for part in PARTS}
    assert parts_found(framed, TEMPLATE) != {part: {part} for part in PARTS}  # it is framed more tightly


def test_the_picture_in_the_documentation_shows_these_regions() -> None:
    picture = ElementTree.parse(DOCS / "face_regions.svg")
    drawn = [element.get("points", "") for element in picture.iter("{http://www.w3.org/2000/svg}polygon")]
    expected = [polygon for _, polygon in outlines()]
    for points, polygon in zip(drawn, expected, strict=True):
        found = np.array([point.split(",") for point in points.split()], float)
        np.testing.assert_allclose(found / 256, polygon, atol=1e-4)
