"""Histories as clients of a sound cell write them: a database in memory, failovers, all that clients meet.

Each transaction takes effect at one moment between question and answer. A server is primary for a while, then
another one is; who is in the middle of something then gets no answer, or one that says no. What got no answer
may take effect later, as long as its server leads; answers may arrive late.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from mirrorforce.drills.final import FinalState
from mirrorforce.drills.history import Append, Event, History, Read, Transfer

if TYPE_CHECKING:
    from random import Random

    from mirrorforce.drills.history import Kind, Operation

MEMBERS = {"east-na1": "198.18.1.20", "west-na1": "198.18.2.20", "legacy-na1": "198.18.3.20"}
ACCOUNTS = 5
OPENING = 100
KEYS = ("0", "1", "2")
WALL = 1_800_000_000.0
"""What the wall clock shows when the monotonic one shows 0."""


@dataclass(frozen=True)
class Reign:
    """The time in which one server is primary, on one timeline."""

    start: float
    end: float
    server: str
    timeline: int


@dataclass
class Question:
    """What a client asks for, and what becomes of it; it takes effect at `moment` (None: never)."""

    kind: Kind
    client: str
    began: float
    at: float
    outcome: Any
    reign: Reign
    moment: float | None
    told: bool = True
    row: int | None = None
    transfer: Transfer | None = None
    operations: list[Operation] = field(default_factory=list)
    newest: int | None = None
    total: int | None = None

    def event(self) -> Event:
        return Event(
            kind=self.kind, client=self.client, way="dns" if self.client.endswith("1") else "multi-host",
            server=self.reign.server, timeline=None if self.kind == "read" else self.reign.timeline,
            began=WALL + self.began, at=WALL + self.at, mono_began=self.began, mono_at=self.at,
            outcome=self.outcome, row=self.row, transfer=self.transfer, operations=tuple(self.operations),
            newest=self.newest, total=self.total,
        )  # fmt: skip


@dataclass(frozen=True, repr=False)
class Run:
    """A whole run: what the clients remember, and what every member holds in the end."""

    history: History
    final: FinalState

    def __repr__(self) -> str:
        return f"<run of {len(self.history.events)} events>"  # whole, it is more than anybody reads

    @property
    def finals(self) -> dict[str, FinalState]:
        return dict.fromkeys(MEMBERS, self.final)

    def with_events(self, *events: Event) -> Run:
        """The run with these events as well."""
        whole = sorted((*self.history.events, *events), key=lambda event: event.mono_at)
        return replace(self, history=History(tuple(whole)))

    def with_event(self, old: Event, new: Event) -> Run:
        """The run with one event in the place of another."""
        return replace(self, history=History(tuple(new if e is old else e for e in self.history.events)))

    def with_final(self, **parts: Any) -> Run:  # noqa: ANN401 (whatever parts a final state has)
        """The run with other contents in the end, on all members."""
        return replace(self, final=replace(self.final, **parts))


def reigns(random: Random) -> list[Reign]:
    """Up to four primaries one after the other, with a time without any between them."""
    found = []
    start, timeline = 0.0, random.randint(2, 9)
    for _ in range(random.randint(0, 3)):
        end = start + random.uniform(4, 12)
        found.append(Reign(start, end, random.choice([*MEMBERS.values()]), timeline))
        start, timeline = end + random.uniform(0.5, 6), timeline + random.randint(1, 2)
    found.append(Reign(start, 1000.0, random.choice([*MEMBERS.values()]), timeline))
    return found


def _questions(
    random: Random, kind: Kind, client: str, all_reigns: list[Reign], seconds: float
) -> list[Question]:
    """Everything that one client asks for, one thing after another; connections in between."""
    found: list[Question] = []
    now = random.uniform(0, 1)
    reign = None
    while now < seconds:
        current = next((each for each in all_reigns if each.start <= now < each.end), None)
        if current is None:
            failed = Reign(now, now, "", 0)
            found.append(Question("connect", client, now, now + 0.1, "rejected", failed, None))
            now += random.uniform(0.2, 1)
            continue
        if current is not reign:
            reign = current
            found.append(Question("connect", client, now, now + 0.05, "acknowledged", reign, None))
            now += 0.06
        question = _asked(random, kind, client, now, reign)
        found.append(question)
        now = question.at + random.uniform(0.01, 0.5)
    if found and random.random() < 0.3:
        found[-1].told = False  # killed before it could tell
    return found


def _asked(random: Random, kind: Kind, client: str, began: float, reign: Reign) -> Question:
    """One question, with an answer of every sort that there is."""
    at = began + random.uniform(0.02, 1.5)
    if at >= reign.end:
        # The server falls in the middle of it: done or not, the answer may still be on its way.
        moment = random.uniform(began, reign.end) if random.random() < 0.6 else None
        answers = ["unknown", "acknowledged"] if moment else ["unknown", "rejected"]
        return Question(kind, client, began, at + random.uniform(0, 8), random.choice(answers), reign, moment)
    lot = random.random()
    if lot < 0.08:
        return Question(kind, client, began, at, "rejected", reign, None)
    if lot < 0.16:
        late = random.uniform(began, min(at + 5, reign.end))
        return Question(kind, client, began, at, "unknown", reign, random.choice((None, late)))
    return Question(kind, client, began, at, "acknowledged", reign, random.uniform(began, at))


def _fill(random: Random, questions: list[Question]) -> None:
    """Say what is asked for, with each client's numbers in order."""
    number = 0
    for each in questions:
        number += 1
        if each.kind == "append":
            each.row = number
        elif each.kind == "transfer":
            debit, credit = random.sample(range(1, ACCOUNTS + 1), 2)
            each.transfer = Transfer(number, debit, credit, random.randint(1, 50))
        elif each.kind == "list":
            for _ in range(random.randint(1, 4)):
                key = random.choice(KEYS)
                append = random.random() < 0.5
                each.operations.append(Append(key, f"{each.client}/{number}") if append else Read(key, None))
                number += append
        else:
            number -= 1


