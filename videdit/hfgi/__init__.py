"""High-fidelity GAN inversion: a profile's networks, crops -> codes, distortion and edited crops."""
