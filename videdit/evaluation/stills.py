"""Evaluation on aligned faces: how well they are inverted, and what each edit does to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from videdit.datatypes import Array, Crop, Rendering
from videdit.edits.directions import edit_delta
from videdit.edits.parse import Edit
from videdit.errors import MediaError, SettingsError, UsageError
from videdit.evaluation.attributes import POPULATION
from videdit.evaluation.panel import SIZE, Panel, picture
from videdit.evaluation.report import Evaluation, Value
from videdit.evaluation.sheet import contact_sheet
from videdit.faces.parser import CropParser
from videdit.geometry.face_regions import face_mask
from videdit.hfgi.hair_map import on_still
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.optimize import CLIP, Examples, tune_for_clip
from videdit.hfgi.prealign import Prealigner
from videdit.hfgi.student import StudentEditor
from videdit.imaging.crop import network_input
from videdit.imaging.detail_transfer import return_detail
from videdit.models.mobile_stylegan import Synthesis

SHOWN = 8  # faces on a sheet
# The score that an edit is for; edits and scores share their names but for these.
SCORE_OF_EDIT = {"smile": "happy", "hair_light": "hair"}
# Scores that measure the same thing, so that none is a leak of the other.
KIN = {"happy": {"happy", "smile"}}


def load_faces(folder: Path, span: slice) -> list[np.ndarray]:
    """Aligned pictures of a folder, by name, [S, S, 3] uint8 RGB.

    Raises:
        MediaError: there are none, or one cannot be read.
    """
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))[span]
    if not paths:
        raise SettingsError(
            f"no pictures in {folder} (of that range); name a folder of FFHQ-aligned faces with --faces"
        )
    return [load_face(path) for path in paths]


def load_face(path: Path) -> np.ndarray:
    """An aligned picture, [S, S, 3] uint8 RGB. Raises MediaError where it cannot be read, or is not square."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None or image.shape[0] != image.shape[1]:
        raise MediaError(f"{path} is not a readable square picture; wanted are FFHQ-aligned faces")
    return np.ascontiguousarray(image[:, :, ::-1])


def evaluate_inversion(inverter: Inverter, panel: Panel, faces: Sequence[np.ndarray], tune: int = 0) -> Evaluation:
    """Encoder only, HFGI, and HFGI with detail return (at strength 0, where nothing may be lost), at 256 px.

    faces: each [S, S, 3] uint8 RGB, aligned. tune: steps of tuning the generator to each face, as --tune does to a
    clip; 0: not.
    """
    crops = [picture_256(face) for face in faces]
    codes = inverter.encode(crops)
    renderings = inverter.render(crops, codes, codes, SIZE)
    methods = {
        "encoder only": [r.inversion_low for r in renderings],
        "HFGI": [r.inversion for r in renderings],
        "HFGI + detail return": [edited(c, r) for c, r in zip(crops, renderings, strict=True)],
    }
    masks = face_masks(panel, crops)
    if tune:
        each = zip(crops, codes[:, None], masks, strict=True)
        methods[f"HFGI, tuned in {tune} steps"] = [inverted_by_tuned(inverter, *face, tune) for face in each]
    rows: list[dict[str, Value]] = []
    for name, results in methods.items():
        like = panel.similarities(results, crops, masks)
        row: dict[str, Value] = {"inversion": name}
        for column in ("psnr", "psnr_face", "ssim", "perceptual", "mobileface", "faceres"):
            row[column] = float(getattr(like, column).mean())
        rows.append(row)
    columns = [[picture(image) for image in images[:SHOWN]] for images in (crops, *methods.values())]
    sheet = contact_sheet(list(zip(*columns, strict=True)), ["source", *methods])
    return Evaluation(rows, sheet, [f"{len(faces)} faces; mobileface and faceres are cosines of identity"])


def inverted_by_tuned(inverter: Inverter, crop: np.ndarray, code: np.ndarray, mask: np.ndarray, steps: int) -> Array:
    """HFGI of a crop with the generator tuned to it; its code [1, 18, 512], the face's mask [256, 256] in 0..1."""
    tuned = inverter.with_generator(tuned_to(inverter, crop, code, mask, steps))
    return tuned.render([crop], code, code, SIZE)[0].inversion


