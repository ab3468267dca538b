"""The plates: what is on them where it must be, and the words of the command."""

from __future__ import annotations

import cv2
import numpy as np
import published
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import background

from videdit.cli import main as cli
from videdit.edits import catalogue, edit_delta, parse_edits
from videdit.errors import NoFaceError, UsageError
from videdit.evaluation import rate
from videdit.evaluation.image import psnr
from videdit.evaluation.paper_figures import ada_plate, load, reach, sweep_plate
from videdit.evaluation.plot import Series, draw_plots, short, y_ticks
from videdit.evaluation.rate import averaged, evaluate_rate, share_layers, tensor
from videdit.evaluation.stills import released
from videdit.hfgi.inverter import Inverter


@pytest.fixture(scope="module")
def inverter() -> Inverter:
    return Inverter.load(precision="fp32", batch=1)


def near(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def test_a_sweep_has_the_source_in_its_middle_and_goes_both_ways(inverter, people):
    sheet = sweep_plate(inverter, people[:1], [None], parse_edits("smile"), 3)
    assert sheet.shape == (256, 768, 3)
    assert sheet.dtype == np.uint8
    tiles = [sheet[:230, i * 256 : i * 256 + 256] for i in range(3)]  # above the words
    assert near(tiles[1], people[0][:230]) < 0.5
    assert near(tiles[0], tiles[1]) > 1
    assert near(tiles[2], tiles[1]) > 1
    assert near(tiles[0], tiles[2]) > 1.5


def test_a_sweep_by_the_release_shows_whole_pictures_of_the_generator(inverter, people):
    (edit,) = parse_edits("smile")
    sheet = sweep_plate(inverter, people[:1], [None], [edit], 3, plain=True)
    codes = inverter.encode(people[:1])
    for i, strength in enumerate((-reach(edit), 0, reach(edit))):
        delta = edit_delta(parse_edits(f"smile={strength}"), codes)
        (image,) = released(inverter, people[:1], codes, codes + delta)
        assert near(sheet[:230, i * 256 : i * 256 + 256], image[:230] * 127.5 + 127.5) < 0.5


def test_how_far_a_sweep_goes():
    low, high = catalogue()["smile"].range
    assert reach(parse_edits("smile")[0]) == min(-low, high)
    assert reach(*parse_edits("smile=0.5")) == reach(*parse_edits("smile=-0.5")) == 0.5
    with pytest.raises(UsageError, match="goes nowhere"):
        reach(*parse_edits("smile=0"))
    for steps in (1, 2, 4):
        with pytest.raises(UsageError, match="odd"):
            sweep_plate(None, [], [], [], steps)  # type: ignore[arg-type]


def test_a_plate_of_distortion_shows_what_the_method_uses(inverter, people):
    edits = parse_edits("yaw=10")
    sheet = ada_plate(inverter, people, edits)
    assert sheet.shape == (2 * 256 + 16, 5 * 256, 3)
    tiles = [sheet[16:272, i * 256 : i * 256 + 256].astype(float) for i in range(5)]
    codes = inverter.encode([people[0]])
    (rendering,) = inverter.render([people[0]], codes, codes + edit_delta(edits), 256)
    assert near(tiles[0], people[0]) == 0
    assert near(tiles[1], rendering.inversion_low * 127.5 + 127.5) < 1
    inside = np.abs(tiles[2] - 127.5).max(-1) < 127  # neither black nor white
    assert near((tiles[1] + 2 * (tiles[2] - 127.5))[inside], people[0][inside]) < 3  # inversion + distortion = source
    assert near(tiles[4], rendering.edit * 127.5 + 127.5) < 1


def test_ada_alone_gets_the_map_where_it_is(inverter, people):
    """With nothing before ADA, what the plate shows is what its network makes of the two pictures."""
    edits = parse_edits("yaw=10")
    sheets = {kind: ada_plate(inverter, people[:1], edits, kind) for kind in ("none", "flow")}
    codes = inverter.encode(people[:1])
    (base,) = inverter.low_fidelity(people[:1], codes, codes + edit_delta(edits))
    given = (base.source - base.low[0], base.low[1])
    with torch.inference_mode():
        aligned = inverter.networks().alignment(
            *(torch.from_numpy(image.copy()).permute(2, 0, 1)[None] for image in given)
        )
    wanted = aligned[0].permute(1, 2, 0).numpy() / 2 * 127.5 + 127.5
    assert near(sheets["none"][16:272, 768:1024], wanted.clip(0, 255)) < 1
    assert near(sheets["none"][16:272, 768:1024], sheets["flow"][16:272, 768:1024]) > 1


def test_step_5_alone_is_the_one_of_the_whole(inverter, people):
    """Its maps, consulted, must give the picture that the whole chain gives."""
    codes = inverter.encode(people)
    bases = inverter.low_fidelity(people, codes, codes + edit_delta(parse_edits("smile=1")))
    flows = inverter.pixels.flows([base.low for base in bases])
    aligned = inverter.aligned(bases, flows)
    whole = inverter.high_fidelity(bases, flows, 256)
    generator, consultation = inverter.generator, inverter.networks().consultation
    for base, image, rendering in zip(bases, aligned, whole, strict=True):
        condition = consultation(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None])
        trunk = torch.from_numpy(base.trunk[1:]).float()
        expected = generator.render(trunk, torch.from_numpy(base.codes[1:]), condition, size=256)
        np.testing.assert_allclose(expected[0].permute(1, 2, 0).numpy(), rendering.edit, atol=2e-2)


