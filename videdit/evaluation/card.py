"""The tables of the model card: each lies between two marks, and evaluations write what is between them.

<!-- videdit eval inversion -->
| inversion | PSNR | ...
<!-- end -->
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from videdit.errors import MediaError, UsageError
from videdit.evaluation.report import Value
from videdit.storage.outputs import written_whole

END = "<!-- end -->"
# part -> column of the evaluation -> (title in the card, how its numbers are written)
TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "inversion": {
        "inversion": ("inversion", ""),
        "psnr": ("PSNR", "{:.1f} dB"),
        "psnr_face": ("PSNR in the face", "{:.1f} dB"),
        "ssim": ("SSIM", "{:.3f}"),
        "perceptual": ("perceptual", "{:.3f}"),
        "mobileface": ("mobileface", "{:.3f}"),
        "faceres": ("faceres", "{:.3f}"),
    },
    "edit": {
        "edit": ("edit", ""),
        "score": ("score", ""),
        "before": ("before", "{:.3g}"),
        "after": ("after", "{:.3g}"),
        "sd": ("change, sd", "{:+.2f}"),
        "worst leak": ("worst leak", ""),
        "mean leak": ("mean leak", "{:.2f}"),
        "mobileface": ("identity", "{:.3f}"),
        "mobileface, no detail return": ("without detail return", "{:.3f}"),
    },
    "video": {
        "clip": ("clip", ""),
        "happy": ("happy", "{:.2f}"),
        "happy after": ("after", "{:.2f}"),
        "identity": ("identity", "{:.3f}"),
        "TL-ID": ("TL-ID", "{:.3f}"),
        "TG-ID": ("TG-ID", "{:.3f}"),
        "warp": ("warp error / source's", "{:.2f}"),
        "seam": ("seam", "{:.2f}"),
    },
    "parser": {
        "class": ("class", ""),
        "IoU": ("IoU", "{:.3f}"),
        "share of pixels": ("share of pixels", "{:.4f}"),
    },
    "restorer": {
        "restoration": ("restoration", ""),
        "psnr": ("PSNR", "{:.2f} dB"),
        "ssim": ("SSIM", "{:.3f}"),
        "perceptual": ("perceptual", "{:.3f}"),
        "mobileface": ("mobileface", "{:.3f}"),
        "faceres": ("faceres", "{:.3f}"),
    },
    "compare": {
        "inversion": ("inversion", ""),
        "psnr": ("PSNR", "{:.1f} dB"),
        "psnr_face": ("PSNR in the face", "{:.1f} dB"),
        "perceptual": ("perceptual", "{:.3f}"),
        "mobileface": ("mobileface", "{:.3f}"),
        "faceres": ("faceres", "{:.3f}"),
        "seconds": ("seconds a face", "{:.2f}"),
        "times HFGI's": ("times HFGI's", "{:.0f}"),
    },
    "prealign": {
        "edit, pre-alignment": ("edit, pre-alignment", ""),
        "distortion": ("error of the map", "{:.2f}"),
        "psnr": ("PSNR in the head", "{:.2f} dB"),
        "identity": ("identity", "{:.3f}"),
        "returned": ("returned", "{:.2f}"),
    },
}


def put_table(card: Path, part: str, rows: Sequence[Mapping[str, Value]]) -> None:
    """Replace the table of a part (a key of ``TABLES``) by that of an evaluation's rows.

    Raises:
        UsageError: the card has no marks for it, or cannot be read or written.
    """
    mark = f"<!-- videdit eval {part} -->"
    try:
        before, found, rest = card.read_text(encoding="utf-8").partition(mark)
        _, ended, after = rest.partition(END)
        if not (found and ended):
            raise UsageError(f"{card} has no place for the table: put {mark} and {END} where it belongs")
        with written_whole(card) as written:
            written.write_text(f"{before}{mark}\n{markdown(part, rows)}\n{END}{after}", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the table into {card}: {error.strerror}") from None


def markdown(part: str, rows: Sequence[Mapping[str, Value]]) -> str:
    """Rows of an evaluation as a table in Markdown."""
    columns = TABLES[part]
    lines = [[title for title, _ in columns.values()], ["---"] * len(columns)]
    lines += [[_cell(row.get(key), form) for key, (_, form) in columns.items()] for row in rows]
    return "\n".join(f"|{'|'.join(f' {cell} ' if cell != '---' else cell for cell in line)}|" for line in lines)


def _cell(value: Value, form: str) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "-"
    if value == float("inf"):  # the PSNR of equal pictures
        return "exact"
    return form.format(value)


def end_of(source: Path, frames: int) -> float:
    """The --end that keeps the first frames of a clip: half a frame before the next one."""
    from videdit.media.probe import probe

    return (frames - 0.5) / float(probe(source).fps)


def edited_clips(sources: Sequence[Path], folder: Path, frames: int, edit: str = "smile") -> list[Path]:
    """The first frames of clips edited by the program as it stands: SOURCE EDITED SOURCE EDITED ... for the evaluation.

    Raises:
        MediaError: a clip could not be edited.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pairs: list[Path] = []
    for source in sources:
        edited = folder / f"{source.stem}_{edit}.mp4"
        words = ["--edit", edit, "--end", f"{end_of(source, frames):.4f}", "-o", str(edited), "--overwrite", "--quiet"]
        done = subprocess.run([sys.executable, "-m", "videdit", str(source), *words], capture_output=True, text=True)
        if done.returncode:
            raise MediaError(f"{source} could not be edited: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
        pairs += [source, edited]
    return pairs
