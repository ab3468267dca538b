"""Train HFGI's student on the exact pairs of the generator and its directions (``videdit.training.pairs``).

Pairs are made first, once, into --data/pairs; then the network learns from them. Both pictures of a pair get the same
turn, colour cast, occluder, blur and grain, so that the student learns what real footage does without a real pair: an
occluder stays in front, grain stays where it is, and of a worn picture the edit is as worn.

The two pictures of a pair are clean, so their optical flow is known well: it teaches the student's flow directly, and
where the flow explains nothing its mask. Without that the student shades what it should move: a warp's own gradient
reaches no further than a pixel or two.

Losses: L1 on the picture, on its gradients and on the picture a quarter as large (what the edit changes weighs five
times), L1 on the flow, cross entropy of the mask (L1 would never let it begin), the distance of EfficientNet-Lite0's
features on some of the batch, the mean of the mask and the roughness of the flow.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit import paths
from videdit.errors import UsageError
from videdit.evaluation.attributes import CropMesh
from videdit.evaluation.sheet import contact_sheet
from videdit.imaging.degradation import compress
from videdit.models.perceptual import PerceptualFeatures, feature_distance
from videdit.models.sizes import ANCHORS, EDITS
from videdit.models.student import MIRROR, SIZE, Student, compose, enlarged, parts
from videdit.training import recipe, training
from videdit.training.data import Faces, jitter_colour, load_pack, to_pictures, to_tensor
from videdit.training.pairs import FILES, PairPlan, make_pairs
from videdit.training.training import Setup, Validation, weighted
from videdit.weights.judges import load_judge

CHANGED = 0.06  # of a picture in -1..1: a pixel that an edit changes by more counts for more
SHOWN = (("smile", 1.2), ("smile", -1.0), ("age", 1.0), ("age", -0.75), ("mouth_open", 1.0), ("eyes_open", 1.0))
MIRRORED = EDITS.index("yaw")  # goes the other way in a mirrored picture


@dataclass
class Recipe(recipe.Recipe):
    """configs/train/student.yaml."""

    bases: int = 1500  # faces that pairs are made of
    each: int = 4  # edits of each
    held_bases: int = 24  # of them the last, which no step sees
    pairs: int = 12  # in a step
    lr: float = 1.0e-3
    l1: float = 1.0  # weights of the losses
    coarse: float = 0.5
    flow: float = 4.0
    mask: float = 0.05
    gradient: float = 0.7
    perceptual: float = 0.3
    judged: int = 4  # pairs of a step whose features are compared
    judged_from: float = 0.6  # share of the training from which on they are: first it learns what moves where
    new: float = 0.02  # mean of the mask
    rough: float = 0.5  # of the flow
    smiles: float = 0.35  # share of pairs that are the strongest smile of their face: mouths are the hardest to learn
    nothing: float = 0.06  # share of pairs whose strengths are 0 and nothing changes
    occluded: float = 0.3  # share of pairs with something in front
    worn: float = 0.35  # share of pairs with blur, compression or grain


class Training(training.Training[Recipe]):
    """The student on pairs."""

    file = "student.safetensors"

    def __init__(self, recipe: Recipe, setup: Setup) -> None:
        """Makes the pairs that are not in ``setup.data``/pairs yet, which takes long. Raises UsageError."""
        super().__init__(recipe, setup)
        folder = setup.data / "pairs"
        real = setup.data / "real256.npy"
        faces = Faces(real, recipe.held) if real.exists() else None
        encoder = setup.encoder or paths.weights_dir() / "encoder.safetensors"
        make_pairs(
            folder, PairPlan(recipe.bases, recipe.each, seed=recipe.seed), faces.images if faces else None, encoder
        )
        self.base, self.edited, self.strengths, self.mesh = (load_pack(folder / name) for name in FILES)
        self.real = faces.held_images[:8] if faces else None
        if not 0 < recipe.held_bases < len(self.base):
            raise UsageError(f"held_bases: {recipe.held_bases} of {len(self.base)} cannot be held back")
        self.model = self.start(Student())
        self.optimizer = torch.optim.AdamW(self.model.parameters(), recipe.lr, (0.9, 0.99), weight_decay=1e-4)
        self.features = (
            PerceptualFeatures(load_judge("efficientnet_lite0")).to(self.device) if recipe.perceptual else None
        )
        self.run = self.compiled(lambda x, s, a: self.model(x, s, a))

    def batch(self, step: int) -> tuple[Tensor, ...]:
        """(crops, edited crops, strengths [B, E], motions [B, 4, 128, 128], anchors [B, 21, 2])."""
        rng = self.rng(step)
        inputs, targets, strengths, moved, points = [], [], [], [], []
        for number in rng.integers(len(self.base) - self.recipe.held_bases, size=self.recipe.pairs):
            k = int(rng.integers(self.edited.shape[1]))
            if rng.random() < self.recipe.smiles:
                k = int(np.abs(self.strengths[number, :, EDITS.index("smile")]).argmax())
            pair = looked_at(self.base[number]), looked_at(self.edited[number, k])
            strength = np.array(self.strengths[number, k])
            if rng.random() < self.recipe.nothing:
                pair, strength = (pair[0], pair[0]), np.zeros_like(strength)
            anchors = np.array(self.mesh[number])[list(ANCHORS)] * SIZE
            x, y, strength, taught, anchors = self.augmented(*pair, strength, anchors, rng)
            moved.append(taught)
            points.append(anchors + rng.normal(0, 0.5, anchors.shape))
            inputs.append(x)
            targets.append(y)
            strengths.append(strength)
        given = torch.from_numpy(np.stack(strengths).astype(np.float32))
        motions = torch.from_numpy(np.stack(moved)).permute(0, 3, 1, 2)
        told = torch.from_numpy(np.stack(points).astype(np.float32)) * (2 / SIZE) - 1
        return to_tensor(np.stack(inputs)), to_tensor(np.stack(targets)), given, motions, told

    def augmented(
        self, x: np.ndarray, y: np.ndarray, strength: np.ndarray, anchors: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A pair as footage might show it, uint8 [128, 128, 3] each, both alike; its strengths, motion, anchors.

        anchors: [21, 2] in pixels, centres at +0.5.
        """
        both = np.concatenate((x, y), 2)
        if rng.random() < 0.5:
            both, strength = both[:, ::-1], strength * np.where(np.arange(len(strength)) == MIRRORED, -1, 1)
            anchors = anchors[list(MIRROR)] * (-1, 1) + (SIZE, 0)
        centre = (SIZE - 1) / 2
        matrix = cv2.getRotationMatrix2D((centre, centre), rng.normal(0, 5), float(np.exp(rng.normal(0, 0.06))))
        matrix[:, 2] += rng.normal(0, 2, 2)
        x, y = (
            cv2.warpAffine(np.ascontiguousarray(part), matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT_101)
            for part in (both[..., :3], both[..., 3:])
        )
        anchors = (anchors - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
        moved = motion(x, y)
        if rng.random() < 0.7:
            state = rng.bit_generator.state
            x = jitter_colour(x, rng)
            rng.bit_generator.state = state
            y = jitter_colour(y, rng)
        if rng.random() < self.recipe.occluded:
            mask, over = self.occluder(rng)
            moved *= 1 - mask
            x, y = ((part * (1 - mask) + over * mask + 0.5).astype(np.uint8) for part in (x, y))
        if rng.random() < self.recipe.worn:
            x, y = worn(x, y, rng)
        return x, y, strength, moved, anchors

    def occluder(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Something of another picture: where it is [128, 128, 1] in 0..1, and its colours."""
        other = looked_at(self.base[int(rng.integers(len(self.base)))]).astype(np.float32)
        other = np.roll(other, rng.integers(-SIZE // 2, SIZE // 2, 2), (0, 1)) * rng.uniform(0.4, 1.1)
        mask = np.zeros((SIZE, SIZE), np.float32)
        centre, axes = rng.integers(10, SIZE - 10, 2), rng.integers(5, 30, 2)
        cv2.ellipse(mask, centre.tolist(), axes.tolist(), float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
        return cv2.GaussianBlur(mask, (0, 0), 1)[..., None], other

    def loss(self, batch: tuple[Tensor, ...], step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Terms by the recipe's names, and "identical": the error of a student that does nothing."""
        x, y, strengths, moved, anchors = batch
        found = parts(self.run(x, strengths, anchors).float(), strengths)
        made = compose(x, *found)
        weight = 1 + 4 * ((y - x).abs().mean(1, keepdim=True) > CHANGED).float()
        near, far = (
            torch.stack(
                [(a - b).abs().mul(w).mean() for a, b, w in zip(slopes(one), slopes(two), weights, strict=True)]
            )
            for one, two, weights in (
                (made, y, (weight[..., 1:], weight[..., 1:, :])),
                (shrunk(made), shrunk(y), (torch.ones_like(weight[..., :1, :1]),) * 2),
            )
        )
        flow, mask = found[:2]
        coarse = compose(*(F.avg_pool2d(part, 4) for part in (x, *found)))  # type: ignore[arg-type]
        terms = {
            "coarse": ((coarse - F.avg_pool2d(y, 4)).abs() * F.avg_pool2d(weight, 4)).mean(),
            "flow": ((flow - moved[:, :2]).abs() * weight * moved[:, 2:3]).mean(),
            "mask": (
                F.binary_cross_entropy(mask.clamp(1e-4, 1 - 1e-4), moved[:, 3:], reduction="none") * weight
            ).mean(),
            "l1": ((made - y).abs() * weight).mean(),
            "gradient": near.sum() + far.sum(),
            "new": found[1].mean(),
            "rough": torch.stack([part.abs().mean() for part in slopes(found[0])]).sum(),
        }
        if self.features is not None and progress >= self.recipe.judged_from:
            judged = slice(0, self.recipe.judged)
            with torch.no_grad():
                wanted = self.features(y[judged])
            terms["perceptual"] = feature_distance(self.features(made[judged]), wanted).mean()
        total = weighted(self.recipe, terms)
        return total, terms | {"identical": ((x - y).abs() * weight).mean()}

    def validate(self, model: nn.Module) -> Validation:
        """``val_error`` where the edit changes something, and ``val_untouched``, the same of crops left as they are."""
        held, each = self.recipe.held_bases, self.edited.shape[1]
        x = to_tensor(np.repeat([looked_at(picture) for picture in self.base[-held:]], each, 0))
        y = to_tensor(np.stack([looked_at(picture) for several in self.edited[-held:] for picture in several]))
        given = torch.from_numpy(np.asarray(self.strengths[-held:]).reshape(-1, len(EDITS)))
        points = self.anchors(np.repeat(np.asarray(self.mesh[-held:]), each, 0))
        errors, same = [], []
        for i in range(0, len(x), 8):
            part = slice(i, i + 8)
            made = self.edit(model, x[part], given[part], points[part])
            changed = ((y[part] - x[part]).abs().mean(1, keepdim=True) > CHANGED).float()
            area = 3 * changed.sum().clamp(min=1)
            errors.append(((made - y[part]).abs() * changed).sum() / area)
            same.append(((x[part] - y[part]).abs() * changed).sum() / area)
        figures = {"val_error": float(torch.stack(errors).mean()), "val_untouched": float(torch.stack(same).mean())}
        return Validation(figures, self.sheet(model))

    def sheet(self, model: nn.Module) -> np.ndarray:
        """Real faces that no step saw (else held samples), and what the edits make of them: [H, W, 3] uint8."""
        if self.real is None:
            faces, points = to_tensor(np.asarray(self.base[-8:])), self.anchors(np.asarray(self.mesh[-8:]))
        else:
            faces = to_tensor(self.real)
            points = self.anchors(CropMesh()(faces)[..., :2].numpy())
        columns = [to_pictures(faces)]
        for name, strength in SHOWN:
            given = torch.zeros(len(faces), len(EDITS))
            given[:, EDITS.index(name)] = strength
            columns.append(to_pictures(self.edit(model, faces, given, points)))
        titles = ("source", *(f"{name} {strength:+g}" for name, strength in SHOWN))
        return contact_sheet(list(zip(*columns, strict=True)), titles)

    def edit(self, model: nn.Module, x: Tensor, strengths: Tensor, anchors: Tensor) -> Tensor:
        """The edited pictures [B, 3, S, S], S 128 or a multiple of it, on the CPU."""
        x, strengths, anchors = (part.to(self.device) for part in (x, strengths, anchors))
        found = parts(model(F.avg_pool2d(x, x.shape[-1] // SIZE), strengths, anchors), strengths)
        flow, mask, colours, shade = (enlarged(part, x.shape[-1]) for part in found)
        return compose(x, flow, mask, colours, shade).cpu()

    @staticmethod
    def anchors(meshes: np.ndarray) -> Tensor:
        """Meshes [N, 468, 2] in fractions of the side -> anchors [N, 21, 2] in half sides."""
        return torch.from_numpy(meshes[:, list(ANCHORS)].astype(np.float32)) * 2 - 1


def looked_at(picture: np.ndarray) -> np.ndarray:
    """A picture of the pairs, uint8 [256, 256, 3], at the size that the network looks at."""
    return cv2.resize(np.asarray(picture), (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def motion(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """What an exact pair teaches, [128, 128, 4] float32: flow in half sides (x, y), how sure it is, and what is new.

    before, after: uint8 [128, 128, 3]. The flow says where in `before` a pixel of `after` was; sure and new: 0..1.
    """
    grey = [cv2.cvtColor(part, cv2.COLOR_RGB2GRAY) for part in (after, before)]
    flow = _dis().calc(*grey, None)
    place = flow + np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).astype(np.float32)
    carried = cv2.remap(before, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # Colours may have changed as a whole (grey hair): what was not there before has other edges.
    wrong = after.astype(np.float32) - carried
    wrong = np.abs(wrong - cv2.GaussianBlur(wrong, (0, 0), 5)).max(-1)
    new = cv2.GaussianBlur(np.clip((wrong - 22) / 30, 0, 1), (0, 0), 1.5)
    sure = np.exp(-np.square(cv2.GaussianBlur(wrong, (0, 0), 1) / 30))
    return np.dstack((flow / (SIZE / 2), sure, np.clip(2 * new, 0, 1))).astype(np.float32)


@functools.cache
def _dis() -> cv2.DISOpticalFlow:
    """One estimator a process: making one costs more than using it."""
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)


def worn(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Both pictures blurred alike, with the grain and the compression of the first on both; uint8 [128, 128, 3]."""
    if rng.random() < 0.6:
        sigma = rng.uniform(0.3, 1.2)
        x, y = cv2.GaussianBlur(x, (0, 0), sigma), cv2.GaussianBlur(y, (0, 0), sigma)
    left = x.astype(np.float32) + rng.normal(0, rng.uniform(0, 6), (SIZE, SIZE, 1))
    ruined = np.clip(left, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        ruined = compress(ruined, int(rng.integers(35, 90)))
    grain = ruined.astype(np.float32) - x
    return ruined, np.clip(y + grain, 0, 255).astype(np.uint8)


def slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbours along rows and columns of [..., H, W]."""
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def shrunk(x: Tensor) -> Tensor:
    """Pictures [B, C, H, W] at half the size."""
    return F.avg_pool2d(x, 2)
