"""Drift: what differs between what is declared and what is; how bad that is; who mends it. Pure."""
