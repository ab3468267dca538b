"""Single pictures: writing them, and their metadata."""
