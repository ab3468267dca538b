"""Exact pairs for the student: the generator's picture of a code, and its picture of the same code edited.

A base is a sample of the generator, or what it makes of a real face's code, its mouth, lids, smile and head moved at
random. Each base gets a few edits, one at a time or up to three at once. Of what the edited picture shows only that
counts which the edit may paint (its regions, by the parser, before and after): elsewhere the pair is equal, so that a
student learns to leave backgrounds, hats and clothes alone. A direction that would put on glasses or a hat is not
followed in that, and a beard that is not there cannot become less.

Files in the folder, N bases of K edits: base.npy [N, 256, 256, 3] uint8, edited.npy [N, K, 256, 256, 3] uint8,
strengths.npy [N, K, E] float32 in recommended strengths, mesh.npy [N, 468, 2] float32 of the bases, in fractions of
the side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from videdit.datatypes import LOW
from videdit.edits.catalogue import shipped
from videdit.edits.directions import Directions
from videdit.evaluation.attributes import CropMesh, patch_scores
from videdit.geometry.face_regions import EDIT_REGIONS
from videdit.hfgi.loader import load_encoder, load_generator
from videdit.imaging.paint_mask import PAINTED, PRESENT, ramp
from videdit.models.face_parser import FaceParser, PartParser
from videdit.models.face_parts import PARTS
from videdit.models.mobile_stylegan import NUM_LAYERS, Mapping
from videdit.models.sizes import EDITS, MESH_POINTS
from videdit.training.attributes import Render256, fastest
from videdit.training.data import to_tensor
from videdit.weights import load_state

BATCH = 8
FILES = ("base.npy", "edited.npy", "strengths.npy", "mesh.npy")
# How often an edit is drawn, and from where to where its strength goes, in recommended strengths.
DRAWN: dict[str, tuple[float, float, float]] = {
    "smile": (0.3, -1.1, 1.7),
    "age": (0.26, -0.9, 1.4),
    "mouth_open": (0.08, -1.2, 1.4),
    "eyes_open": (0.09, -1.5, 1.5),
    "beard": (0.07, -1.2, 1.3),
    "gender": (0.09, -1.3, 1.3),
    "lipstick": (0.06, -1.2, 1.6),
    "yaw": (0.05, -1.3, 1.3),
}
# Standard deviations, in recommended strengths, by which bases are moved at random.
MOVED = {"mouth_open": 0.9, "yaw": 0.7, "eyes_open": 0.6, "smile": 0.5}
# Regions that the mesh draws; the others are the parser's.
SHAPED = ("lips", "eyes", "skin", "skin_and_mouth", "round_eyes")
SHAVEN = 2.5  # of the beard's score: below it there is nothing to take away
NEW_ONLY = tuple(list(PARTS).index(name) for name in ("glasses", "hat"))


@dataclass(frozen=True)
class PairPlan:
    """How many pairs, of what."""

    bases: int
    each: int  # edits of a base
    real: float = 0.35  # share of bases that are codes of real faces
    seed: int = 0


def make_pairs(
    out: Path, plan: PairPlan, faces: np.ndarray | None, encoder: Path, device: str = "cpu", threads: int = 2
) -> int:
    """Write the pairs of a plan into a folder, going on where an earlier call stopped; the number of bases there.

    faces: real ones, [M, 256, 256, 3] uint8; without them every base is a sample.
    """
    out.mkdir(parents=True, exist_ok=True)
    shapes = {
        "base.npy": ((plan.bases, LOW, LOW, 3), np.uint8),
        "edited.npy": ((plan.bases, plan.each, LOW, LOW, 3), np.uint8),
        "strengths.npy": ((plan.bases, plan.each, len(EDITS)), np.float32),
        "mesh.npy": ((plan.bases, MESH_POINTS, 2), np.float32),
    }
    arrays = {}
    for name, (shape, dtype) in shapes.items():
        path = out / name
        if path.exists() and np.load(path, mmap_mode="r").shape == shape:
            arrays[name] = np.lib.format.open_memmap(path, "r+")
        else:
            arrays[name] = np.lib.format.open_memmap(path, "w+", dtype, shape)
    done = out / "done.txt"
    first = int(done.read_text()) if done.exists() else 0
    if first >= plan.bases:
        return plan.bases
    maker = PairMaker(plan, faces, encoder, device, threads)
    for start in range(first, plan.bases, BATCH):
        count = min(BATCH, plan.bases - start)
        for name, value in zip(FILES, maker.draw(start), strict=True):
            arrays[name][start : start + count] = value[:count]
            arrays[name].flush()
        done.write_text(str(start + count))
        if start // BATCH % 10 == 0:
            print(f"pairs of {start + count} of {plan.bases} faces", flush=True)
    return plan.bases


class PairMaker:
    """Draws bases and their edits. What it draws depends on the seed and the number of the base alone."""

    def __init__(self, plan: PairPlan, faces: np.ndarray | None, encoder: Path, device: str, threads: int) -> None:
        """What pairs are made of, and with.

        Args:
            plan: how many of which, and the seed.
            faces: [N, 256, 256, 3] uint8 RGB; None: all bases are samples.
            encoder: the file of E0's weights, for the codes of faces.
            device: torch's name of it.
            threads: of the engines.
        """
        self.plan, self.faces = plan, faces
        self.mapping: Mapping
        self.mapping, generator = load_generator(device)
        self.render = fastest(Render256(generator), (torch.zeros(BATCH, NUM_LAYERS, 512),), device, "auto", threads)
        pictures = (torch.zeros(BATCH, 3, LOW, LOW),)
        self.mesh = fastest(MeshAndBeard(), pictures, device, "fp32", threads)
        net = FaceParser()
        net.load_state_dict(load_state("parser"))
        self.parser = fastest(PartParser(net.eval().requires_grad_(False)), pictures, device, "auto", threads)
        self.encoder = load_encoder(encoder, device)
        infos = shipped()
        self.directions = Directions(EDITS)
        self.recommended = np.array([infos[name].recommended for name in EDITS], np.float32)
        self.regions = [infos[name].regions for name in EDITS]
        with torch.inference_mode():
            rng = torch.Generator().manual_seed(plan.seed)
            self.mean = self.mapping(torch.randn(4096, 512, generator=rng)).mean(0)

    def added(self, strengths: np.ndarray) -> np.ndarray:
        """What strengths [B, E], in recommended ones, add to codes: [B, 18, 512] float32."""
        return np.stack([self.directions(given * self.recommended) for given in strengths]).astype(np.float32)

    def draw(self, start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """BATCH bases [B, 256, 256, 3], their edits [B, K, 256, 256, 3], strengths [B, K, E], meshes [B, 468, 2]."""
        rng = np.random.default_rng((self.plan.seed, start))
        codes = self.codes(rng)
        moved = np.zeros((BATCH, len(EDITS)), np.float32)
        for name, deviation in MOVED.items():
            moved[:, EDITS.index(name)] = rng.normal(0, deviation, BATCH)
        codes = codes + self.added(moved)
        base = self.pictures(codes)
        mesh, beard = self.looked(base)
        parts = self.parts(base)
        strengths = np.stack([[draw_strengths(rng) for _ in range(self.plan.each)] for _ in range(BATCH)])
        edited = np.empty((BATCH, self.plan.each, LOW, LOW, 3), np.uint8)
        for k in range(self.plan.each):
            given = strengths[:, k].copy()
            shaven = EDITS.index("beard")
            given[:, shaven] = np.where(beard < SHAVEN, np.maximum(given[:, shaven], 0), given[:, shaven])
            pictures = self.pictures(codes + self.added(given))
            after, _ = self.looked(pictures)
            parts_after = self.parts(pictures)
            for i in range(BATCH):
                names = {name for e in np.flatnonzero(given[i]) for name in self.regions[e]}
                mask = painted((mesh[i], after[i]), (parts[i], parts_after[i]), sorted(names))[..., None]
                picture = pictures[i].astype(np.float32)
                if given[i, shaven] and not np.delete(given[i], shaven).any():
                    picture, mask = bearded(base[i], picture, parts[i], mesh[i], mask)
                mixed = base[i] + mask * (picture - base[i])
                edited[i, k] = np.clip(mixed + 0.5, 0, 255)
        return base, edited, strengths, mesh

    def codes(self, rng: np.random.Generator) -> np.ndarray:
        """Codes [B, 18, 512] of samples, or of real faces."""
        with torch.inference_mode():
            z = torch.from_numpy(rng.standard_normal((BATCH, 512)).astype(np.float32))
            psi = torch.from_numpy(rng.uniform(0.5, 0.95, (BATCH, 1)).astype(np.float32))
            codes = (self.mean + psi * (self.mapping(z) - self.mean))[:, None].repeat(1, NUM_LAYERS, 1).numpy()
            if self.faces is None:
                return codes
            chosen = np.flatnonzero(rng.random(BATCH) < self.plan.real)
            if len(chosen):
                numbers = np.sort(rng.integers(len(self.faces), size=len(chosen)))
                codes[chosen] = self.encoder(to_tensor(self.faces[numbers])).numpy()
        return codes

    def pictures(self, codes: np.ndarray) -> np.ndarray:
        """Codes [B, 18, 512] -> uint8 [B, 256, 256, 3]."""
        images = np.asarray(self.render(codes.astype(np.float32))[0]).transpose(0, 2, 3, 1)
        return np.clip(images * 127.5 + 128, 0, 255).astype(np.uint8)

    def parts(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures -> how likely each of PARTS is at each place, [B, 9, 128, 128]."""
        return np.asarray(self.parser(np.ascontiguousarray(to_tensor(pictures)))[0])

    def looked(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pictures -> meshes [B, 468, 2] in fractions of the side, and how bearded they are [B]."""
        mesh, beard = self.mesh(np.ascontiguousarray(to_tensor(pictures)))
        return np.asarray(mesh), np.asarray(beard)


def bearded(
    base: np.ndarray, edited: np.ndarray, parts: np.ndarray, mesh: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """An edit [256, 256, 3] of the beard alone, in the light of its base, and its mask below the nose only.

    A score of dark jaws has a direction that darkens skin as well: the skin above the nose says by how much.
    """
    nose = float(mesh[1, 1] * LOW)
    above = cv2.resize(parts[0].astype(np.float32), (LOW, LOW)) * (np.arange(LOW)[:, None] < nose - 8)
    share = above[..., None] / max(float(above.sum()), 1.0)
    light = (share * base).sum((0, 1)) / np.maximum((share * edited).sum((0, 1)), 1.0)
    below = ramp(np.arange(LOW, dtype=np.float32), nose - 4, nose + 10)[:, None, None]
    return np.clip(edited * light, 0, 255), mask * below


class MeshAndBeard(nn.Module):
    """Pictures [B, 3, 256, 256] in [-1, 1] -> (mesh [B, 468, 2] in fractions of the side, the beard's score [B])."""

    def __init__(self) -> None:
        """With the mesh net that ships."""
        super().__init__()
        self.mesh = CropMesh()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points are (x, y); the score is that of :func:`videdit.evaluation.attributes.patch_scores`."""
        points = self.mesh(x)[..., :2]
        return points, patch_scores(x, points)["beard"]


def draw_strengths(rng: np.random.Generator) -> np.ndarray:
    """One to three edits at once, [E] float32 in recommended strengths."""
    names = list(DRAWN)
    chances = np.array([DRAWN[name][0] for name in names])
    count = int(rng.choice([1, 2, 3], p=[0.68, 0.24, 0.08]))
    strengths = np.zeros(len(EDITS), np.float32)
    for name in rng.choice(names, count, replace=False, p=chances / chances.sum()):
        _, low, high = DRAWN[name]
        strengths[EDITS.index(name)] = rng.uniform(low, high)
    return strengths


def painted(
    meshes: tuple[np.ndarray, np.ndarray], parts: tuple[np.ndarray, np.ndarray], regions: Sequence[str]
) -> np.ndarray:
    """What an edit may paint, before and after it, [256, 256] float32 in 0..1.

    meshes: [468, 2] in fractions of the side; parts: [9, 128, 128], see :data:`videdit.models.face_parts.PARTS`.
    """
    masks = [np.zeros((LOW, LOW), np.float32)]
    for name in regions:
        for mesh, seen in zip(meshes, parts, strict=True):
            wanted = [i for i, part in enumerate(PARTS) if part in PAINTED[name]]
            mask = ramp(cv2.resize(seen[wanted].sum(0).astype(np.float32), (LOW, LOW)), *PRESENT)
            if name in SHAPED:
                mask = mask * (EDIT_REGIONS[name](mesh * LOW, LOW).astype(np.float32) / 255)
            masks.append(mask)
    before, after = (seen[list(NEW_ONLY)].sum(0).astype(np.float32) for seen in parts)
    new = cv2.dilate(ramp(cv2.resize(after - before, (LOW, LOW)), 0.2, 0.5), np.ones((7, 7), np.uint8))
    return cv2.GaussianBlur(np.maximum.reduce(masks) * (1 - new), (0, 0), 2)
