"""Carry out a drill's acts on an environment, and undo what lasts. The edge of the drills.

`carry_out` does what a step says. What lasts is in the ledger from before it is made until after it is
undone: by a later step, by `undo`, or by `heal` in whatever process comes next.
"""

from __future__ import annotations

from mirrorforce.drills.actions.carrying import carry_out, heal, refusal, undo
from mirrorforce.drills.actions.context import Context, SkippedError

__all__ = ["Context", "SkippedError", "carry_out", "heal", "refusal", "undo"]
