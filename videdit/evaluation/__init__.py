"""How good edits, inversions and clips are: judges, figures, tables, sheets."""
