"""What rules see and say: resources as plain values, and violations. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final


class Unknown:
    """A value that a preview cannot know. Rules let it pass: once it is known they look at it again."""

    def __repr__(self) -> str:
        return "not known before it is made"


UNKNOWN: Final = Unknown()

Properties = Mapping[str, Any]
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource about to be made. `dependencies`: the URNs that each of its properties comes from."""

    type: str
    name: str
    urn: str
    properties: Properties
    protect: bool = False
    dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provider: Properties = field(default_factory=dict)

    def get(self, *path: str) -> Any:  # noqa: ANN401 - properties are as free as JSON
        """The value at a path of properties; None where there is none, UNKNOWN where one on the way is."""
        value: Any = self.properties
        for step in path:
            if value is UNKNOWN:
                return UNKNOWN
            value = value.get(step) if isinstance(value, Mapping) else None
        return value

    def items(self, *path: str) -> list[Any]:
        """The known items of a list at a path."""
        value = self.get(*path)
        return [item for item in value if item is not UNKNOWN] if isinstance(value, list) else []

    @property
    def tags(self) -> dict[str, Any]:
        """Its tags, with those that its provider gives everything."""
        own = self.get("tags")
        given = self.provider.get("defaultTags")
        shared = given.get("tags") if isinstance(given, Mapping) else None
        return {**_mapping(shared), **_mapping(own)}


@dataclass(frozen=True, slots=True)
class Violation:
    """What was found, what is allowed, what to do next; the `urn` where a rule sees a whole stack."""

    found: str
    allowed: str
    next_step: str
    urn: str = ""

    def text(self, resource: str) -> str:
        """The violation as people read it."""
        return f"{resource}\n  found:   {self.found}\n  allowed: {self.allowed}\n  next:    {self.next_step}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule for each resource by itself. `settings` are its defaults, by which its config is typed too."""

    name: str
    description: str
    check: Callable[[Resource, Settings], Iterator[Violation]]
    settings: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StackRule:
    """A rule that needs to see the whole stack."""

    name: str
    description: str
    check: Callable[[Iterable[Resource], Settings], Iterator[Violation]]
    settings: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of a rule's config: what it is for, its JSON Schema, what holds without it."""

    description: str
    schema: Mapping[str, Any]
    default: Any


def is_true(value: object) -> bool:
    """Whether a value is true, may become so, or is the text that some providers want for it."""
    return value is UNKNOWN or value is True or value == "true"


def is_given(value: object) -> bool:
    """Whether there is a value, known or not."""
    return value is UNKNOWN or value not in (None, "")


def shown(value: object) -> str:
    """A value as people read it."""
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
