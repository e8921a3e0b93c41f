"""The JSON Schema of one step, made of the vocabulary. `schemas/drill.schema.json` holds the same. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirrorforce.drills.acts import Verb
from mirrorforce.drills.quantities import NOTATIONS
from mirrorforce.drills.step_reading import FORMS
from mirrorforce.drills.words import WAIT, WAIT_UNTIL, WORDS

if TYPE_CHECKING:
    from mirrorforce.drills.words import Slot

_WAITS = {
    WAIT: "lets so much time pass",
    WAIT_UNTIL: "waits until something is so; fails where it is not within that time",
}


def meaning(key: str) -> str:
    """What the key of a step does, in words."""
    return _WAITS.get(key) or WORDS[Verb(key)].meaning


def of_step() -> dict[str, Any]:
    """The schema of a step: one alternative for each key that makes a step."""
    return {
        "title": "a step",
        "description": "One step: one thing to do, with its options; or a wait.",
        "type": "object",
        "oneOf": [_alternative(key) for key in FORMS],
    }


def _alternative(key: str) -> dict[str, Any]:
    form = FORMS[key]
    required = [option for option, slot in form.options.items() if slot.required]
    values = {key: form.value, **form.options}
    return {
        "title": key,
        "description": meaning(key),
        "required": [key, *required],
        "properties": {name: _slot(slot) for name, slot in values.items()},
        "additionalProperties": False,
    }


def _slot(slot: Slot) -> dict[str, Any]:
    if slot.quantity:
        notation = NOTATIONS[slot.quantity]
        return {"type": "string", "pattern": notation.pattern, "x-allowed": notation.allowed}
    return {"enum": [str(word) for word in slot.words]}