def tuned_to(inverter: Inverter, crop: np.ndarray, code: np.ndarray, mask: np.ndarray, steps: int) -> dict[str, Tensor]:
    """The state of the generator, tuned to one crop [256, 256, 3] as it would be to a clip without an edit.

    Raises UsageError where it is not the embedded one.
    """
    if not isinstance(inverter.generator, Synthesis):
        raise UsageError(f"generators are tuned in profile mobile only, not in {inverter.profile.name}")
    target = torch.from_numpy(network_input(crop))[None].to(inverter.device)
    pivot, where = (torch.from_numpy(array).float().to(inverter.device) for array in (code, mask[None, None]))
    course = replace(CLIP, steps=steps, bf16=inverter.pixels.precision == "bf16")
    return tune_for_clip(inverter.generator, Examples(target, pivot, pivot, where), course).state_dict()


def evaluate_edits(
    inverter: Inverter,
    panel: Panel,
    faces: Sequence[np.ndarray],
    edits: Sequence[Edit],
    student: StudentEditor | None = None,
    plain: bool = False,
    prealign: str = "flow",
    consultation: str = "always",
) -> Evaluation:
    """For each edit by itself: what its own score does, what the others do, and how much of the person stays.

    faces: each [S, S, 3] uint8 RGB, aligned. student: edits in place of the inverter. plain: HFGI as it is released.
    prealign: see :func:`rendered`. consultation: see :meth:`videdit.hfgi.profile.Profile.consults`.
    """
    crops = [picture_256(face) for face in faces]
    codes = inverter.encode(crops)
    before, who = panel.attributes(crops), panel.identity(crops)
    parser = CropParser(inverter.pixels)
    parsed, parser = parsed_crops(parser, crops, list(panel.meshes(crops) * SIZE)), parser.alone()
    rows: list[dict[str, Value]] = []
    shown: list[list[np.ndarray]] = [list(crops[:SHOWN])]
    for edit in edits:
        regions, renderings = edit.info.regions, []
        if plain:
            results = list(released(inverter, crops, codes, codes + edit_delta([edit], codes)))
        elif student is None:
            chosen = inverter.consulting(inverter.profile.consults(consultation, edit.consulted))
            renderings = rendered(chosen, crops, codes, codes + edit_delta([edit], codes), prealign)
            results = [pasted(parser, crop, r, regions) for crop, r in zip(parsed, renderings, strict=True)]
        else:
            results = student.pasted(parsed, [edit], regions)
        after = panel.attributes(results)
        row: dict[str, Value] = {"edit": f"{edit.name}={edit.strength:g}"}
        row |= changes(SCORE_OF_EDIT.get(edit.name, edit.name), edit.strength, before, after)
        for net, embeddings in panel.identity(results).items():
            row[net] = float((embeddings * who[net]).sum(1).mean())
        if renderings:
            bare = panel.identity([r.edit for r in renderings])["mobileface"]
            row["mobileface, no detail return"] = float((bare * who["mobileface"]).sum(1).mean())
        rows.append(row)
        shown.append([picture(result) for result in results[:SHOWN]])
    sheet = contact_sheet(list(zip(*shown, strict=True)), ["source", *(str(row["edit"]) for row in rows)])
    notes = [
        f"{len(faces)} faces; sd: change in standard deviations of the score over the generator's faces; leaks: the "
        "others' change in theirs, for each one of the edit's; smile counts on faces that did not smile; "
        + ("all that the release makes of a crop shows" if plain else "an edit shows behind its mask, as in a clip")
    ]
    return Evaluation(rows, sheet, notes)


