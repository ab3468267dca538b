"""Face parsing: the network, its measure, its masks and their augmentation."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from videdit.errors import MediaError
from videdit.evaluation.parsing import confusion, intersection_over_union, load_masks, mean_common, read_mask
from videdit.models.efficientnet_lite import EfficientNetLite0, fold_norms
from videdit.models.face_parser import FaceParser
from videdit.models.face_parts import CLASSES, COMMON, MIRRORED
from videdit.training.data import SIZE
from videdit.training.masks import MaskedFaces, blob, halve, mirror, move, occlude
from videdit.training.parser import class_balance, dice_loss, freeze_costly, lesson
from videdit.weights import load_state


def write_palette_png(path: Path, indices: np.ndarray, palette: np.ndarray) -> None:
    """An indexed PNG as its specification says: header, palette, rows with filter 0."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    h, w = indices.shape
    rows = b"".join(b"\0" + row.tobytes() for row in indices)
    head = struct.pack(">IIBBBBB", w, h, 8, 3, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"PLTE", palette.tobytes()), chunk(b"IDAT", zlib.compress(rows)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b""))


@pytest.fixture()
def palette() -> np.ndarray:
    return np.random.default_rng(0).permutation(256 * 3).reshape(256, 3)[: len(CLASSES)].astype(np.uint8)


def test_masks_are_read_by_their_index(tmp_path: Path, palette: np.ndarray) -> None:
    mask = np.random.default_rng(1).integers(0, len(CLASSES), (24, 16)).astype(np.uint8)
    write_palette_png(tmp_path / "0000.png", mask, palette)
    np.testing.assert_array_equal(read_mask(tmp_path / "0000.png"), mask)
    assert len(load_masks(tmp_path, slice(0, 1))) == 1
    with pytest.raises(MediaError, match="no masks"):
        load_masks(tmp_path, slice(1, 2))


def test_what_is_no_mask_is_refused(tmp_path: Path, palette: np.ndarray) -> None:
    path = tmp_path / "0000.png"
    path.write_bytes(b"no picture at all")
    with pytest.raises(MediaError, match="palette PNG"):
        read_mask(path)
    more = np.concatenate((palette, [[7, 7, 7]])).astype(np.uint8)
    write_palette_png(path, np.full((4, 4), len(CLASSES), np.uint8), more)
    with pytest.raises(MediaError, match="classes 0 to 18"):
        read_mask(path)


def test_the_parser_gives_logits_of_its_inputs_size() -> None:
    net = FaceParser().eval()
    with torch.inference_mode():
        assert net(torch.zeros(2, 3, 64, 96)).shape == (2, 19, 64, 96)
    assert sum(p.numel() for p in net.parameters()) < 1.5e6  # 3 MB in half precision


def test_folded_norms_change_nothing() -> None:
    net = EfficientNetLite0(3)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for tensor in (module.weight, module.running_var):
                    tensor.uniform_(0.5, 1.5)
                for tensor in (module.bias, module.running_mean):
                    tensor.normal_(0, 0.3)
        net.eval()
        x = torch.randn(1, 3, 32, 32)
        before = [tap.clone() for tap in net(x)]
        after = fold_norms(net)(x)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_intersection_over_union_of_known_squares() -> None:
    truth, found = torch.zeros(8, 8, dtype=torch.long), torch.zeros(8, 8, dtype=torch.long)
    truth[:4, :4], found[2:6, :4] = 1, 1  # 8 pixels shared of 24
    iou = intersection_over_union(confusion(found, truth))
    assert float(iou[1]) == pytest.approx(8 / 24)
    assert float(iou[0]) == pytest.approx(40 / 56)
    assert iou[2:].isnan().all()
    perfect = torch.arange(19).repeat(19, 1)
    assert mean_common(intersection_over_union(confusion(perfect, perfect))) == 1.0
    assert len(COMMON) == 11


