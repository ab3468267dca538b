"""Files -> frames."""
