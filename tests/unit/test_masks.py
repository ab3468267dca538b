"""What an edit may repaint: its own parts of the face, in front of what is behind and behind what is in front."""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from test_geometry_mask import round_mesh

from videdit.datatypes import LOW, Crop, Flow
from videdit.edits.catalogue import shipped
from videdit.faces.detector import FaceDetector
from videdit.geometry.face_regions import EDIT_REGIONS, REGIONS, edit_mask
from videdit.imaging.paint_mask import PAINTED, change_mask
from videdit.models.face_parts import PARTS

STILL = Flow(np.zeros((LOW, LOW, 2), np.float32), np.ones((LOW, LOW), np.float32))
CENTRE = (128, 141)  # of the mesh's oval, whose radius is 64


def disc(x: float, y: float, radius: float) -> np.ndarray:
    """[128, 128] bool; places in pixels at 256."""
    rows, columns = np.mgrid[:128, :128] * 2 + 1
    return np.hypot(columns - x, rows - y) < radius


def crop(radius: float = 64, size: int = LOW, **front: np.ndarray) -> Crop:
    """A round face before a background, and what is in front of it by part."""
    parts = np.zeros((len(PARTS), 128, 128), np.float16)
    names = list(PARTS)
    where = np.where(disc(*CENTRE, radius), names.index("face"), names.index("other"))
    for name, shape in front.items():
        where[shape] = names.index(name)
    np.put_along_axis(parts, where[None], 1, axis=0)
    return Crop(0, np.zeros((size, size, 3), np.uint8), np.eye(2, 3), 1.0, round_mesh(size), parts)


def at(mask: np.ndarray, x: float, y: float) -> int:
    return int(mask[int(y), int(x)])


def test_every_region_says_what_it_paints_and_every_edit_names_such_regions() -> None:
    assert set(PAINTED) == set(EDIT_REGIONS) - {"box"}  # which nothing is parsed for
    assert all(part in PARTS for parts in PAINTED.values() for part in parts)
    assert all(region in PAINTED for info in shipped().values() for region in info.regions)


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_the_face_is_painted_and_what_is_beside_it_is_not(size: int) -> None:
    mask = cv2.resize(change_mask(crop(size=size), STILL, ["face"]), (LOW, LOW), interpolation=cv2.INTER_AREA)
    assert at(mask, *CENTRE) == 255
    assert at(mask, 128 + 56, 141) > 230  # nearly out to its border
    assert at(mask, 128 + 72, 141) == 0
    assert at(edit_mask(round_mesh(LOW), LOW, ["face"]), 128 + 72, 141) > 0  # where the shape alone would paint


def test_a_mask_is_soft() -> None:
    mask = change_mask(crop(other=disc(100, 150, 20)), STILL, ["face"]).astype(int)
    assert max(np.abs(np.diff(mask, axis=0)).max(), np.abs(np.diff(mask, axis=1)).max()) < 90


@pytest.mark.parametrize("what", ["other", "hair", "hat", "glasses"])
def test_what_is_in_front_of_the_face_stays_there(what: str) -> None:
    shape = disc(110, 150, 16)
    mask = change_mask(crop(**{what: shape}), STILL, ["face"])
    in_front = np.repeat(np.repeat(shape, 2, 0), 2, 1)
    assert mask[in_front].max() <= 2
    assert at(mask, 150, 150) == 255


def test_hair_is_painted_by_the_edits_that_are_for_it() -> None:
    fringe = crop(hair=disc(128, 90, 20))
    assert at(change_mask(fringe, STILL, ["face"]), 128, 90) == 0
    assert at(change_mask(fringe, STILL, ["hair"]), 128, 90) > 200
    assert at(change_mask(fringe, STILL, ["face", "hair"]), 128, 90) > 200


