"""HDR and linear light seen as SDR: against the standards' own numbers, there and back, and what an edit becomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.datatypes import Color, Picture
from videdit.media.color import describe, picture_to_rgb, region_to_rgb, rgb_to_yuv
from videdit.media.tone_proxy import change_of_code, from_sdr, needs_proxy, to_sdr

BT2020 = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)
ACES = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)  # AP1
PQ = Color("bt2020", False, 10, (0, 0), (0.5, 0.5), "pq", BT2020)
HLG = replace(PQ, transfer="hlg")
LINEAR = Color("rgb", True, 32, (0, 0), (0.5, 0.5), "linear")
KINDS = {"pq": PQ, "hlg": HLG, "linear": LINEAR, "aces": replace(LINEAR, primaries=ACES)}


def grey(level: float, color: Color) -> float:
    return float(to_sdr([np.full(1, level, np.float32)] * 3, color, np)[1][0])


def test_reference_white_is_where_bt2408_puts_it() -> None:
    """58.06 % of PQ is 203 cd/m2, 75 % of HLG is reference white, 1 of linear light: one and the same white."""
    white = grey(1.0, LINEAR)
    assert 0.8 < white < 0.9
    assert grey(0.5806, PQ) == pytest.approx(white, abs=1e-3)
    assert grey(0.75, HLG) == pytest.approx(white, abs=1e-3)
    assert [grey(0.0, color) for color in KINDS.values()] == [0, 0, 0, 0]
    assert grey(0.7518, PQ) == pytest.approx(1.0, abs=0.02)  # 1,000 cd/m2 is the proxy's white
    assert grey(0.5, HLG) == pytest.approx((1 / 12 / 0.26496) ** 0.5, abs=1e-3)  # half of HLG is 1/12 of the scene
    assert grey(0.18, LINEAR) == pytest.approx(0.18 ** (1 / 2.2), abs=1e-6)  # faces lie below the shoulder


@pytest.mark.parametrize("kind", KINDS)
def test_white_stays_white_and_colours_get_stronger(kind: str) -> None:
    """A wide gamut's numbers look pale on an SDR screen: the proxy says what colour they mean."""
    color = KINDS[kind]
    red, green, _ = (float(part[0]) for part in to_sdr([np.float32([v]) for v in (0.4, 0.3, 0.3)], color, np))
    plain = to_sdr([np.float32([v]) for v in (0.4, 0.3, 0.3)], replace(color, primaries=Color().primaries), np)
    assert red - green >= (1.0 if kind == "linear" else 1.3) * float(plain[0][0] - plain[1][0])
    whites = [float(part[0]) for part in to_sdr([np.float32([0.5])] * 3, color, np)]
    assert max(whites) - min(whites) < 2e-3


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.tuples(*[st.floats(0, 1)] * 3))
def test_there_and_back(kind: str, rgb: tuple[float, float, float]) -> None:
    color = KINDS[kind]
    back = from_sdr(to_sdr([np.array([v]) for v in rgb], color, np), color, np)
    np.testing.assert_allclose(np.concatenate(back), rgb, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_it_grows_without_end(kind: str) -> None:
    levels = np.linspace(0, 60 if kind in ("linear", "aces") else 1, 2000)
    seen = to_sdr([levels] * 3, KINDS[kind], np)[0]
    assert (np.diff(seen) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_means_what_it_looks_like(kind: str) -> None:
    """Added to the code values it makes the picture whose proxy is the edited proxy; where there is none it is 0."""
    color = KINDS[kind]
    rng = np.random.default_rng(0)
    seen = rng.integers(50, 206, (64, 64, 3)).astype(np.uint8)
    change = (rng.uniform(-0.15, 0.15, seen.shape) * 2).astype(np.float16)
    change[:32] = 0
    code = np.stack(from_sdr([seen[..., i] / 255 for i in range(3)], color, np), -1)
    found = change_of_code(change, seen, color, np)
    assert not found[:32].any()
    edited = np.stack(to_sdr([code[..., i] + found[..., i] / 2 for i in range(3)], color, np), -1)
    np.testing.assert_allclose(edited, np.clip(seen / 255 + change / 2, 0, 1), atol=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_torch_and_numpy_agree(kind: str) -> None:
    rng = np.random.default_rng(1)
    seen, change = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8), rng.uniform(-1, 1, (16, 16, 3))
    change = change.astype(np.float16)
    ours = change_of_code(torch.from_numpy(change), torch.from_numpy(seen), KINDS[kind], torch).numpy()
    np.testing.assert_allclose(ours, change_of_code(change, seen, KINDS[kind], np), rtol=2e-3, atol=2e-4)


def test_pictures_are_seen_through_it() -> None:
    code = np.full((40, 40, 3), 0.5806)
    planes = tuple(np.rint(plane).astype(np.uint16) for plane in rgb_to_yuv(code, PQ))
    white = round(grey(0.5806, PQ) * 255)
    picture = Picture(planes, PQ, "yuv444p10le")
    assert abs(int(region_to_rgb(picture, 0, 0, 8, 8)[0, 0, 0]) - white) <= 1
    assert abs(int(picture_to_rgb(picture, 20)[0, 0, 0]) - white) <= 1
    np.testing.assert_allclose(region_to_rgb(picture, 0, 0, 8, 8, np.float32), 0.5806, atol=1e-3)  # as coded
    wild = np.full((8, 8), np.nan, np.float32)
    wild[4:] = np.inf
    rgb = picture_to_rgb(Picture((wild, np.ones_like(wild), wild), LINEAR, "gbrpf32le"))
    assert rgb[:4, :, 0].max() == 0
    assert rgb[4:, :, 0].min() == 255


def test_which_streams_need_it() -> None:
    def of(transfer: int, primaries: int = 9) -> Color:
        return describe("yuv420p10le", 10, (1, 1), (1, primaries, transfer, 9), None, (64, 64), False, False)

    assert [needs_proxy(of(transfer)) for transfer in (1, 2, 13, 14, 16, 18)] == [False] * 4 + [True] * 2
    assert of(16).primaries == BT2020
    assert of(16, 1).primaries == Color().primaries
