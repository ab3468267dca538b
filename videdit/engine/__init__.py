"""How networks run: devices, compiled modules and graphs, transfers between host and device."""