def test_a_collar_that_the_edit_puts_on_a_neck_is_not_painted() -> None:
    below = crop(neck=disc(128, 195, 12))
    dreamt = replace(STILL, confidence=np.where(np.arange(LOW)[:, None] < 170, 1, 0) * np.ones(LOW, np.float32))
    assert at(change_mask(below, STILL, ["face"]), 128, 190) > 200
    assert at(change_mask(below, dreamt, ["face"]), 128, 190) == 0
    teeth = replace(STILL, confidence=0 * STILL.confidence)
    assert at(change_mask(crop(), teeth, ["face"]), *CENTRE) == 255


def test_lips_are_all_that_lipstick_paints() -> None:
    mouth = crop(lips=disc(*CENTRE, 10), mouth=disc(*CENTRE, 4))
    mask = change_mask(mouth, STILL, ["lips"])
    assert at(mask, 128 + 7, 141) > 100
    assert at(mask, *CENTRE) < 60
    assert at(mask, 128 + 20, 141) == 0


def test_eyes_are_painted_behind_glasses() -> None:
    assert at(change_mask(crop(glasses=disc(*CENTRE, 12)), STILL, ["eyes"]), *CENTRE) > 200


def facing(opening: float) -> np.ndarray:
    """A mesh at 256 px whose oval, lips and eyes are where a face has them, the eyes open by so many pixels."""
    mesh = round_mesh(LOW)
    for corners, x in (((33, 133), 103), ((263, 362), 153)):
        name = "eye_left" if x < 128 else "eye_right"
        ring = list(REGIONS[name])
        angles = np.linspace(0, 2 * np.pi, len(ring), endpoint=False)
        mesh[ring] = np.stack((x + 15 * np.cos(angles), 118 + opening / 2 * np.sin(angles)), 1)
        mesh[list(corners)] = ((x - 15, 118), (x + 15, 118))
    ring = list(REGIONS["lips"])
    angles = np.linspace(0, 2 * np.pi, len(ring), endpoint=False)
    mesh[ring] = np.stack((128 + 22 * np.cos(angles), 172 + 8 * np.sin(angles)), 1)
    return mesh


@pytest.mark.parametrize("opening", [0.5, 10.0])
def test_what_blinks_and_speaks_is_kept_whether_it_is_open_or_closed(opening: float) -> None:
    seen = replace(crop(lips=disc(128, 172, 12)), mesh=facing(opening))
    skin = change_mask(seen, STILL, ["skin"])
    for x in (103, 153):
        assert at(skin, x, 118) < 8  # the eye
        assert at(skin, x, 110) < 40  # its upper lid, closed or not
        assert at(skin, x, 140) > 200  # the bag under it ages
    assert at(skin, 128, 172) < 8  # lips
    assert at(skin, 128, 145) > 200  # the nose
    speaking = change_mask(seen, STILL, ["skin_and_mouth"])
    assert at(speaking, 128, 172) > 200
    assert at(speaking, 103, 118) < 8
    assert (change_mask(seen, STILL, ["round_eyes"]) <= change_mask(seen, STILL, ["eyes"])).all()


def shown_of(people: list[np.ndarray], region: str) -> Iterator[tuple[np.ndarray, np.ndarray, dict[int, int]]]:
    """Of each person the mesh, the mask of a region, and how much of it shows at each point of the mesh."""
    detector = FaceDetector("cpu")
    for person in people:
        mesh = detector.aligned(person).mesh
        assert mesh is not None
        mask = edit_mask(mesh, LOW, [region])
        yield mesh, mask, {i: at(mask, *mesh[i]) for i in range(len(mesh))}


def test_a_beard_grows_on_the_jaw_and_leaves_lips_eyes_and_forehead(people: list[np.ndarray]) -> None:
    for *_, shown in shown_of(people, "jaw"):
        assert min(shown[i] for i in (199, 140, 369, 210, 430, 164)) > 190  # the chin, beside it, below the nose
        assert max(shown[i] for i in (13, 14, 0, 17)) < 110  # lips, the outer ones being the edge of it
        # Eyes, forehead, the nose's tip, cheekbones.
        assert max(shown[i] for i in (159, 145, 386, 374, 151, 4, 50, 280)) < 60


