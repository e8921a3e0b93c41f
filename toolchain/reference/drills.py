"""The drill file's reference: its keys from its schema, its words from the vocabulary that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce.drills import phrases, step_schema, words
from mirrorforce.drills.acts import Verb
from mirrorforce.drills.quantities import NOTATIONS
from mirrorforce.drills.step_reading import FORMS
from toolchain.reference import schemas
from toolchain.reference.markdown import code, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirrorforce.drills.words import Slot

SOURCE = "schemas/drill.schema.json and mirrorforce/drills/"


def sections() -> Iterator[str]:
    """Keys, steps, phrases, conditions."""
    schema = schemas.read("drill")
    yield "\n\n".join(("## Keys", *schemas.sections(schema, "person")))
    head = ("step", "takes", "options", "what it does", "ended by")
    yield f"## {schema.heading('step')}\n\n{table(head, ([code(key), *_step(key)] for key in FORMS))}"
    meant = ((code(phrase.text), phrase.kind, phrase.meaning) for phrase in phrases.PHRASES)
    yield f"## Who and what is meant\n\n{table(('phrase', 'kind', 'who is meant'), meant)}"
    so = ((code(condition), meaning) for condition, meaning in words.CONDITIONS.items())
    yield f"## Conditions\n\n{table(('condition', 'it is so when'), so)}"


def _step(key: str) -> tuple[str, str, str, str]:
    form = FORMS[key]
    options = (
        f"{code(name)}: {_allowed(slot)}{'' if slot.required else '; may be absent'}"
        for name, slot in form.options.items()
    )
    ended = code(words.undoing(Verb(key))) if key in words.BREAKS else ""
    return _allowed(form.value), "<br>".join(options), step_schema.meaning(key), ended


def _allowed(slot: Slot) -> str:
    """An amount; a kind of phrase, where all of that kind are allowed; else the words themselves."""
    if slot.quantity:
        return NOTATIONS[slot.quantity].allowed
    if slot.words == tuple(words.CONDITIONS):
        return "a condition"
    kinds = dict.fromkeys(phrase.kind for phrase in phrases.PHRASES if phrase.text in slot.words)
    if kinds and slot.words == phrases.of_kinds(frozenset(kinds)):
        return " or ".join(kind if kind is phrases.Kind.LINKS else f"a {kind}" for kind in kinds)
    return ", ".join(map(code, slot.words))
