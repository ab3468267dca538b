"""Training of what ships: recipes, the loop they share, and promotion of better weights."""
