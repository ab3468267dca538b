"""Where things are in a picture: alignment, warps, landmarks, regions."""
