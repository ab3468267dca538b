"""insightface behind our interface: its own code loads the graph of :mod:`scrfd_graph`; skipped where it is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_detect import clip, scene
from test_faces import PEOPLE, placed

from videdit.errors import WeightsError
from videdit.faces.detector import FaceDetector, crop_reader, detector_of
from videdit.faces.scrfd import InsightFinder, find_pack, providers
from videdit.geometry.ffhq_align import ffhq_square
from videdit.jobs.render_job import RenderJob
from videdit.stages.detect import Detect

needs_insightface = pytest.mark.extra("insightface")


@pytest.fixture(scope="session")
def packs(tmp_path_factory, detector: FaceDetector) -> dict[bool, Path]:
    """Packs of a network that takes one picture, and of one that takes several."""
    from scrfd_graph import write_scrfd

    tiles = [np.ascontiguousarray(PEOPLE[:, i : i + 256]) for i in (0, 256)]
    points = [detector.detect(tile)[0].points for tile in tiles]
    folders = {}
    for batched in (False, True):
        folders[batched] = tmp_path_factory.mktemp("packs") / "buffalo_l"
        folders[batched].mkdir()
        write_scrfd(folders[batched] / "det_10g.onnx", tiles, points, batched)
    return folders


@pytest.fixture(params=["mtcnn", *(pytest.param(kind, marks=needs_insightface) for kind in ("one by one", "batched"))])
def any_detector(request, detector: FaceDetector) -> FaceDetector:
    """Each of the detectors."""
    if request.param == "mtcnn":
        return detector
    pack = request.getfixturevalue("packs")[request.param == "batched"]
    return FaceDetector(finder=InsightFinder(str(pack)))


def test_both_people_are_found_where_they_are(any_detector: FaceDetector) -> None:
    picture = np.where(np.arange(640)[:, None] < 320, placed(0, 1, 160, 180), placed(1, 1, 480, 180))
    faces = sorted(any_detector.detect(picture), key=lambda face: face.points[0, 0])
    assert len(faces) == 2
    for face, x in zip(faces, (160, 480), strict=True):
        left, right, nose, mouth_left, mouth_right = face.points
        assert left[0] < nose[0] < right[0]
        assert left[1] < nose[1] < mouth_left[1]
        assert mouth_left[0] < mouth_right[0]
        centre, half = ffhq_square(face.points)
        assert np.linalg.norm(centre - (x, 180)) < 0.02 * 256
        assert np.linalg.norm(half - (128, 0)) < 0.05 * 128


def test_nobody_is_found_where_nobody_is(any_detector: FaceDetector) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    for picture in (noise, np.zeros_like(noise), noise[:1, :1], noise[:11, :9]):
        assert any_detector.detect(np.ascontiguousarray(picture)) == []


def test_a_face_that_was_found_is_followed(any_detector: FaceDetector) -> None:
    (first,) = any_detector.detect(placed(1, 1, 250, 170))
    second = any_detector.follow(first, crop_reader(placed(1, 1, 258, 165, 4)))
    assert second is not None
    assert np.abs(second.points.mean(0) - first.points.mean(0) - (8, -5)).max() < 0.01 * 256


def test_the_stage_finds_a_moving_face_in_every_frame_and_cuts(any_detector: FaceDetector) -> None:
    places = [(100 + 6 * i, 60 + 2 * i) for i in range(12)]
    pictures = [scene(640, 360, (0, 256, x, y)) for x, y in places] + [scene(640, 360, shade=200)] * 11
    pictures += [scene(640, 360, (1, 256, 300, 60))] * 2
    frames = list(Detect(any_detector)(clip(pictures)))
    assert [frame.index for frame in frames] == list(range(25))
    assert [len(frame.faces) for frame in frames] == [1] * 12 + [0] * 11 + [1] * 2
    assert frames[11].scene != frames[12].scene != frames[23].scene
    for frame, (x, y) in zip(frames, places, strict=False):
        assert np.linalg.norm(ffhq_square(frame.faces[0].points)[0] - (x + 128, y + 128)) < 0.02 * 256


@needs_insightface
def test_a_batch_finds_what_single_pictures_do(packs) -> None:
    pictures = [placed(i % 2, 1, 200 + 31 * i, 170) for i in range(6)] + [np.zeros((360, 640, 3), np.uint8)]
    one, many = (InsightFinder(str(packs[batched])) for batched in (False, True))
    assert one.batch == 1 < many.batch < len(pictures)
    for a, b in zip(one(pictures), many(pictures), strict=True):
        np.testing.assert_allclose(a, b, atol=0.01)
    assert [len(points) for points in many(pictures)] == [1] * 6 + [0]


@needs_insightface
def test_our_decoding_is_insightfaces(packs) -> None:
    """On what its own `detect` answers, at the one size at which both scale alike."""
    finder = InsightFinder(str(packs[False]))
    for person in (0, 1):
        picture = placed(person, 1, 300, 190, shape=(640, 640))
        finder._model.prepare(-1, input_size=(640, 640), det_thresh=0.5)
        boxes, points = finder._model.detect(picture[..., ::-1])
        assert len(boxes) == 1
        np.testing.assert_allclose(finder([picture])[0], points, atol=0.5)


@needs_insightface
def test_packs_that_cannot_be_used_are_told_in_one_line(tmp_path, packs) -> None:
    (tmp_path / "det_10g.onnx").write_bytes(b"no network")
    with pytest.raises(WeightsError, match="insightface cannot load .*det_10g.onnx") as error:
        InsightFinder(str(tmp_path))
    assert "\n" not in str(error.value)


def test_packs_are_looked_for_and_never_downloaded(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VIDEDIT_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="videdit weights fetch buffalo_l"):
        detector_of("insightface", "cpu")
    with pytest.raises(WeightsError, match="no insightface pack .* at ./nowhere"):
        detector_of("insightface:./nowhere", "cpu")
    for folder in (tmp_path / ".insightface/models/buffalo_l", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
        (folder / "det_10g.onnx").touch()
        assert find_pack("buffalo_l" if folder.name == "buffalo_l" else str(folder)) == folder


def test_providers_follow_the_hardware() -> None:
    everything = [
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        "OpenVINOExecutionProvider",
        "CPUExecutionProvider",
    ]
    assert providers("cuda:1", everything) == [("CUDAExecutionProvider", {"device_id": 1}), "CPUExecutionProvider"]
    assert providers("cuda", everything)[0] == ("CUDAExecutionProvider", {"device_id": 0})
    assert providers("cpu", everything) == ["OpenVINOExecutionProvider", "CPUExecutionProvider"]
    assert providers("cpu", everything[-1:]) == providers("cuda", everything[-1:]) == ["CPUExecutionProvider"]


def test_words_for_detectors() -> None:
    assert RenderJob(input="a.mp4", edit="smile").detector == "mtcnn"
    assert RenderJob(input="a.mp4", edit="smile", detector="insightface:/packs/mine").detector.endswith("mine")
    for word in ("retinaface", "mtcnn:x", "insightface:"):
        with pytest.raises(ValueError, match="not a detector; there is mtcnn"):
            RenderJob(input="a.mp4", edit="smile", detector=word)
