"""Mirrorforce: a mirrored database estate as code."""

__version__ = "0.1.0"
