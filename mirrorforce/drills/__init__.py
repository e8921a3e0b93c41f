"""Drills: faults on purpose, measured as a client sees them."""