def test_a_smile_is_below_the_eyes(people: list[np.ndarray]) -> None:
    for mesh, mask, shown in shown_of(people, "lower_face"):
        face = edit_mask(mesh, LOW, ["face"])
        assert min(shown[i] for i in (13, 14, 0, 17, 61, 291, 199, 205, 425, 4)) > 190  # lips, chin, cheeks, nose
        assert max(shown[i] for i in (159, 145, 386, 374, 151, 66, 296, 105, 334, 9)) < 30  # lids, brows, forehead
        assert (mask[200:] == face[200:]).all()  # also at the border, which softens the face once, not twice


def test_an_edit_that_moves_outlines_leaves_them_where_they_are() -> None:
    """Beyond the border of a face that turned, the old one would be left as a ghost."""
    turned = np.zeros((LOW, LOW, 2), np.float32)
    turned[..., 0] = -8
    mask = change_mask(crop(), Flow(turned, STILL.confidence), ["inner_face"])
    assert at(mask, *CENTRE) == 255
    assert at(mask, 128 + 30, 141) > 200
    assert max(at(mask, 128 + side * 62, 141) for side in (-1, 1)) < 50
    assert np.abs(np.diff(mask.astype(int), axis=1)).max() < 20


def test_a_head_that_grows_wider_covers_what_is_behind_it_and_a_face_does_not() -> None:
    wider = np.zeros((LOW, LOW, 2), np.float32)
    wider[..., 0] = np.where(np.arange(LOW) > 128, -6, 6)  # each pixel comes from six nearer to the middle
    at_edge = (128 + 66, 141)
    head, face = (change_mask(crop(), Flow(wider, STILL.confidence), [name]) for name in ("head", "face"))
    assert at(head, *at_edge) > 120 > 60 > at(change_mask(crop(), STILL, ["head"]), *at_edge)
    assert at(face, *at_edge) < 60
    torn = np.zeros((LOW, LOW, 2), np.float32)
    torn[..., 0] = -40  # where the face ends flow may be anything: what is far from it stays
    stretched = change_mask(crop(radius=40), Flow(torn, STILL.confidence), ["face"])
    assert at(stretched, 128 + 55, 141) == 0


def test_what_is_in_front_is_not_dragged_along_beside_itself() -> None:
    flow = np.zeros((LOW, LOW, 2), np.float32)
    flow[..., 0] = 8  # the edit moves everything to the left
    hand = crop(other=disc(140, 150, 10))
    dragged = (125, 150)  # shows the hand after the edit, and is beside it
    assert at(change_mask(hand, STILL, ["face"]), *dragged) > 150
    assert at(change_mask(hand, Flow(flow, STILL.confidence), ["face"]), *dragged) == 0


def test_the_whole_crop_is_the_whole_crop() -> None:
    one = crop(other=disc(128, 141, 30))
    np.testing.assert_array_equal(change_mask(one, STILL, ["crop"]), edit_mask(one.mesh, LOW, ["crop"]))


def test_what_hides_is_followed_by_its_colour() -> None:
    """The parser saw less of the hand than there is: the rest of it has its colour, and the cheek has not."""
    one = crop(other=disc(110, 150, 12))
    rows, columns = np.mgrid[:LOW, :LOW]
    hand = np.hypot(columns - 110, rows - 150) < 18
    image = np.where(hand[..., None], (90, 60, 50), (215, 170, 150)).astype(np.uint8)
    mask = change_mask(replace(one, image=image), STILL, ["face"])
    assert mask[hand].mean() < 3 < 60 < change_mask(one, STILL, ["face"])[hand].max()
    assert at(mask, 110 + 26, 150) > 230


def test_without_parts_there_is_the_shape_alone() -> None:
    bare = Crop(0, np.zeros((LOW, LOW, 3), np.uint8), np.eye(2, 3), 1.0, round_mesh(LOW))
    np.testing.assert_array_equal(change_mask(bare, STILL, ["face"]), edit_mask(bare.mesh, LOW, ["face"]))
