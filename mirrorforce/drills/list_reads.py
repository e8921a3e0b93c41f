"""List-append transactions, one by one: what a read shows that no order of transactions could explain. Pure.

The first half of Elle's method (`anomalies` has the reference): each element is appended once, so whoever
reads it is known to follow whoever wrote it, and a list shows the order of its writers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce.drills.history import Append
from mirrorforce.drills.violation import Violation, ViolationKind, described, found
from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mirrorforce.drills.history import Event, History

List = tuple[str, ...]
Element = tuple[str, str]
"""A list's key, and a value that was appended to it."""


@dataclass(frozen=True, slots=True)
class Written:
    """All list transactions, who wrote which element of which list, and every list as it is in the end.

    last: for each element, the last one that the same transaction appended to the same list.
    told: the highest number of an element that each client was told of. present: all that is in a list in
    the end.
    """

    transactions: tuple[Event, ...]
    writers: Mapping[Element, Event]
    last: Mapping[Element, str]
    told: Mapping[str, int]
    finals: Mapping[str, List]
    present: frozenset[Element]

    def outcome(self, key: str, value: str) -> str | None:
        """What its writer was told; None where nobody wrote it."""
        writer = self.writers.get((key, value))
        return writer.outcome if writer else None

    def in_flight(self, value: str) -> bool:
        """Whether a client could have been appending it when it was killed, before any answer."""
        client, _, number = value.rpartition("/")
        return client in self.told and number.isdigit() and int(number) > self.told[client]


def written(history: History, finals: Mapping[str, List]) -> Written:
    """Who wrote what. MirrorforceError where a value was appended twice: such a history decides nothing."""
    transactions = history.of("list")
    writers: dict[Element, Event] = {}
    last: dict[Element, str] = {}
    told = {event.client: 0 for event in history.events}
    values = set()
    for event in transactions:
        for each in appends(event):
            if each.value in values:
                raise MirrorforceError(f"the clients appended {each.value} twice: their history says nothing")
            values.add(each.value)
            writers[each.key, each.value] = event
            told[event.client] = max(told[event.client], int(each.value.rpartition("/")[2]))
        newest = {each.key: each.value for each in appends(event)}
        last.update({(each.key, each.value): newest[each.key] for each in appends(event)})
    present = frozenset((key, value) for key, held in finals.items() for value in held)
    return Written(transactions, writers, last, told, finals, present)


def appends(event: Event) -> list[Append]:
    """What the transaction appends, in its order."""
    return [each for each in event.operations if isinstance(each, Append)]


def external_reads(event: Event) -> dict[str, List]:
    """What each list held before the transaction: its first read of it, less what it had appended itself."""
    own: dict[str, int] = defaultdict(int)
    seen: dict[str, List] = {}
    for each in event.operations:
        if isinstance(each, Append):
            own[each.key] += 1
        elif each.values is not None and each.key not in seen:
            seen[each.key] = each.values[: max(0, len(each.values) - own[each.key])]
    return seen


def faults(all_written: Written) -> Iterator[Violation]:
    """Every violation that one read, or one list in the end, shows by itself."""
    for event in all_written.transactions:
        if event.acknowledged:
            yield from _at_odds(event)
            for key, values in external_reads(event).items():
                yield from _of_list(all_written, key, values, described(event))
                yield from _intermediate(all_written, event, key, values)
                yield from _against_end(all_written, event, key, values)
    for key, values in all_written.finals.items():
        yield from _of_list(all_written, key, values, f"list {key} in the end")
    yield from _incomplete(all_written)


def _at_odds(event: Event) -> Iterator[Violation]:
    """A read that does not show what the same transaction had read and appended before."""
    known: dict[str, List] = {}
    own: dict[str, List] = defaultdict(tuple)
    for each in event.operations:
        if isinstance(each, Append):
            own[each.key] += (each.value,)
            if each.key in known:
                known[each.key] += (each.value,)
        elif each.values is not None:
            agrees = _ends_with(each.values, own[each.key])
            if known.setdefault(each.key, each.values) != each.values or not agrees:
                said = f"list {each.key} changed under a transaction that nobody may disturb"
                yield found(ViolationKind.INTERNAL, said, [described(event)])
                return