def test_more_numbers_are_nearer_to_the_face(inverter, people, monkeypatch):
    monkeypatch.setattr(rate, "LAYERS", (0,))
    monkeypatch.setattr(rate, "MAPS", (8, 256))
    result = evaluate_rate(inverter, people)
    numbers, psnrs = ([row[key] for row in result.rows] for key in ("numbers", "psnr"))
    assert numbers == sorted(numbers)
    assert numbers[0] == 512
    assert numbers[-1] == 18 * 512 + 3 * 256**2
    assert psnrs[3] > psnrs[2] + 2
    assert psnrs[2] > psnrs[1] + 1
    codes = inverter.encode(people)
    (first, second) = inverter.render(people, codes, codes, 256)
    full = psnr(tensor([first.inversion, second.inversion]).clamp(-1, 1), tensor(people)).mean()
    assert psnrs[-1] == pytest.approx(float(full), abs=0.1)  # the whole map is HFGI as it is
    assert result.sheet is not None
    assert result.sheet.shape[0] == 360


def test_codes_share_what_is_not_their_own():
    codes = np.random.default_rng(0).normal(size=(2, 18, 512)).astype(np.float32)
    np.testing.assert_array_equal(share_layers(codes, 18), codes)
    shared = share_layers(codes, 4)
    np.testing.assert_array_equal(shared[:, :4], codes[:, :4])
    np.testing.assert_allclose(shared[:, 9], codes[:, 4:].mean(1), atol=1e-6)
    assert len(np.unique(share_layers(codes, 0)[0], axis=0)) == 1


def test_a_coarse_map_keeps_its_mean():
    image = np.random.default_rng(0).normal(size=(256, 256, 3)).astype(np.float32)
    assert averaged(image, 256) is image
    np.testing.assert_allclose(averaged(image, 1)[3, 7], image.mean((0, 1)), atol=1e-5)


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_ticks_span_their_values(low, span):
    ticks = y_ticks(low, low + span)
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-6 * step
    assert ticks[-1] >= low + span - 1e-6 * step
    assert 2 <= len(ticks) <= 8
    assert np.allclose(np.diff(ticks), step, rtol=1e-3)


def test_a_plot_shows_each_of_its_points():
    x, y = np.array([100.0, 1e3, 1e5]), np.array([1.0, 5.0, 2.0])
    one = draw_plots([("up and down", [Series("a", x, y)])], "size")
    two = draw_plots([("up and down", [Series("a", x, y[::-1])])], "size")
    assert one.shape == two.shape == (360, 520, 3)
    assert (one != two).any()
    blue = np.abs(one.astype(int) - (52, 101, 164)).sum(-1) == 0
    columns = np.nonzero(blue[34:])[1]
    assert columns.min() < 70
    assert columns.max() > 450
    assert short(512) == "512"
    assert short(1e3) == "1k"
    assert short(2.5e6) == "2.5M"


def test_the_command(tmp_path, people, capsys, detector, inverter, monkeypatch):
    monkeypatch.setattr("videdit.hfgi.inverter.Inverter", lambda *words: inverter)  # which is compiled already
    picture = tmp_path / "face.png"
    cv2.imwrite(str(picture), people[0][:, :, ::-1])
    out = tmp_path / "sheet.png"
    words = ["sheet", "ada", str(picture), "-o", str(out), "--precision", "fp32"]
    assert cli.run([*words, "--aligned", "--edit", "smile"]) == 0
    assert cv2.imread(str(out)).shape == (272, 1280, 3)
    assert cli.run([*words, "--aligned", "--edit", "smile", "--prealign", "none"]) == 0
    assert cli.run([*words, "--checkpoint", "none.pt"]) == 2
    assert "a checkpoint is for profile hfgi-ffhq" in capsys.readouterr().err
    assert cli.run(["sheet", "ada", str(picture), "-o", str(tmp_path / "sheet.jpg")]) == 2
    assert cli.run([*words, "--edit", "smlie"]) == 2
    assert "did you mean 'smile'" in capsys.readouterr().err
    assert cli.run(["sheet", "rate", str(tmp_path / "none.png"), "-o", str(out)]) == 2
    assert "does not exist" in capsys.readouterr().err
    empty = tmp_path / "empty.png"
    cv2.imwrite(str(empty), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(NoFaceError, match=r"no face in .*empty\.png"):
        load([empty], detector, False, 8)
    assert len(load([tmp_path], detector, False, 1)) == 1


def test_a_sweep_of_a_car_needs_no_face(tmp_path, capsys):
    """Of chance numbers, in the published layout: what is on the sheet has the shape of cars."""
    torch.save(published.checkpoint(published.NARROW[:8]), tmp_path / "car.pt")
    np.save(tmp_path / "colour.npy", np.random.default_rng(0).normal(0, 0.5, (16, 512)).astype(np.float32))
    cv2.imwrite(str(tmp_path / "car.png"), background(400, 300))
    words = ["sheet", "sweep", str(tmp_path / "car.png"), "-o", str(tmp_path / "sheet.png"), "--profile", "hfgi-car"]
    words += ["--checkpoint", str(tmp_path / "car.pt"), "--edit", f"{tmp_path / 'colour.npy'}=2", "--steps", "3"]
    assert cli.run(words) == 2
    assert "sheet sweep --method plain" in capsys.readouterr().err
    assert cli.run([*words, "--method", "plain"]) == 0
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (192, 3 * 256, 3)
    assert near(sheet[:, :256], sheet[:, 512:]) > 1
