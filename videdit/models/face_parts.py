"""The classes of face parsing, and the parts that masks are made of."""

from __future__ import annotations

# CelebAMask-HQ's, in the order of its masks; left and right are the subject's.
CLASSES = (
    "background", "skin", "nose", "eyeglasses", "left_eye", "right_eye", "left_brow", "right_brow", "left_ear",
    "right_ear", "mouth", "upper_lip", "lower_lip", "hair", "hat", "earring", "necklace", "neck", "cloth",
)  # fmt: skip
MIRRORED = ((4, 5), (6, 7), (8, 9))  # classes that change places when a picture is flipped
# The 11 that nearly every face has: what a mean IoU is taken over. "mouth" is the mouth's interior.
COMMON = tuple(
    CLASSES.index(name)
    for name in (
        "skin", "nose", "left_eye", "right_eye", "left_brow", "right_brow", "mouth", "upper_lip", "lower_lip", "hair",
        "neck",
    )
)  # fmt: skip


# What masks are made of, each the sum of some classes. Those from "glasses" on may hide a face.
PARTS: dict[str, tuple[str, ...]] = {
    "face": ("skin", "nose", "left_eye", "right_eye", "left_brow", "right_brow"),
    "lips": ("upper_lip", "lower_lip"),
    "mouth": ("mouth",),
    "ears": ("left_ear", "right_ear"),
    "neck": ("neck",),
    "glasses": ("eyeglasses",),
    "hair": ("hair",),
    "hat": ("hat",),
    "other": ("background", "earring", "necklace", "cloth"),  # hands and microphones too
}
SKIN, LIPS, MOUTH, NECK, GLASSES, OTHER = (
    list(PARTS).index(name) for name in ("face", "lips", "mouth", "neck", "glasses", "other")
)
