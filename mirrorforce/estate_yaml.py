"""YAML text to plain values, knowing the line of each path; every fault of the text at once.

Stricter than YAML where YAML is a trap: a key may stand only once and is always text (YAML 1.1 reads
`no:` as False), and aliases are refused, so what a person reads in one place is all there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from mirrorforce.faults import Fault, FilePath

_STRING_TAG = "tag:yaml.org,2002:str"


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


def parse(text: str) -> Document:
    """Read one YAML document; a text that cannot be read gives a value of None and the reason as fault."""
    document = Document()
    try:
        if aliases := [_alias_fault(event) for event in yaml.parse(text) if isinstance(event, yaml.AliasEvent)]:
            document.faults.extend(aliases)
            return document
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _walk(document, node, ())
            document.value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        document.faults.append(_syntax_fault(error))
    return document


def _walk(document: Document, node: yaml.Node, path: FilePath) -> None:
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            document.lines[*path, index] = item.start_mark.line + 1
            _walk(document, item, (*path, index))
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _walk_key(document, key, path)
            _walk(document, value, (*path, str(key.value)))


def _walk_key(document: Document, key: yaml.Node, path: FilePath) -> None:
    line = key.start_mark.line + 1
    if key.tag != _STRING_TAG:
        found = f"a key that YAML does not read as text: {key.start_mark.name and _spelled(key)}"
        document.faults.append(Fault(path, found, "keys that are text; put quotes around this one", line=line))
        return
    here = (*path, str(key.value))
    if here in document.lines:
        found = f"the key a second time; it stands first on line {document.lines[here]}"
        document.faults.append(Fault(here, found, "each key once", line=line))
    document.lines.setdefault(here, line)


def _spelled(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else "a list or a mapping"


def _alias_fault(event: yaml.AliasEvent) -> Fault:
    return Fault(
        (), f"the alias *{event.anchor}", "values written out where they count", line=event.start_mark.line + 1
    )


def _syntax_fault(error: Exception) -> Fault:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    context = getattr(error, "context", None)
    where = f" at column {mark.column + 1}" if mark else ""
    found = f"{problem}{where}" + (f", {context}" if context else "")
    return Fault((), found, "one YAML document", line=mark.line + 1 if mark else None)
