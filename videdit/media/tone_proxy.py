"""HDR and linear light as the networks see them: an SDR proxy, and the way back for what they change.

The networks were trained on SDR photographs. So what they are shown of a PQ, HLG or linear picture is, with x the light
relative to reference white (ITU-R BT.2408: 203 cd/m2 in PQ, three quarters of the signal in HLG) in BT.709 primaries,

    s = shoulder(x ** (1 / gamma))        gamma: 2.4 of the display's light (PQ), 2 of the scene's (HLG), 2.2 (linear)
    shoulder(y) = y up to K, K + A log(1 + (y - K) / A) above

which leaves faces what they are in SDR and has room for highlights: 1 is five times reference white. It grows for ever,
so it can be undone, and a change d of s is carried back as what it means there:

    change of the code values = code(s + d) - code(s)

which is exactly 0 where d is. The picture itself never passes through the proxy. The formulas are the same for numpy
arrays and torch tensors; ``xp`` is the one module or the other. PQ and HLG are as in ITU-R BT.2100.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from videdit.datatypes import Array, Color

MOST = 65504.0  # of a half float: what stands for infinity

_K, _A = 0.7, 0.125
_PQ_PEAK = 10000 / 203  # times reference white
_M1, _M2 = 2610 / 16384, 2523 / 32
_C1, _C2, _C3 = 3424 / 4096, 2413 / 128, 2392 / 128
_HLG_A, _HLG_B, _HLG_C = 0.17883277, 0.28466892, 0.55991073
_HLG_WHITE = (np.exp((0.75 - _HLG_C) / _HLG_A) + _HLG_B) / 12  # .265, scene light at three quarters of the signal
_GAMMA = {"pq": 2.4, "hlg": 2.0, "linear": 2.2}
_BT709 = Color().primaries
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def needs_proxy(color: Color) -> bool:
    """Whether pictures of this kind are shown to the networks as a proxy."""
    return color.transfer in _GAMMA


def to_sdr(rgb: Sequence[Array], color: Color, xp: Any) -> list[Array]:
    """R, G, B as coded, floats of any shape, black 0 and full 1 -> the proxy's: not clipped, 1 is its white."""
    light = _mixed([_LIGHT[color.transfer](part, xp) for part in rgb], _matrix(color.primaries))
    return [_shoulder(_power(part, 1 / _GAMMA[color.transfer], xp), xp) for part in light]


def from_sdr(rgb: Sequence[Array], color: Color, xp: Any) -> list[Array]:
    """:func:`to_sdr` undone."""
    light = [_power(_shoulder_undone(part, xp), _GAMMA[color.transfer], xp) for part in rgb]
    return [_CODE[color.transfer](part, xp) for part in _mixed(light, np.linalg.inv(_matrix(color.primaries)))]


def change_of_code(change: Array, seen: Array, color: Color, xp: Any) -> Array:
    """What a change of the proxy means for the code values of RGB.

    change: [S, S, 3] float in units where the proxy's RGB spans [-1, 1]; seen: [S, S, 3] uint8, the proxy. Returns the
    change of coded RGB, [S, S, 3] float32, in units where that spans [-1, 1].
    """
    before = [xp.asarray(seen[..., i], dtype=xp.float32) / 255 for i in range(3)]
    after = [xp.clip(before[i] + xp.asarray(change[..., i], dtype=xp.float32) / 2, 0, 1) for i in range(3)]
    pairs = zip(from_sdr(after, color, xp), from_sdr(before, color, xp), strict=True)
    return 2 * xp.stack([a - b for a, b in pairs], -1)


def _pq_light(code: Array, xp: Any) -> Array:
    root = xp.clip(code, 0, 1) ** (1 / _M2)
    return (xp.clip(root - _C1, 0, None) / (_C2 - _C3 * root)) ** (1 / _M1) * _PQ_PEAK


def _pq_code(light: Array, xp: Any) -> Array:
    power = xp.clip(light / _PQ_PEAK, 0, 1) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _hlg_light(code: Array, xp: Any) -> Array:
    code = xp.clip(code, 0, 1.1)  # up to what narrow range has room for
    high = (xp.exp((code - _HLG_C) / _HLG_A) + _HLG_B) / 12
    return xp.where(code <= 0.5, code**2 / 3, high) / _HLG_WHITE


def _hlg_code(light: Array, xp: Any) -> Array:
    light = xp.clip(light, 0, None) * _HLG_WHITE
    high = _HLG_A * xp.log(xp.clip(12 * light - _HLG_B, 0.5, None)) + _HLG_C
    return xp.where(light <= 1 / 12, (3 * light) ** 0.5, high)


def _as_it_is(value: Array, xp: Any) -> Array:
    return value


_LIGHT: dict[str, Callable[[Array, Any], Array]] = {"pq": _pq_light, "hlg": _hlg_light, "linear": _as_it_is}
_CODE: dict[str, Callable[[Array, Any], Array]] = {"pq": _pq_code, "hlg": _hlg_code, "linear": _as_it_is}


def _power(value: Array, exponent: float, xp: Any) -> Array:
    """Light outside of BT.709's colours has negative parts: these keep their sign."""
    return xp.sign(value) * xp.abs(value) ** exponent


def _shoulder(value: Array, xp: Any) -> Array:
    return xp.where(value <= _K, value, _K + _A * xp.log1p(xp.clip(value - _K, 0, None) / _A))


def _shoulder_undone(value: Array, xp: Any) -> Array:
    return xp.where(value <= _K, value, _K + _A * xp.expm1(xp.clip(value - _K, 0, None) / _A))


def _mixed(rgb: Sequence[Array], matrix: np.ndarray) -> list[Array]:
    return [sum(float(weight) * part for weight, part in zip(row, rgb, strict=True)) for row in matrix]


@lru_cache(maxsize=16)
def _matrix(primaries: tuple[float, ...]) -> np.ndarray:
    """[3, 3]: linear RGB of these primaries -> of BT.709, white staying white (Bradford)."""
    ours, theirs = _to_xyz(_BT709), _to_xyz(primaries)
    whites = [_BRADFORD @ part.sum(1) for part in (ours, theirs)]
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(whites[0] / whites[1]) @ _BRADFORD
    return np.linalg.inv(ours) @ adapted @ theirs


def _to_xyz(primaries: tuple[float, ...]) -> np.ndarray:
    """[3, 3]: linear RGB -> XYZ of the white with Y = 1; primaries: (x, y) of red, green, blue and white."""
    x, y = np.array(primaries[::2]), np.array(primaries[1::2])
    xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    return xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3])
