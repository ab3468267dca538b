"""The version of videdit, and nothing else."""

__version__ = "0.1.0"
