"""Seams that are there are seen, and those that are not are not."""

import cv2
import numpy as np
import pytest

from videdit.evaluation.seam import changed, seam


def clip() -> np.ndarray:
    """[2, 128, 128, 3] uint8: smooth shades under a little noise."""
    rng = np.random.default_rng(0)
    shades = cv2.GaussianBlur(rng.normal(0, 1, (2 * 128, 128, 3)).astype(np.float32), (0, 0), 8)
    noisy = 128 + 30 * shades / shades.std() + rng.normal(0, 1, shades.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8).reshape(2, 128, 128, 3)


def disc(soft: float) -> np.ndarray:
    """A mask [2, 128, 128] uint8 with an edge of this softness."""
    y, x = np.mgrid[:128, :128]
    return np.stack([np.rint(255 * np.clip((40 - np.hypot(x - 64, y - 64)) / soft + 0.5, 0, 1))] * 2).astype(np.uint8)


def brighter(source: np.ndarray, mask: np.ndarray, by: float) -> np.ndarray:
    return np.clip(source + by * (mask[..., None] / 255), 0, 255).round().astype(np.uint8)


def test_no_change_shows_no_seam() -> None:
    assert seam(clip(), clip(), disc(8)) == pytest.approx(1)


@pytest.mark.parametrize("known", [True, False])  # where the mask's border is
def test_a_hard_border_shows_and_a_soft_one_does_not(known: bool) -> None:
    source = clip()
    seams = []
    for soft in (1, 12, 40):
        edited = brighter(source, disc(soft), 16)
        found = seam(source, edited, disc(soft) if known else changed(source, edited))
        assert found is not None
        seams.append(found)
    assert seams == sorted(seams, reverse=True)
    assert seams[0] > 1.5
    assert seams[2] < 1.1


def test_a_change_that_ends_before_the_border_shows_none() -> None:
    source = clip()
    edited = source.copy()
    edited[:, 50:78, 50:78] = 255 - edited[:, 50:78, 50:78]
    assert seam(source, edited, disc(4)) == pytest.approx(1)


def test_an_outline_that_moves_is_no_seam() -> None:
    """A grey disc grows by a pixel, and its mask with it."""
    y, x = np.mgrid[:128, :128]

    def picture(radius: float) -> np.ndarray:
        shade = 80 + 90 * np.clip((radius - np.hypot(x - 64, y - 64)) / 3 + 0.5, 0, 1)
        return np.stack([np.repeat(shade[..., None], 3, 2)]).astype(np.uint8)

    mask = np.rint(255 * np.clip(41 - np.hypot(x - 64, y - 64) + 0.5, 0, 1)).astype(np.uint8)[None]
    assert seam(picture(40), picture(41), mask) == pytest.approx(1, abs=0.2)


def test_an_encoder_s_noise_is_no_change() -> None:
    source = clip()
    noisy = source + np.random.default_rng(1).normal(0, 3, source.shape)
    assert not changed(source, np.clip(noisy, 0, 255).round().astype(np.uint8)).any()


def test_without_a_border_there_is_no_figure() -> None:
    assert seam(clip(), clip(), np.zeros((2, 128, 128), np.uint8)) is None
