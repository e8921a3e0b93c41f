"""The wire of a link: delay and loss of each direction, set and asked on wirefilter's management socket."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mirrorforce.errors import BadInputError, MirrorforceError

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_SECONDS = 5.0
_PROMPT = b"VDEwf$ "
_SUCCESS = "1000 Success"
_PERCENT = 100.0
_NUMBER = r"([0-9.]+)\+"
_DELAY = re.compile(rf"^Delay\s+L->R {_NUMBER}\S*\s+R->L {_NUMBER}", re.MULTILINE)
_LOSS = re.compile(rf"^Loss\s+L->R {_NUMBER}\S*\s+R->L {_NUMBER}", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Condition:
    """Delay in milliseconds and loss in percent of packets, there (a to b) and back (b to a)."""

    delay_there_ms: float
    delay_back_ms: float
    loss_there_percent: float = 0.0
    loss_back_percent: float = 0.0

    def __post_init__(self) -> None:
        delays, losses = (
            (self.delay_there_ms, self.delay_back_ms),
            (self.loss_there_percent, self.loss_back_percent),
        )
        if min(*delays, *losses) < 0 or max(losses) > _PERCENT:
            message = f"a wire cannot have {self}: a delay is 0 ms or more, a loss 0 to 100 percent"
            raise BadInputError(message)

    @property
    def round_trip_ms(self) -> float:
        """There and back, in milliseconds."""
        return self.delay_there_ms + self.delay_back_ms

    @property
    def is_lossless(self) -> bool:
        """Whether no packet is lost in either direction."""
        return self.loss_there_percent == self.loss_back_percent == 0

    def reversed(self) -> Condition:
        """The same condition, seen from the other end."""
        return Condition(
            self.delay_back_ms, self.delay_there_ms, self.loss_back_percent, self.loss_there_percent
        )


def even(round_trip_ms: float) -> Condition:
    """The condition of a sound wire: half of the round trip each way, no loss."""
    return Condition(round_trip_ms / 2, round_trip_ms / 2)


def shaped(round_trip_ms: float, delay_factor: float = 1.0, loss_percent: float = 0.0) -> Condition:
    """A wire of that round trip times `delay_factor`, half of it each way, with that loss each way."""
    each_way = round_trip_ms * delay_factor / 2
    return Condition(each_way, each_way, loss_percent, loss_percent)


def losing_all_there(condition: Condition) -> Condition:
    """The same wire when no packet gets from here to there."""
    return replace(condition, loss_there_percent=_PERCENT)


def commands(wanted: Condition) -> tuple[str, ...]:
    """What to tell the wire."""
    return (
        f"delay LR {wanted.delay_there_ms:g}",
        f"delay RL {wanted.delay_back_ms:g}",
        f"loss LR {wanted.loss_there_percent:g}",
        f"loss RL {wanted.loss_back_percent:g}",
    )


def parse(answer: str) -> Condition | None:
    """The condition that the wire tells of; None where the answer is no such thing."""
    delay, loss = _DELAY.search(answer), _LOSS.search(answer)
    if not delay or not loss:
        return None
    return Condition(*(float(text) for text in (*delay.groups(), *loss.groups())))


def set_condition(management: Path, wanted: Condition) -> None:
    """Set delay and loss; packets on their way keep theirs."""
    try:
        answers = _ask(management, commands(wanted))
    except OSError as fault:
        message = f"the wire at {management} does not answer: {fault}"
        raise MirrorforceError(message, "mend the link: mirrorforce lab mend LINK") from fault
    refused = [answer for answer in answers if _SUCCESS not in answer]
    if refused:
        message = f"the wire at {management} refused {wanted}: {refused[0].strip()}"
        raise MirrorforceError(message, "mend the link: mirrorforce lab mend LINK")


def condition(management: Path) -> Condition | None:
    """What the wire is set to, asked of itself; None where none answers."""
    try:
        return parse(_ask(management, ["showinfo"])[0])
    except OSError:
        return None


def _ask(management: Path, lines: tuple[str, ...] | list[str]) -> list[str]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_TIMEOUT_SECONDS)
        connection.connect(str(management))
        _until_prompt(connection)
        answers = []
        for line in lines:
            connection.sendall(f"{line}\n".encode())
            answers.append(_until_prompt(connection))
        return answers


def _until_prompt(connection: socket.socket) -> str:
    text = b""
    while not text.endswith(_PROMPT):
        part = connection.recv(4096)
        if not part:
            message = "it hung up"
            raise ConnectionError(message)
        text += part
    return text.decode(errors="replace")