class Database:
    """What a sound cell holds: each question takes effect at once, or not at all."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int]] = []
        self.transfers: list[tuple[str, Transfer]] = []
        self.balances = dict.fromkeys(range(1, ACCOUNTS + 1), OPENING)
        self.lists: dict[str, tuple[str, ...]] = {}

    def take(self, question: Question) -> None:
        if question.row is not None:
            self.rows.append((question.client, question.row))
        if (moved := question.transfer) is not None:
            self.transfers.append((question.client, moved))
            self.balances[moved.debit] -= moved.amount
            self.balances[moved.credit] += moved.amount
        for place, each in enumerate(question.operations):
            held = self.lists.get(each.key, ())
            if isinstance(each, Append):
                self.lists[each.key] = (*held, each.value)
            else:
                question.operations[place] = Read(each.key, held)
        if question.kind == "read":
            question.newest, question.total = len(self.rows) or None, sum(self.balances.values())


def run_of(random: Random, seconds: float = 40.0) -> Run:
    """A run of a few clients of each kind, on a cell that keeps its promise."""
    all_reigns = reigns(random)
    kinds: dict[Kind, str] = {
        "append": "appends",
        "transfer": "transfers",
        "list": "lists",
        "read": "readers",
    }
    clients = [
        (kind, f"{name}-{number}")
        for kind, name in kinds.items()
        for number in range(1, random.randint(1, 3) + 1)
    ]
    questions = []
    for kind, client in clients:
        asked = _questions(random, kind, client, all_reigns, seconds)
        _fill(random, asked)
        questions += asked
    database = Database()
    for each in sorted((q for q in questions if q.moment is not None), key=lambda q: q.moment or 0):
        database.take(each)
    events = sorted((each.event() for each in questions if each.told), key=lambda event: event.mono_at)
    final = FinalState(
        rows=tuple(database.rows),
        transfers=tuple(database.transfers),
        openings=dict.fromkeys(database.balances, OPENING),
        balances=database.balances,
        lists=database.lists,
    )
    return Run(History(tuple(events)), final)


def runs() -> st.SearchStrategy[Run]:
    """Runs that hold no violation, of 2 to 40 seconds."""
    return st.builds(run_of, randoms(), st.integers(2, 40).map(lambda short: 42.0 - short))


def randoms() -> st.SearchStrategy[Random]:
    """Sources of chance with a seed: runs are too long for hypothesis to choose each number itself."""
    return st.randoms(use_true_random=True)
