"""How outputs are named: by the source, its edits, and the user's file, folder or template."""

from __future__ import annotations

import os
import string
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from videdit import paths
from videdit.errors import RefusedInput, UsageError
from videdit.jobs.render_job import RenderJob
from videdit.media import image_sequence
from videdit.media.image_sequence import is_sequence
from videdit.media.kinds import Kind, kind_of

if TYPE_CHECKING:
    from videdit.edits import Edit

EXR = ".exr"
IMAGES = frozenset({EXR, ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
CONTAINERS = image_sequence.CONTAINERS  # written as they came
OTHER_CONTAINERS = frozenset(
    (".264", ".265", ".3g2", ".3gp", ".apng", ".asf", ".av1", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".gxf")
    + (".h264", ".h265", ".hevc", ".ivf", ".m1v", ".m2t", ".m2ts", ".m2v", ".mjpeg", ".mjpg", ".mpeg", ".mpg", ".mpv")
    + (".mts", ".mxf", ".nut", ".obu", ".ogv", ".rm", ".rmvb", ".ts", ".vc1", ".vob", ".wmv", ".y4m")
)
FALLBACK = ".mkv"  # holds any stream that the others may carry
VIDEOS = CONTAINERS | OTHER_CONTAINERS
_KEYS = 4  # strengths of keyframes that a file's name tells
_WITHOUT_LOSS = {".dpx": ".tif"}  # where what is made of pictures goes that are not written; of others into PNG


def output_path(source: Path, job: RenderJob, tree: Path = Path(), *, batch: bool = False) -> Path:
    """Where the edit of `source` goes.

    Args:
        source: the clip or picture.
        job: what is asked for; its output may be a file, a folder or a template.
        tree: the folders between the input folder and `source`, kept in the output folder.
        batch: `source` is one of many, so ``job.output`` can only be a folder or a template.

    Raises:
        UsageError: the output's name cannot be: an unknown template field, or a kind of file that cannot hold it.
    """
    numbered = is_sequence(source)
    stem, suffix = image_sequence.name_of(source) if numbered else source.stem, source.suffix.lower()
    kind = Kind("video", suffix) if numbered else kind_of_source(source)
    image, suffix = kind.form == "image", kind.suffix
    extension = FALLBACK if numbered else _extension(source, kind)
    if numbered and suffix == EXR:  # no container holds what these may hold
        extension = f"_{image_sequence.numbering(source)}{source.suffix}"
    label = edit_label(job.edits)
    name = f"{stem}_{label}{extension}"
    if job.output is None:
        return source.with_name(name)
    output = paths.expanded(job.output)
    if "{" in job.output:
        fields = {"edit": "+".join(map(edit_name, job.edits)), "strength": "".join(map(signed, job.edits))}
        output = Path(_filled(str(output), {"stem": stem, **fields, "ext": extension}))
        output = output.parent / tree / output.name
    elif _means_folder(job.output):
        return output / tree / name
    elif batch:
        raise UsageError(f"the output {job.output} is one file, but there may be many inputs; name a folder")
    target = output.suffix.lower()
    if (suffix == EXR) != (target == EXR) or (target == EXR and is_sequence(output) != numbered):
        name = "out_%04d.exr" if numbered else "out.exr"
        how = f"EXR stays EXR: name the output like {name}" if suffix == EXR else "only EXR pictures become EXR"
        raise UsageError(f"cannot write {source} to {output}; {how}")
    if target == EXR:
        return output
    if target not in (IMAGES if image or is_sequence(output) else CONTAINERS):
        if kind.form == "sound":
            raise RefusedInput(f"{source} is sound without a picture")
        writable = ", ".join(sorted(IMAGES - {EXR} if image else CONTAINERS))
        writable += "" if image else ", or as numbered pictures: out_%04d.png"
        what = "picture" if image else "video"
        told = "" if numbered or kind.fits(source.suffix) else f" ({source.name} holds a {what}: {suffix.lstrip('.')})"
        raise UsageError(f"cannot write a {what} to {output}{told}; name it one of {writable}")
    return output


def kind_of_source(source: Path) -> Kind:
    """What a file is: by its content, or by its name where that says nothing."""
    suffix = source.suffix.lower()
    return kind_of(source) or Kind("image" if suffix in IMAGES else "video", suffix)


def _extension(source: Path, kind: Kind) -> str:
    """The suffix of what is made of a file: its own where that is right and written."""
    written = IMAGES if kind.form == "image" else CONTAINERS
    if source.suffix.lower() in written and kind.fits(source.suffix):
        return source.suffix
    if kind.suffix in written:
        return kind.suffix
    return _WITHOUT_LOSS.get(kind.suffix, ".png") if kind.form == "image" else FALLBACK


def edit_label(edits: Iterable[Edit]) -> str:
    """The edits as they appear in a file's name, each with its strength where somebody said it.

    "smile" -> "smile", "smile=1.5,age=-1" -> "smile+1.5+age-1", "smile=0@0s,2@1.5s" -> "smile+0to+2"
    """
    return "+".join(edit_name(edit) + ("" if edit.bare else signed(edit)) for edit in edits)


def edit_name(edit: Edit) -> str:
    """What it is called in a file's name."""
    return Path(edit.name).stem


def signed(edit: Edit) -> str:
    """Its strength as it appears in a file's name: "+1.5"; of many keyframes the first, the strongest and the last."""
    keys = [key.strength for key in edit.keyframes] or [edit.strength]
    if len(keys) > _KEYS:
        keys = [keys[0], edit.strength, keys[-1]]
    return "to".join(f"{strength:+g}" for strength in keys)


def alpha_path(source: Path, output: Path, job: RenderJob, *, batch: bool = False) -> Path | None:
    """Where the matte of an edit goes, if the job wants it: into a folder, or a file that can hold it.

    Raises:
        UsageError: a file for many inputs, one that cannot hold a matte, or the output itself.
    """
    if job.alpha_out is None:
        return None
    path = paths.expanded(job.alpha_out)
    image = not is_sequence(source) and kind_of_source(source).form == "image"
    if _means_folder(job.alpha_out):
        path = path / f"{output.stem}_matte{'.png' if image else FALLBACK}"
    elif batch:
        raise UsageError(f"the matte {job.alpha_out} is one file, but there may be many inputs; name a folder")
    if path.suffix.lower() not in ((".png", ".tif", ".tiff", ".bmp") if image else (".mkv", ".mp4", ".mov")):
        raise UsageError(f"cannot write a matte to {path}; name it .{'png' if image else 'mkv, .mp4 or .mov'}")
    if paths.real(path) == paths.real(output):
        raise UsageError(f"the matte and the output would both be written to {path}")
    return path


def _filled(template: str, values: dict[str, str]) -> str:
    """The template with its fields filled in: plain ones only, for "{stem.__class__}" or "{stem:>999999999}" are traps.

    Raises:
        UsageError: another field, or ".." after one, which could lead anywhere.
    """
    try:
        parts = list(string.Formatter().parse(template))
        plain = all(field is None or (field in values and not spec and not how) for _, field, spec, how in parts)
    except ValueError:
        plain = False
    if not plain:
        raise UsageError(f"the output template {template} may use only {{stem}}, {{edit}}, {{strength}} and {{ext}}")
    if ".." in Path(template[template.index("{") :]).parts:
        raise UsageError(f"the output template {template} may not go up again (..) after a field")
    return template.format(**values)


def _means_folder(words: str) -> bool:
    path = paths.expanded(words)
    return words.endswith(("/", os.sep)) or path.is_dir() or not path.suffix


def state_folder(job: RenderJob, top: Path) -> Path:
    """The folder whose state file remembers what a batch has done; top: that of its inputs."""
    if job.output is None:
        return top
    if "{" in job.output:  # the folders before the first field
        return paths.expanded(job.output.split("{")[0] + "x").parent
    return paths.expanded(job.output)