def test_dice_is_nothing_for_the_truth_and_all_for_its_opposite() -> None:
    masks = torch.randint(0, 2, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    truth = torch.nn.functional.one_hot(masks, 19).permute(0, 3, 1, 2).float()
    assert float(dice_loss(truth, masks)) == pytest.approx(0, abs=1e-6)
    assert float(dice_loss(truth[:, [1, 0, *range(2, 19)]], masks)) == pytest.approx(1, abs=1e-6)


def test_balance_weighs_rare_classes_up_and_the_average_pixel_as_one() -> None:
    masks = np.zeros((20, 8, 8), np.uint8)
    masks[:, 0, 0] = 5
    weight = class_balance(masks, 0.5).numpy()
    assert weight[5] > 5 * weight[0]
    assert float((weight[masks]).mean()) == pytest.approx(1, rel=1e-4)


def test_only_what_is_worth_its_time_learns() -> None:
    net = FaceParser()
    freeze_costly(net)
    learning = {name for name, p in net.named_parameters() if p.requires_grad}
    assert not any(".depthwise." in name or name.startswith("trunk.stem") for name in learning)
    assert any(name.startswith("trunk.stages.4") for name in learning)
    assert "classify.weight" in learning


def test_a_mirrored_face_changes_its_sides() -> None:
    mask = np.zeros((4, 4), np.uint8)
    mask[1, 0], mask[1, 3], mask[3, 1] = 4, 5, 10  # its left eye at image left, mouth off the middle
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    flipped, swapped = mirror(image, mask)
    np.testing.assert_array_equal(flipped, image[:, ::-1])
    assert (swapped[1, 3], swapped[1, 0], swapped[3, 2]) == (5, 4, 10)
    again = mirror(flipped, swapped)
    np.testing.assert_array_equal(again[1], mask)


def test_halving_takes_the_commonest() -> None:
    mask = np.array([[1, 1, 2, 3], [1, 4, 3, 3], [7, 8, 9, 9], [8, 7, 9, 9]], np.uint8)
    np.testing.assert_array_equal(halve(mask), [[1, 3], [7, 9]])


def test_moving_takes_the_mask_along() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[100:160, 90:150] = 1
    image = np.repeat(mask[..., None] * 200, 3, 2)
    for _ in range(10):
        moved, moved_mask = move(image, mask, rng)
        assert moved_mask.max() == 1
        agree = (moved[..., 0] > 100) == (moved_mask == 1)
        assert agree.mean() > 0.99


def test_what_lies_in_front_of_a_face_is_background() -> None:
    rng = np.random.default_rng(0)
    image, source = (rng.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8) for _ in range(2))
    mask = np.ones((SIZE, SIZE), np.uint8)
    hidden = []
    for _ in range(20):
        covered, found = occlude(image, mask, source, rng)
        assert covered.dtype == found.dtype == np.uint8
        assert set(np.unique(found)) <= {0, 1}
        same = (covered == image).all(2)
        assert same[found == 1].mean() > 0.9  # but for soft edges, the rest of the face is as it was
        hidden.append((found == 0).mean())
    assert 0.01 < np.mean(hidden) < 0.4
    assert blob(rng).shape == (SIZE, SIZE)


@pytest.fixture()
def faces(tmp_path: Path) -> MaskedFaces:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "faces.npy", rng.integers(0, 256, (4, SIZE, SIZE, 3)).astype(np.uint8))
    np.save(tmp_path / "masks.npy", rng.integers(0, 19, (4, SIZE, SIZE)).astype(np.uint8))
    return MaskedFaces(tmp_path / "faces.npy", tmp_path / "masks.npy", held=1)


def test_batches_depend_on_chance_alone(faces: MaskedFaces) -> None:
    first, second = (faces.batch(2, np.random.default_rng(7)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b, atol=0, rtol=0)
    images, masks = first
    assert images.shape == (2, 3, SIZE, SIZE)
    assert images.abs().max() <= 1
    assert masks.shape == (2, SIZE, SIZE)
    assert masks.dtype == torch.int64
    assert len(faces.held()[0]) == 1


def test_a_lesson_of_a_mirrored_picture_is_the_mirrored_lesson() -> None:
    """Left eyes are right ones there."""
    parser = FaceParser().eval().requires_grad_(False)
    parser.load_state_dict(load_state("parser"))
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    taught, mirrored = lesson(parser, images), lesson(parser, images.flip(3))
    assert taught.shape == (2, len(CLASSES), 32, 32)
    torch.testing.assert_close(taught.sum(1), torch.ones(2, 32, 32))
    swap = list(range(len(CLASSES)))
    for left, right in MIRRORED:
        swap[left], swap[right] = right, left
    torch.testing.assert_close(mirrored, taught.flip(3)[:, swap], atol=1e-5, rtol=0)
    assert float((taught - parser.coarse(images).softmax(1)).abs().max()) > 0.01  # four looks are not one


def test_pupils_see_worn_pictures_of_what_the_teacher_sees(faces: MaskedFaces) -> None:
    worn, clear = faces.unlabelled([faces.images], 3, np.random.default_rng(0), degraded=1.0, occluded=0.0)
    assert worn.shape == clear.shape == (3, 3, 256, 256)
    again = faces.unlabelled([faces.images], 3, np.random.default_rng(0), degraded=1.0, occluded=0.0)
    assert torch.equal(worn, again[0])
    assert not torch.equal(worn, clear)
    unworn, clear = faces.unlabelled([faces.images], 3, np.random.default_rng(0), degraded=0.0, occluded=0.0)
    assert torch.equal(unworn, clear)
