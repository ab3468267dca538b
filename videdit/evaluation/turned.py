"""Evaluation of pre-alignment, where the truth is known: people of the generator, turned by their own codes.

A sample is rendered, inverted and turned as any picture would be; what it should look like then is the sample turned
before it was ever inverted. So the distortion map that ADA should be given, and the edited face, have a truth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from videdit.edits.directions import Directions
from videdit.edits.parse import Edit
from videdit.evaluation.panel import SIZE, Panel, picture
from videdit.evaluation.report import Evaluation, Value, mean_row
from videdit.evaluation.sheet import contact_sheet
from videdit.evaluation.stills import edited
from videdit.faces.detector import FaceDetector
from videdit.geometry.face_regions import edit_mask
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.prealign import Prealigner

KINDS = ("none", "flow", "auto", "landmarks")
SHOWN = 3  # people of each edit on a sheet


def evaluate_prealign(inverter: Inverter, panel: Panel, codes: np.ndarray, edits: Sequence[Edit]) -> Evaluation:
    """What each kind of pre-alignment makes of edits of samples.

    codes: of the people, [N, L, 512].
    """
    detector = FaceDetector(inverter.device)
    people = low(inverter, codes)
    pictures = [picture(person) for person in people]
    inverted = inverter.encode(pictures)
    rows: list[dict[str, Value]] = []
    shown: list[list[np.ndarray]] = []
    for edit in edits:
        step = Directions([edit.name], codes.shape[1])(np.array([edit.strength]))
        truths = low(inverter, codes + step)
        meshes = [None if face is None else face.mesh for face in map(detector.aligned, map(picture, truths))]
        seen = [i for i, mesh in enumerate(meshes) if mesh is not None]
        masks = [edit_mask(meshes[i], SIZE, ("head",)).astype(np.float32)[..., None] / 255 for i in seen]
        bases = [
            inverter.low_fidelity([pictures[i]], inverted[i : i + 1], inverted[i : i + 1] + step, SIZE)[0] for i in seen
        ]
        sheet = [[pictures[i], picture(d.low[1]), picture(truths[i])] for i, d in zip(seen, bases, strict=True)]
        who = panel.identity([truths[i] for i in seen])["mobileface"]
        for kind in KINDS:
            carried = kind != "none"
            flows = Prealigner(inverter.pixels, kind, detector).memory()([base.low for base in bases], seen)
            renderings = [inverter.high_fidelity([d], [m], SIZE, carried)[0] for d, m in zip(bases, flows, strict=True)]
            results = [edited(pictures[i], rendering) for i, rendering in zip(seen, renderings, strict=True)]
            like = (panel.identity(results)["mobileface"] * who).sum(1)
            each: list[dict[str, Value]] = []
            for k, (i, base, flow) in enumerate(zip(seen, bases, flows, strict=True)):
                given, wanted = base.source - base.low[0], truths[i] - base.low[1]
                given = inverter.pixels.warp_distortion_map(given, flow) if carried else given
                row: dict[str, Value] = {"edit, pre-alignment": kind}
                row["distortion"] = error(given, wanted, masks[k]) / error(0 * wanted, wanted, masks[k])
                row["psnr"] = 10 * np.log10(4 / error(results[k].clip(-1, 1), truths[i].clip(-1, 1), masks[k]))
                row["identity"] = float(like[k])
                row["returned"] = float((flow.confidence[..., None] * masks[k]).sum() / masks[k].sum())
                each.append(row)
            rows.append(mean_row(f"{edit.name}={edit.strength:+g}, {kind}", each))
            sheet = [[*shots, picture(result)] for shots, result in zip(sheet, results, strict=True)]
        shown += sheet[:SHOWN]
    notes = [
        f"{len(codes)} samples; distortion: squared error of the map before ADA, in that of no map at all; returned: "
        "how far the source's own pixels are trusted; all inside the head"
    ]
    return Evaluation(rows, contact_sheet(shown, ["sample", "low edit", "truth", *KINDS]), notes)


def low(inverter: Inverter, codes: np.ndarray) -> np.ndarray:
    """Codes [N, L, 512] -> renders [N, 256, 256, 3]."""
    nothing = np.zeros((SIZE, SIZE, 3), np.uint8)
    return np.stack([inverter.low_fidelity([nothing], code[None], code[None])[0].low[0] for code in codes])


def error(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> float:
    """Mean squared difference of maps [256, 256, 3] under a mask [256, 256, 1]."""
    return float((np.square(a - b) * mask).sum() / (3 * mask.sum()))
