"""Face restoration before inversion: which restorer, for which faces, and the restorers."""