def rendered(
    inverter: Inverter, crops: Sequence[np.ndarray], codes: np.ndarray, edited: np.ndarray, prealign: str = "flow"
) -> list[Rendering]:
    """HFGI of crops [S, S, 3] uint8 at 256 px, with one of :data:`videdit.hfgi.prealign.KINDS` before ADA.

    codes, edited: [N, L, 512].
    """
    bases = inverter.low_fidelity(list(crops), codes, edited, SIZE)
    flows = Prealigner(inverter.pixels, prealign).memory()([base.low for base in bases], range(len(bases)))
    return inverter.high_fidelity(bases, flows, SIZE, carried=prealign != "none")


def released(
    inverter: Inverter, crops: Sequence[np.ndarray], codes: np.ndarray, edited: np.ndarray
) -> Iterator[np.ndarray]:
    """What the release computes of crops, made at the generator's size and brought to 256 px as it does: bilinearly.

    Images [256, 256, 3] float32 in [-1, 1].
    """
    size = max(inverter.profile.sizes)
    for crop, *pair in zip(crops, codes, edited, strict=True):
        (image,) = inverter.plain([crop], pair[0][None], pair[1][None], size)
        yield cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR).clip(-1, 1)


def changes(
    score: str, strength: float, before: dict[str, np.ndarray], after: dict[str, np.ndarray]
) -> dict[str, Value]:
    """What an edit did to the score that it is for, and to the others (means over faces)."""
    counted = np.ones(len(next(iter(before.values()))), bool)
    if score == "happy":  # who smiles already cannot smile much more, nor the others less
        counted = before["happy"] < 0.5 if strength > 0 else before["happy"] >= 0.5
    if score not in before or not counted.any():
        return {"score": score, "before": None, "after": None, "sd": None, "worst leak": None, "mean leak": None}
    change = {name: float((after[name] - before[name])[counted].mean()) / POPULATION[name][1] for name in before}
    own = change[score]
    kin = KIN.get(score, {score})
    leaks = {name: abs(value) / max(abs(own), 1e-6) for name, value in change.items() if name not in kin | {"happy"}}
    worst = max(leaks, key=lambda name: leaks[name])
    return {
        "score": score,
        "before": float(before[score][counted].mean()),
        "after": float(after[score][counted].mean()),
        "sd": own,
        "worst leak": f"{worst} {leaks[worst]:.2f}",
        "mean leak": float(np.mean(list(leaks.values()))),
    }


def edited(crop: np.ndarray, rendering: Rendering) -> np.ndarray:
    """The result of an edit of a crop at 256 px, detail returned, float32 [256, 256, 3] in [-1, 1]; all of it shows."""
    return crop.astype(np.float32) / 127.5 - 1 + return_detail(crop, rendering)


def parsed_crops(parser: CropParser, pictures: Sequence[np.ndarray], meshes: Sequence[np.ndarray | None]) -> list[Crop]:
    """Aligned pictures [S, S, 3] uint8 as the pipeline has them when it edits; meshes: [468, 2] in their pixels."""
    parts = parser.parts(pictures)
    each = zip(pictures, meshes, parts, strict=True)
    return [Crop(0, picture, np.eye(2, 3), 1.0, mesh, part) for picture, mesh, part in each]


def pasted(parser: CropParser, crop: Crop, rendering: Rendering, regions: Iterable[str]) -> np.ndarray:
    """The result of an edit of a crop as a clip shows it, behind its mask, float32 [S, S, 3] in [-1, 1].

    parser: in passes of one crop.
    """
    change = parser.pixels.change(crop, parser.of_edit(crop, rendering))
    return on_still(parser.pixels, crop, change, rendering.flow, regions)


def face_masks(panel: Panel, crops: Sequence[np.ndarray]) -> np.ndarray:
    """Soft masks of the faces, [N, 256, 256] float32 in 0..1."""
    return np.stack([face_mask(mesh * SIZE, SIZE) for mesh in panel.meshes(crops)]).astype(np.float32) / 255


def picture_256(face: np.ndarray) -> np.ndarray:
    """A picture [S, S, 3] uint8 at 256 px."""
    if face.shape[0] == SIZE:
        return face
    return cv2.resize(face, (SIZE, SIZE), interpolation=cv2.INTER_AREA if face.shape[0] > SIZE else cv2.INTER_CUBIC)
