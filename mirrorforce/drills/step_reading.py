"""One step of a drill file to a typed one, or all that is wrong with it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mirrorforce.drills import phrases, quantities, words
from mirrorforce.drills.acts import Condition, Moment, Process, Verb, Wait
from mirrorforce.drills.drill import ActStep, WaitUntilStep
from mirrorforce.drills.quantities import Quantity
from mirrorforce.drills.words import WAIT, WAIT_UNTIL, WITHIN, WORDS, Slot
from mirrorforce.faults import Fault, nearest
from mirrorforce.file_schema import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.drills.drill import Step
    from mirrorforce.faults import FilePath

_DURATION = Slot("amount", quantity=Quantity.DURATION)
_KEYS = (*(str(verb) for verb in Verb), WAIT, WAIT_UNTIL)


class _Form(NamedTuple):
    """What a step with this key holds: the key's own slot, and those of its options."""

    value: Slot
    options: Mapping[str, Slot]


def _forms() -> dict[str, _Form]:
    forms = {str(verb): _Form(word.value, word.options) for verb, word in WORDS.items()}
    forms[WAIT] = _Form(_DURATION, {})
    forms[WAIT_UNTIL] = _Form(Slot("target", tuple(Condition)), {WITHIN: _DURATION})
    return forms


FORMS: Mapping[str, _Form] = _forms()
"""Every kind of step, by the key that makes it one."""


def read(value: object, path: FilePath) -> tuple[Step | None, tuple[Fault, ...]]:
    """The step, or None and its faults."""
    if not isinstance(value, dict) or not value:
        return None, (Fault(path, shown(value), "a step, as in `wait: 10 s`"),)
    keys = [key for key in value if key in FORMS]
    if len(keys) != 1:
        return None, tuple(_not_one_act(value, keys, path))
    key = keys[0]
    faults = tuple(_faults(key, value, path))
    return (None, faults) if faults else (_step(key, value), ())


def _not_one_act(value: Mapping[str, Any], keys: list[str], path: FilePath) -> list[Fault]:
    """A step without a key that says what to do, or with several."""
    if keys:
        found = f"a second thing to do beside '{keys[0]}'"
        allowed = "one thing to do in each step; a step of its own"
        return [Fault((*path, key), found, allowed) for key in keys[1:]]
    options = {option for form in FORMS.values() for option in form.options}
    unknown = [key for key in value if key not in options]
    if not unknown:
        return [Fault(path, f"only {', '.join(value)}", f"a step with one of: {', '.join(_KEYS)}")]
    return [Fault((*path, key), "unknown", ", ".join(_KEYS), nearest(key, _KEYS)) for key in unknown]


def _faults(key: str, value: Mapping[str, Any], path: FilePath) -> list[Fault]:
    """What is wrong with a step whose act is known."""
    form = FORMS[key]
    slots = {key: form.value, **form.options}
    faults = []
    for name, given in value.items():
        if name not in slots:
            allowed = ", ".join(form.options) or f"nothing beside '{key}'"
            fault = Fault((*path, name), f"unknown beside '{key}'", allowed, nearest(name, form.options))
            faults.append(fault)
        elif _value(slots[name], given) is None:
            slot = slots[name]
            meant = nearest(given, slot.words) if isinstance(given, str) else ""
            faults.append(Fault((*path, name), shown(given), slot.allowed, meant))
    misspelt = {fault.meant for fault in faults if fault.path[-1] not in slots}
    missing = (name for name, slot in form.options.items() if slot.required and name not in value)
    absent = [name for name in missing if name not in misspelt]
    faults += [Fault((*path, name), "nothing: the key is missing", slots[name].allowed) for name in absent]
    return faults or _wrong_host(value, path)


def _wrong_host(value: Mapping[str, Any], path: FilePath) -> list[Fault]:
    """A process that is to be killed where it does not run."""
    process = value.get(Verb.KILL)
    if process is None:
        return []
    allowed = phrases.of_kinds(frozenset({words.RUNS_ON[Process(process)]}))
    target = value["of"]
    if target in allowed:
        return []
    found = f"{shown(target)}, where no {process} runs"
    return [Fault((*path, "of"), found, ", ".join(allowed))]


def _value(slot: Slot, given: object) -> str | float | None:
    """The value as the slot takes it, or None."""
    if slot.quantity:
        return quantities.parse(slot.quantity, given)
    return given if isinstance(given, str) and given in slot.words else None


def _step(key: str, value: Mapping[str, Any]) -> Step:
    """The step of a value without faults."""
    form = FORMS[key]
    if key == WAIT:
        return Wait(quantities.seconds(value[WAIT]))
    if key == WAIT_UNTIL:
        return WaitUntilStep(Condition(value[WAIT_UNTIL]), quantities.seconds(value[WITHIN]))
    slots = {key: form.value, **form.options}
    by_role: dict[str, Any] = {slots[name].role: _value(slots[name], given) for name, given in value.items()}
    process, moment = by_role.pop("process", None), by_role.pop("moment", None)
    return ActStep(
        Verb(key),
        process=Process(process) if process else None,
        moment=Moment(moment) if moment else None,
        **by_role,
    )
