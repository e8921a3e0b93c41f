"""What each kind of client asks for, over and over. Standard library and psycopg2 (through its session).

- `appends`: numbered rows, each a transaction of its own.
- `transfers`: an amount from one account to another; the total of all accounts must never change.
- `lists`: serializable transactions that append to lists and read them: where a read shows a whole list, its
  order tells the order of all transactions that wrote to it.
- `readers`: the newest row and the total of all accounts, as the read-only name shows them.
"""

from __future__ import annotations

import itertools
import random
import threading
from typing import TYPE_CHECKING, Any, Protocol

from mirrorforce.onhost import workload_tables as tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.onhost.workload_log import Answer
    from mirrorforce.onhost.workload_session import Session

LISTS_AT_ONCE = 5
APPENDS_PER_LIST = 40
"""A list that is full gives way to a new one: each read carries the whole list."""

_MOST_OPERATIONS = 4
_MOST_MOVED = 50


class Client(Protocol):
    """Asks one thing at a time; `kind` is the kind of its events."""

    kind: str
    pause: float

    def ask(self, session: Session) -> tuple[Answer, dict[str, Any]]:
        """Ask for the next thing; the answer, and what was asked for."""
        ...


class Appender:
    """Rows 1, 2, 3 …; a row that was not acknowledged is not tried again."""

    kind = "append"

    def __init__(self, run: str, name: str, pause: float) -> None:
        self.pause = pause
        self._run, self._name = run, name
        self._numbers = itertools.count(1)

    def ask(self, session: Session) -> tuple[Answer, dict[str, Any]]:
        """Append one row."""
        row = next(self._numbers)
        values = (self._run, self._name, row, f"{self._run} {self._name} {row}")
        return session.write(lambda cursor: cursor.execute(tables.APPEND, values)), {"row": row}


class Transferrer:
    """Transfers between two accounts, always locked in one order: nobody waits for anybody in a circle."""

    kind = "transfer"

    def __init__(self, run: str, name: str, pause: float) -> None:
        self.pause = pause
        self._run, self._name = run, name
        self._numbers = itertools.count(1)
        self._random = random.Random(f"{run} {name}")  # noqa: S311 (no secret)

    def ask(self, session: Session) -> tuple[Answer, dict[str, Any]]:
        """Transfer one amount; a negative one goes the other way."""
        debit, credit = sorted(self._random.sample(range(1, tables.ACCOUNTS + 1), 2))
        amount = self._random.randint(1, _MOST_MOVED) * self._random.choice((1, -1))
        asked = {"number": next(self._numbers), "debit": debit, "credit": credit, "amount": amount}
        values = {"run": self._run, "client": self._name, **asked}
        return session.transaction(lambda cursor: cursor.execute(tables.TRANSFER, values)), asked


class Keys:
    """The lists in use, shared by all clients of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._appends = 0

    def window(self, *, appends: int) -> range:
        """The numbers of the lists in use, once so many appends more are planned."""
        with self._lock:
            self._appends += appends
            first = self._appends // (LISTS_AT_ONCE * APPENDS_PER_LIST) * LISTS_AT_ONCE
        return range(first, first + LISTS_AT_ONCE)


class Lister:
    """Transactions of one to four appends and reads on the lists in use.

    Appends go to lists in the order of their keys, so that nobody waits for anybody in a circle; reads stand
    among them anywhere.
    """

    kind = "list"

    def __init__(self, run: str, name: str, pause: float, keys: Keys) -> None:
        self.pause = pause
        self._run, self._name, self._keys = run, name, keys
        self._numbers = itertools.count(1)
        self._random = random.Random(f"{run} {name}")  # noqa: S311 (no secret)

    def ask(self, session: Session) -> tuple[Answer, dict[str, Any]]:
        """Carry out one transaction; reads that got no answer stay None."""
        operations = self._planned()

        def work(cursor: Any) -> None:  # noqa: ANN401 (psycopg2 has no types)
            begin = tables.BEGIN_LIST
            for operation in operations:
                what, key, value = operation
                if what == "append":
                    cursor.execute(begin + tables.LIST_APPEND, (self._run, key, value))
                else:
                    cursor.execute(begin + tables.LIST_READ, (self._run, key))
                    found = cursor.fetchone()
                    operation[2] = found[0] if found else []
                begin = ""

        return session.transaction(work), {"ops": operations}

    def _planned(self) -> list[list[Any]]:
        kinds = self._random.choices(("append", "read"), k=self._random.randint(1, _MOST_OPERATIONS))
        window = self._keys.window(appends=kinds.count("append"))
        keys = [self._random.choice(window) for _ in kinds]
        locked = iter(sorted(key for kind, key in zip(kinds, keys, strict=True) if kind == "append"))
        return [
            [kind, str(next(locked) if kind == "append" else key), self._value(kind)]
            for kind, key in zip(kinds, keys, strict=True)
        ]

    def _value(self, kind: str) -> str | None:
        return f"{self._name}/{next(self._numbers)}" if kind == "append" else None


class Reader:
    """What a standby shows."""

    kind = "read"

    def __init__(self, run: str, name: str, pause: float) -> None:
        del name
        self.pause = pause
        self._run = run

    def ask(self, session: Session) -> tuple[Answer, dict[str, Any]]:
        """Read the newest row and the total, in one statement and so at one moment."""
        seen: dict[str, Any] = {"newest": None, "total": None}

        def work(cursor: Any) -> None:  # noqa: ANN401 (psycopg2 has no types)
            cursor.execute(tables.NEWEST, {"run": self._run})
            seen["newest"], seen["total"] = cursor.fetchone()

        return session.read(work), seen


def makers(run: str) -> dict[str, Callable[[str, float], Client]]:
    """How to make a client of each group's name, out of its own name and its pause in seconds."""
    keys = Keys()
    return {
        "appends": lambda name, pause: Appender(run, name, pause),
        "transfers": lambda name, pause: Transferrer(run, name, pause),
        "lists": lambda name, pause: Lister(run, name, pause, keys),
        "readers": lambda name, pause: Reader(run, name, pause),
    }
