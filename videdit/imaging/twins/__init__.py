"""The formulas of the modules of the same name above, in torch."""
