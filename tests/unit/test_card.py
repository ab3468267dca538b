"""The tables of the model card."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from synthetic import ROOT

from videdit.cli.eval import main
from videdit.errors import UsageError
from videdit.evaluation.card import TABLES, markdown, put_table


def test_the_card_that_ships_has_a_place_for_every_table(tmp_path: Path) -> None:
    card = tmp_path / "MODEL_CARD.md"
    shutil.copy(ROOT / "weights" / "MODEL_CARD.md", card)
    before = card.read_text()
    for part, columns in TABLES.items():
        put_table(card, part, [dict.fromkeys(columns, "word")])
        assert f"<!-- videdit eval {part} -->\n| {next(iter(columns.values()))[0]} |" in card.read_text()
    outside = [line for line in before.splitlines() if not line.startswith("|")]
    assert [line for line in card.read_text().splitlines() if not line.startswith("|")] == outside


def test_a_table_is_written_as_numbers_are_read() -> None:
    row = {"inversion": "HFGI", "psnr": 25.349, "psnr_face": float("inf"), "ssim": 0.73149, "other": 1.0}
    assert markdown("inversion", [row]).splitlines()[1:] == [
        "|---|---|---|---|---|---|---|",
        "| HFGI | 25.3 dB | exact | 0.731 | - | - | - |",
    ]


def test_a_card_without_marks_is_told_and_stays(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("# Weights\n")
    with pytest.raises(UsageError, match="no place for the table"):
        put_table(card, "edit", [])
    assert card.read_text() == "# Weights\n"


@pytest.mark.extra("judges")
def test_clips_are_edited_judged_and_told(tmp_path: Path, face_clip: Path) -> None:
    card, before = tmp_path / "MODEL_CARD.md", (ROOT / "weights" / "MODEL_CARD.md").read_text()
    card.write_text(before)
    words = ["card", "--only", "video", "--card", str(card), "--clips", str(face_clip.parent), "--device", "cpu"]
    assert main([*words, "--edited", str(tmp_path / "edited")]) == 0
    told = [line for line in card.read_text().splitlines() if line.startswith(f"| {face_clip.stem} |")]
    assert len(told) == 1
    assert 0.5 < float(told[0].split("|")[4]) < 1
    assert (tmp_path / "edited" / f"{face_clip.stem}_smile.mp4").exists()


def test_without_clips_their_table_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "MODEL_CARD.md"
    card.write_text("as it was")
    assert main(["card", "--only", "video", "--card", str(card), "--clips", str(tmp_path)]) == 0
    assert "stays as it is" in capsys.readouterr().err
    assert card.read_text() == "as it was"
