"""HFGI's student: what its output means, against crops and flows whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.datatypes import LOW, Crop
from videdit.edits import parse_edits
from videdit.edits.catalogue import shipped
from videdit.errors import UsageError
from videdit.hfgi.profile import load_profile
from videdit.hfgi.student import StudentEditor, anchors_of, can_edit, started, student_strengths, with_restoration
from videdit.imaging.host import HostPixels
from videdit.jobs.render_job import RenderJob
from videdit.models.sizes import ANCHORS, EDITS
from videdit.models.student import (
    MIRROR,
    Student,
    StudentEdit,
    compose,
    gain,
    parts,
    places,
    warp,
)
from videdit.rendering.resolved_job import method_of


def network(seed: int = 0) -> Student:
    """A randomly initialised student whose last layer says something."""
    torch.manual_seed(seed)
    net = Student()
    torch.nn.init.normal_(net.leave.weight, std=0.05)
    return net.eval()


def strengths(**values: float) -> np.ndarray:
    given = np.zeros((1, len(EDITS)), np.float32)
    for name, value in values.items():
        given[0, EDITS.index(name)] = value
    return given


def crop(size: int, seed: int = 0, **fields) -> Crop:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (size // 8, size // 8, 3), np.uint8)
    fields.setdefault("mesh", rng.uniform(0.2, 0.8, (468, 2)) * size)
    return Crop(0, image.repeat(8, 0).repeat(8, 1), np.eye(2, 3), 1.0, **fields)


def points(*crops: Crop) -> torch.Tensor:
    return torch.from_numpy(np.stack([anchors_of(one) for one in crops]))


def test_a_smile_is_reduced_for_a_round_mouth_and_for_no_other_edit():
    edits = parse_edits("smile=1.1,age=20")
    still, talking, calling = (student_strengths(edits, [1.25, 20.0], gap) for gap in (0.05, 0.15, 0.4))
    smile, age = EDITS.index("smile"), EDITS.index("age")
    assert 0 < calling[smile] < 0.2 * still[smile] < talking[smile] < still[smile]
    assert still[age] == calling[age]
    sterner = student_strengths(parse_edits("smile=-1"), [-1.0], 0.4)
    np.testing.assert_array_equal(sterner, student_strengths(parse_edits("smile=-1"), [-1.0]))


@pytest.mark.parametrize("number", [float, np.float32, np.float64])
def test_strengths_may_be_numbers_of_any_kind(number):
    edits = parse_edits("smile=1.1,age=-10")
    given = student_strengths(edits, [number(1.25), number(-10)])
    assert given.dtype == np.float32
    assert given[EDITS.index("smile")] > 0 > given[EDITS.index("age")]


def test_it_knows_every_edit_that_ships():
    assert set(EDITS) == set(shipped())
    assert can_edit(["smile", "age"])
    assert not can_edit(["smile", "frown"])


@pytest.mark.parametrize("size", [256, 512])
def test_strength_zero_is_the_crop_itself(size):
    one = crop(size)
    x = torch.from_numpy(one.image[None].astype(np.float32))
    with torch.inference_mode():
        change, flow, kept = StudentEdit(network())(x, torch.zeros(1, len(EDITS)), points(one))
    assert change.shape == (1, size, size, 3)
    assert flow.shape == (1, LOW, LOW, 2)
    assert kept.shape == (1, LOW, LOW)
    assert float(change.abs().max()) < 1e-5
    assert not flow.any()
    assert (kept == 1).all()


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 3), st.floats(0, 3), st.integers(0, len(EDITS) - 1))
def test_more_strength_never_has_less_gain(one, other, edit):
    low, high = sorted((one, other))
    rows = torch.zeros(2, len(EDITS))
    rows[0, edit], rows[1, edit] = low, high
    first, second = gain(rows).flatten()
    assert 0 <= first <= second <= 1
    assert gain(-rows).flatten().tolist() == [first, second]
    assert gain(torch.zeros(1, len(EDITS))).item() == 0


def test_small_strengths_change_little():
    one, net = crop(256), StudentEdit(network())
    x, given = torch.from_numpy(one.image[None].astype(np.float32)), [strengths(smile=s) for s in (0.01, 0.1, 1.0)]
    with torch.inference_mode():
        sizes = [float(net(x, torch.from_numpy(s), points(one))[0].abs().mean()) for s in given]
    assert sizes[0] < 0.1 * sizes[2]
    assert sizes[0] < sizes[1] < sizes[2]


def test_flow_is_where_a_pixel_comes_from_in_half_sides():
    x = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 3, 8, 8)
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0] = 2 / 8 * 2  # two pixels to the right
    moved = warp(x, flow)
    assert moved[0, 0, 3].tolist() == pytest.approx([2, 3, 4, 5, 6, 7, 7, 7], abs=1e-5)
    assert torch.equal(warp(x, torch.zeros_like(flow)), x)


def test_new_colours_stand_where_the_mask_is_and_shade_where_it_is_not():
    x, none = torch.full((1, 3, 4, 4), 0.5), torch.zeros(1, 2, 4, 4)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    made = compose(x, none, mask, torch.full_like(x, -0.25), torch.full_like(x, 0.1))
    assert made[..., :2].eq(-0.25).all()
    assert made[..., 2:].allclose(torch.tensor(0.6))


def test_parts_are_in_their_ranges():
    raw = 50 * torch.randn(2, 9, 4, 4)
    flow, mask, colours, shade = parts(raw, torch.ones(2, len(EDITS)))
    assert flow.shape[1] == 2
    assert shade.shape[1] == 3
    assert float(mask.min()) >= 0
    assert float(mask.max()) <= 1
    assert float(colours.abs().max()) <= 1


@pytest.mark.parametrize("size", [256, 512])
def test_the_compiled_student_says_what_torch_says(size):
    net = network()
    crops = [crop(size, seed) for seed in range(3)]  # a batch and a part of one
    given = np.concatenate([strengths(smile=1.2), strengths(age=-0.5), strengths()])
    made = StudentEditor(HostPixels("cpu", "fp32"), net=net, batch=2)(crops, given)
    x = torch.from_numpy(np.stack([c.image for c in crops]).astype(np.float32))
    with torch.inference_mode():
        change, displacement, kept = StudentEdit(net)(x, torch.from_numpy(given), points(*crops))
    for i, (got, flow) in enumerate(made):
        np.testing.assert_allclose(got, change[i].numpy(), atol=1.5e-2)  # blocks of 8 px: steep
        np.testing.assert_allclose(flow.displacement, displacement[i].numpy(), atol=5e-3)
        np.testing.assert_allclose(flow.confidence, kept[i].numpy(), atol=1e-3)
    assert not np.abs(made[2][0]).max() > 1e-5


def test_a_crop_without_a_mesh_stays_as_it_is():
    net, one = network(), crop(256, mesh=None)
    ((change, flow),) = StudentEditor(HostPixels("cpu", "fp32"), net=net, batch=1)([one], strengths(smile=1.0))
    assert anchors_of(one) is None
    assert np.abs(change).max() < 1e-5
    assert not flow.displacement.any()


def test_anchors_are_half_sides_and_mirrored_ones_change_places():
    one = crop(512)
    found = anchors_of(one)
    np.testing.assert_allclose(found, one.mesh[list(ANCHORS)] / 256 - 1, rtol=1e-5)
    assert [MIRROR[i] for i in MIRROR] == list(range(len(ANCHORS)))
    left, right = ANCHORS.index(61), ANCHORS.index(291)
    assert MIRROR[left] == right


def test_a_place_is_nearest_to_the_anchor_that_lies_there():
    anchors = torch.tensor([[[-0.5, 0.25]] * len(ANCHORS)])
    maps = places(anchors, 64)
    assert maps.shape == (1, 2 + 2 * len(ANCHORS), 64, 64)
    x, y = maps[0, 0, 10, 3], maps[0, 1, 10, 3]
    assert (x, y) == (pytest.approx(3.5 / 32 - 1), pytest.approx(10.5 / 32 - 1))
    row, column = divmod(int(maps[0, 2].argmax()), 64)
    assert abs((column + 0.5) / 32 - 1 + 0.5) <= 1 / 32
    assert abs((row + 0.5) / 32 - 1 - 0.25) <= 1 / 32


def test_restoration_and_edit_each_reach_the_frame_in_their_share():
    before, restored = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 140, np.uint8)
    one = Crop(0, before, np.eye(2, 3), 1.0, restored=restored, restoration=0.5)
    assert (started(one) == 120).all()
    assert started(Crop(0, before, np.eye(2, 3), 1.0)) is before
    mask, face = np.zeros((16, 16), np.uint8), np.full((16, 16), 200, np.uint8)
    mask[:8] = 100
    change, both = with_restoration(one, np.full((16, 16, 3), 0.4, np.float32), mask, face)
    assert (both == 200).all()
    np.testing.assert_allclose(change[8:] * both[8:, :, None] / 255, 20 / 127.5 * 200 / 255, rtol=1e-5)
    np.testing.assert_allclose(change[:8], (0.4 * 100 + 20 / 127.5 * 200) / 200, rtol=1e-5)


def test_strengths_are_in_recommended_ones_and_calibrated_by_sign():
    infos = shipped()
    given = student_strengths(parse_edits("age=10,smile"), [10.0, infos["smile"].recommended])
    up = infos["age"].response[1] * 10 / infos["age"].recommended
    assert given[EDITS.index("age")] == pytest.approx(up)
    assert given[EDITS.index("smile")] == pytest.approx(infos["smile"].response[1])
    assert not np.delete(given, [EDITS.index("age"), EDITS.index("smile")]).any()
    down = student_strengths(parse_edits("age=-10"), [-10.0])[EDITS.index("age")]
    assert down == pytest.approx(-10 / infos["age"].recommended * infos["age"].response[0])


def test_the_method_is_the_jobs_or_what_looks_best(monkeypatch):
    profile = load_profile("mobile")

    def chosen(best: str | None = None, **words) -> str:
        """best: what all edits look best by, in place of what the catalogue says."""
        job = RenderJob.model_validate({"input": "in.mp4", "edit": "smile", **words})
        edits = [replace(edit, info=replace(edit.info, method=best or edit.info.method)) for edit in job.edits]
        return method_of(job, edits, profile)

    assert chosen(method="hfgi") == "hfgi"
    assert chosen(method="student") == "student"
    for ships in (True, False):
        monkeypatch.setattr("videdit.rendering.resolved_job.have_student", lambda ships=ships: ships)
        assert chosen("student") == ("student" if ships else "hfgi")
    with pytest.raises(UsageError, match="--method student is not tuned; leave it out"):
        chosen(method="student", tune=3)
