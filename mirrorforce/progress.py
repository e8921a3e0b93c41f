"""What a long command tells a person while it works: phase, elapsed seconds, what it waits for."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

QUIET_SECONDS = 5.0
"""Without a terminal, a phase says what it waits for at most this often."""


def unrepeated(say: Callable[[str], None]) -> Callable[[str], None]:
    """`say` without what it said just before: a loop that waits tells its reason once."""
    last: list[str] = []

    def say_if_new(text: str) -> None:
        if last != [text]:
            last[:] = [text]
            say(text)

    return say_if_new


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """How long one phase took, in seconds."""

    name: str
    seconds: float


@dataclass(slots=True)
class Phases:
    """Runs phases one after another, shows them on a console, and remembers their times."""

    console: Console
    times: list[PhaseTime] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[Callable[[str], None]]:
        """Run one phase; the value given says what it waits for (from any thread)."""
        started = time.monotonic()
        line = _Line(self.console, name, started)
        line.start()
        try:
            yield line.waits_for
        except BaseException:
            line.end("[red]stopped[/]")
            raise
        seconds = time.monotonic() - started
        line.end("[green]done[/]")
        self.times.append(PhaseTime(name, round(seconds, 1)))

    def say(self, text: str) -> None:
        """Print one line that stays."""
        self.console.print(text, highlight=False)


class _Line:
    """The line of a running phase: live on a terminal, now and then elsewhere."""

    def __init__(self, console: Console, name: str, started: float) -> None:
        self._console = console
        self._name = name
        self._started = started
        self._waiting = ""
        self._said_at = started
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._status = console.status("") if console.is_terminal else None
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def start(self) -> None:
        if self._status is None:
            self._print("")
            return
        self._status.update(self._text())
        self._status.start()
        self._ticker.start()

    def waits_for(self, what: str) -> None:
        with self._lock:
            self._waiting = escape(what)
            now = time.monotonic()
            if self._status is None and now - self._said_at >= QUIET_SECONDS:
                self._said_at = now
                self._print(self._waiting)

    def end(self, how: str) -> None:
        self._ended.set()
        if self._status is not None:
            self._status.stop()
        self._print(how)

    def _tick(self) -> None:
        while self._status is not None and not self._ended.wait(0.5):
            self._status.update(self._text())

    def _text(self) -> str:
        elapsed = time.monotonic() - self._started
        return f"[bold]{self._name}[/] {elapsed:4.0f} s  [dim]{self._waiting}[/]"

    def _print(self, what: str) -> None:
        elapsed = time.monotonic() - self._started
        self._console.print(f"{self._name:<12} {elapsed:6.1f} s  {what}", highlight=False)
