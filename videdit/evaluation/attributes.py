"""Attribute scores of aligned faces: what an edit changes, and what it should leave alone.

Expression, age and gender come from the judges; pose and openings from the 468-point mesh; colours and textures (lips,
beard, eyeglasses, hair) are measured on small patches of the picture around points of the mesh.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from videdit.evaluation.judges import EXPRESSIONS, ExpressionJudge, FaceRes
from videdit.models.facemesh import FaceMesh
from videdit.models.sizes import MESH_INPUT as MESH_SIZE
from videdit.weights import load_state

# Where the mesh net looks in an aligned crop, in fractions of its side: centre (x, y) and side.
_LOOK = (0.5, 0.59, 0.96)
_PATCH = 256  # px that pictures are measured at

# Points of the mesh. Left and right are the image's.
_LIPS = ((0, 13), (37, 82), (267, 312), (17, 14), (84, 87), (314, 317), (91, 88), (321, 318))  # outer, inner
_CHEEKS = (50, 101, 36, 205, 280, 330, 266, 425)
_JAW = (199, 175, 200, 208, 428, 140, 369, 32, 262, 211, 431, 164, 165, 391)
_NOSE_SIDES = (114, 343, 188, 412, 122, 351, 168)  # frames and pads of glasses cross the nose here
_TEMPLES = (54, 284, 103, 332)  # hair begins a little further out
_CENTRE = 9

# What the scores mean: their units. Against the masks of 600 faces of CelebAMask-HQ: rank correlation .87 for
# mouth_open and .84 for hair, AUC .96 for eyeglasses.
UNITS = {
    "happy": "probability of a happy expression",
    "smile": "log odds of a happy expression",
    "age": "years",
    "gender": "log odds of a woman",
    "yaw": "degrees, turned to image right",
    "pitch": "degrees, chin down",
    "eyes_open": "opening / width of the eyes",
    "mouth_open": "opening between the lips / width of the mouth",
    "lipstick": "redness of the lips above the cheeks', a* of Lab",
    "beard": "darkness and roughness of the jaw above the cheeks', L* of Lab",
    "eyeglasses": "roughness beside the nose's bridge, L* of Lab",
    "hair": "lightness of the hair, L* of Lab",
}
# Mean and standard deviation of each score over 500 faces of the embedded generator (truncation .5 to 1).
POPULATION = {
    "happy": (0.716, 0.426),
    "smile": (8.91, 12.4),
    "age": (31.8, 12.1),
    "gender": (-0.517, 3.51),
    "yaw": (-0.968, 11.6),
    "pitch": (7.28, 7.54),
    "eyes_open": (0.304, 0.0461),
    "mouth_open": (0.111, 0.0831),
    "lipstick": (12.6, 7.81),
    "beard": (2.19, 2.17),
    "eyeglasses": (2.09, 2.07),
    "hair": (26.1, 16.0),
}


class AttributeScorer(nn.Module):
    """Aligned crops [B, 3, S, S], RGB in [-1, 1] -> scores, a dict of name -> [B] float32 by the names of ``UNITS``."""

    def __init__(self) -> None:
        """With the judges that were fetched. Raises WeightsError: they were not."""
        super().__init__()
        self.expression, self.face = ExpressionJudge(), FaceRes()
        self.mesh = CropMesh()
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Differentiable; computed in float32 under autocast too."""
        with torch.autocast(x.device.type, enabled=False):
            small = F.interpolate(x.float(), (_PATCH, _PATCH), mode="bilinear", align_corners=False, antialias=True)
            points = self.mesh(small)
            return self.judged(x.float()) | shape_scores(points) | patch_scores(small, points[..., :2])

    def judged(self, x: Tensor) -> dict[str, Tensor]:
        """The scores that networks give: of pictures x [B, 3, S, S] in [-1, 1], each [B]."""
        logits = self.expression(x).log_softmax(1)
        happy = EXPRESSIONS.index("happy")
        others = [i for i in range(len(EXPRESSIONS)) if i != happy]
        face = self.face(x)
        return {
            "happy": logits[:, happy].exp(),
            "smile": logits[:, happy] - logits[:, others].logsumexp(1),
            "age": face["age"],
            "gender": log_odds(face["female"]),
        }


