"""YAML text to plain values, knowing the line of each path; every fault of the text at once.

Stricter than YAML where YAML is a trap: a key may stand only once and is always text (YAML 1.1 reads
`no:` as False), a number is finite, and aliases are refused, so what a person reads in one place is all
there is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import yaml

from mirrorforce.faults import Fault, FilePath

if TYPE_CHECKING:
    from collections.abc import Iterable

_TEXT = "tag:yaml.org,2002:str"


@dataclass(slots=True)
class Document:
    """What was read. `lines` counts from 1 and knows each key and each item of a list."""

    value: object = None
    lines: dict[FilePath, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line(self, path: FilePath) -> int | None:
        """The line of a path, or of the nearest path above it that the text has."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None

    def in_order(self, faults: Iterable[Fault]) -> list[Fault]:
        """The faults with the lines of their paths, in the order of the text."""
        located = (fault if fault.line else replace(fault, line=self.line(fault.path)) for fault in faults)
        return sorted(located, key=lambda fault: fault.line or 0)


def parse(text: str) -> Document:
    """Read one YAML document.

    A text that YAML cannot read gives a value of None and the reason as its fault; what YAML reads but a
    person would not expect (see the module) is left out of the value and is a fault.
    """
    document = Document()
    try:
        document.faults.extend(
            _alias_fault(event) for event in yaml.parse(text) if isinstance(event, yaml.AliasEvent)
        )
        if document.faults:
            return document
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document.value = None if node is None else _value(document, node, ())
    except (yaml.YAMLError, RecursionError) as error:
        document.value = None
        document.faults.append(_syntax_fault(error))
    return document


def _value(document: Document, node: yaml.Node, path: FilePath) -> object:
    if isinstance(node, yaml.MappingNode):
        return {
            key.value: _value(document, item, (*path, key.value))
            for key, item in node.value
            if _is_sound_key(document, key, path)
        }
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            document.lines[*path, index] = item.start_mark.line + 1
        return [_value(document, item, (*path, index)) for index, item in enumerate(node.value)]
    return _scalar(document, node, path)


def _is_sound_key(document: Document, key: yaml.Node, path: FilePath) -> bool:
    """Whether the key is text and new; notes its line, or what is wrong with it."""
    line = key.start_mark.line + 1
    if key.tag != _TEXT or not isinstance(key, yaml.ScalarNode):
        spelled = repr(key.value) if isinstance(key, yaml.ScalarNode) else "a list or a mapping"
        found = f"the key {spelled}, which YAML does not read as text"
        document.faults.append(Fault(path, found, "keys that are text; quotes make it one", line=line))
        return False
    here = (*path, key.value)
    if here in document.lines:
        found = f"the key a second time; it stands first on line {document.lines[here]}"
        document.faults.append(Fault(here, found, "each key once", line=line))
        return False
    document.lines[here] = line
    return True


def _scalar(document: Document, node: yaml.Node, path: FilePath) -> object:
    line = node.start_mark.line + 1
    try:
        value: object = yaml.SafeLoader("").construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError):
        found = f"{node.value!r}, which looks like a {node.tag.rpartition(':')[2]} but is none"
        allowed = "a value that YAML can read; quotes make it text"
        document.faults.append(Fault(path, found, allowed, line=line))
        return None
    if isinstance(value, float) and not math.isfinite(value):
        document.faults.append(Fault(path, f"the number {node.value}", "a finite number", line=line))
        return None
    return value


def _alias_fault(event: yaml.AliasEvent) -> Fault:
    line = event.start_mark.line + 1 if event.start_mark else None
    return Fault((), f"the alias *{event.anchor}", "values written out where they count", line=line)


def _syntax_fault(error: Exception) -> Fault:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "nested too deeply"
    context = getattr(error, "context", None)
    where = f" at column {mark.column + 1}" if mark else ""
    found = (f"{context}: " if context else "") + f"{problem}{where}"
    return Fault((), found, "one YAML document", line=mark.line + 1 if mark else None)