def _ends_with(values: List, end: List) -> bool:
    return values[len(values) - len(end) :] == end if len(values) >= len(end) else False


def _of_list(all_written: Written, key: str, values: List, where: str) -> Iterator[Violation]:
    """Elements that are there twice, were never written, or were written by nobody whose commit counts."""
    twice = [value for value, times in Counter(values).items() if times > 1]
    if twice:
        said = f"list {key} holds {', '.join(twice)} more than once"
        yield found(ViolationKind.DUPLICATED_ELEMENT, said, [where])
    outcomes = {value: all_written.outcome(key, value) for value in values}
    foreign = [v for v, outcome in outcomes.items() if outcome is None and not all_written.in_flight(v)]
    if foreign:
        said = f"list {key} holds {', '.join(foreign)}, appended by nobody"
        yield found(ViolationKind.UNWRITTEN_ELEMENT, said, [where])
    aborted = [value for value, outcome in outcomes.items() if outcome == "rejected"]
    if aborted:
        said = f"list {key} shows {', '.join(aborted)} of rejected transactions"
        writers = [described(all_written.writers[key, value]) for value in aborted]
        yield found(ViolationKind.ABORTED_READ, said, [where, *writers])


def _intermediate(all_written: Written, event: Event, key: str, values: List) -> Iterator[Violation]:
    """A list as it was in the middle of another transaction."""
    newest = (key, values[-1]) if values else None
    writer = all_written.writers.get(newest) if newest else None
    if newest and writer and writer is not event and all_written.last[newest] != newest[1]:
        said = f"list {key} was read up to {newest[1]}, which its own transaction wrote on"
        yield found(ViolationKind.INTERMEDIATE_READ, said, [described(event), described(writer)])


def _against_end(all_written: Written, event: Event, key: str, values: List) -> Iterator[Violation]:
    """Elements that were seen and are gone; some that changed places."""
    gone = [
        value
        for value in values
        if (key, value) not in all_written.present and all_written.outcome(key, value) in (None, "unknown")
    ]
    if gone:
        said = f"{', '.join(gone)} of list {key} had been read by an acknowledged transaction"
        yield found(ViolationKind.VANISHED_ELEMENT, said, [described(event)])
    end = all_written.finals.get(key, ())
    seen, order = trusted(all_written, key, values), trusted(all_written, key, end)
    if seen != order[: len(seen)]:
        said = f"list {key} was read in an order that it does not have in the end"
        evidence = [described(event), f"in the end: {' '.join(end) or 'empty'}"]
        yield found(ViolationKind.INCOMPATIBLE_ORDER, said, evidence)


def _incomplete(all_written: Written) -> Iterator[Violation]:
    """Acknowledged elements that are gone; transactions of unknown outcome that are there in part."""
    lost, halves = [], []
    for event in all_written.transactions:
        missing = [each for each in appends(event) if (each.key, each.value) not in all_written.present]
        if missing and event.acknowledged:
            lost += [f"{each.value} of list {each.key}: {described(event)}" for each in missing]
        elif missing and event.outcome == "unknown" and len(missing) < len(appends(event)):
            halves.append(described(event))
    if lost:
        said = f"{len(lost)} elements were acknowledged, and are in their lists no more"
        yield found(ViolationKind.LOST_ELEMENT, said, lost)
    if halves:
        said = f"{len(halves)} transactions on lists took effect in part"
        yield found(ViolationKind.HALF_TRANSACTION, said, halves)


def trusted(all_written: Written, key: str, values: Iterable[str]) -> List:
    """The elements that order transactions: each once, by a known writer, and there in the end.

    What is wrong with the others is a fault of its own, and must not hide or feign another.
    """
    return tuple(
        value
        for value in dict.fromkeys(values)
        if all_written.outcome(key, value) in ("acknowledged", "unknown")
        and (key, value) in all_written.present
    )