class CropMesh(nn.Module):
    """The 468-point mesh of aligned crops [B, 3, S, S]: [B, 468, 3], (x, y, z) in fractions of the crop's side."""

    def __init__(self) -> None:
        """With the mesh net that ships, frozen."""
        super().__init__()
        self.net = FaceMesh()
        self.net.load_state_dict(load_state("facemesh"))
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """The mesh of each crop; what lies beyond the crop is taken for its mirror image."""
        cx, cy, side = _LOOK
        along = side * ((torch.arange(MESH_SIZE, device=x.device) + 0.5) * 2 / MESH_SIZE - 1)  # [192]
        down, across = torch.meshgrid(along + 2 * cy - 1, along + 2 * cx - 1, indexing="ij")
        grid = torch.stack((across, down), -1).expand(x.shape[0], -1, -1, -1)  # [B, 192, 192, 2]
        points, _ = self.net(F.grid_sample(x, grid, padding_mode="reflection", align_corners=False))
        corner = torch.tensor([cx - side / 2, cy - side / 2, 0.0], device=x.device)
        return points * (side / MESH_SIZE) + corner


def shape_scores(points: Tensor) -> dict[str, Tensor]:
    """Pose and openings from meshes [B, 468, 3] in any unit of length."""

    def length(a: int, b: int) -> Tensor:
        return (points[:, a] - points[:, b]).norm(dim=1)

    across = points[:, 454] - points[:, 234]  # from the left cheek to the right
    down = points[:, 152] - points[:, 10]  # from forehead to chin
    eyes = (length(159, 145) + length(386, 374)) / (length(33, 133) + length(362, 263))
    return {
        "yaw": torch.rad2deg(torch.atan2(across[:, 2], across[:, :2].norm(dim=1))),
        "pitch": torch.rad2deg(torch.atan2(down[:, 2], down[:, :2].norm(dim=1))),
        "eyes_open": eyes,
        "mouth_open": length(13, 14) / length(61, 291),
    }


def patch_scores(x: Tensor, points: Tensor) -> dict[str, Tensor]:
    """Colours and textures of pictures [B, 3, 256, 256] around meshes [B, 468, 2] in fractions of the side."""
    smooth = lab(blur(x, 5))
    light = lab(x)[:, :1]
    coarse, fine = (blur((light - lab(blur(x, size))[:, :1]).abs(), size + 2) for size in (7, 5))  # [B, 1, 256, 256]
    pairs = torch.tensor(_LIPS, device=x.device)
    lips = sample(smooth, points[:, pairs].mean(2))  # [B, 3, 8]
    cheeks, jaw = (sample(smooth, points[:, list(part)]) for part in (_CHEEKS, _JAW))
    skin = median(cheeks)  # [B, 3]
    rough_cheeks, rough_jaw = (median(sample(coarse, points[:, list(part)])[:, 0]) for part in (_CHEEKS, _JAW))
    temples = points[:, list(_TEMPLES)]
    hair = sample(smooth, temples + 0.3 * (temples - points[:, _CENTRE, None]))
    return {
        "lipstick": lips[:, 1].mean(1) - skin[:, 1],
        "beard": (skin[:, 0] - jaw[:, 0].mean(1)) / 4 + rough_jaw - rough_cheeks,
        "eyeglasses": median(sample(fine, points[:, list(_NOSE_SIDES)])[:, 0]),
        "hair": median(hair[:, 0]),
    }


# torch's own median and logit are unknown to OpenVINO, which scores faces three times as fast on a CPU.
def median(x: Tensor) -> Tensor:
    """The lower median of the last dimension: [..., N] -> [...]."""
    return x.sort(-1).values[..., (x.shape[-1] - 1) // 2]


def log_odds(p: Tensor) -> Tensor:
    """Probabilities, of any shape, as log odds; those of certainty stay finite."""
    p = p.clamp(1e-6, 1 - 1e-6)
    return (p / (1 - p)).log()


def sample(x: Tensor, points: Tensor) -> Tensor:
    """Pictures [B, C, H, W] at points [B, N, 2] in fractions of the side -> [B, C, N]."""
    return F.grid_sample(x, points[:, None] * 2 - 1, padding_mode="border", align_corners=False)[:, :, 0]


def blur(x: Tensor, size: int) -> Tensor:
    """Twice a box of size x size; x: [B, C, H, W]."""
    for _ in range(2):
        x = F.avg_pool2d(F.pad(x, [size // 2] * 4, mode="replicate"), size, 1)
    return x


def lab(x: Tensor) -> Tensor:
    """RGB in [-1, 1] (sRGB) -> CIE Lab, [B, 3, H, W]: L 0..100, a and b about -100..100."""
    rgb = (x.clamp(-1, 1) + 1) / 2
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    matrix = torch.tensor(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], device=x.device
    )
    white = torch.tensor([0.9505, 1.0, 1.089], device=x.device).view(1, 3, 1, 1)
    xyz = torch.einsum("ij,bjhw->bihw", matrix, linear) / white
    f = torch.where(xyz > 0.008856, xyz.clamp(min=1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    return torch.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)
