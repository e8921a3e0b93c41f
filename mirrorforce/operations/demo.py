"""The main job, step by step: load, lose a site under load, count, come back, go home.

One implementation for two readers: `mirrorforce demo` tells a person what happens, the end-to-end test
asserts on the same report. A step does and measures; what the figures must be is said by
`demo_report.shortfalls`.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.lab import estate as lab
from mirrorforce.operations import (
    application,
    comparison,
    demo_report,
    names,
    status,
    status_report,
    switchover,
    waiting,
    workload,
    workload_report,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mirrorforce.estate import Cell, Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.operations.workload import Clients
    from mirrorforce.workspace import Workspace

SCALE = 20
"""pgbench's scale: 2,000,000 accounts a cell."""

LOAD_SECONDS = 180.0
"""Longest time that load runs; each step that needs it stops it when it has seen enough."""

_FAILED_OVER_WITHIN = 120.0
_AFTER_FAULT_SECONDS = 8.0
_BEFORE_FAULT_SECONDS = 6.0


@dataclass
class Demo:
    """The demo of one environment: cell `cell` loses `site`, where its primary is."""

    ws: Workspace
    estate: Estate
    inventory: Inventory
    cell: Cell
    say: Callable[[str], None]
    scale: int = SCALE
    steps: list[dict[str, Any]] = field(default_factory=list)
    _said: str = ""

    @property
    def site(self) -> str:
        """The site that is lost: the preferred site of the cell."""
        return self.cell.preferred_site

    @property
    def application_host(self) -> str:
        """Where clients live."""
        return application.host_of(self.inventory)

    def run(self) -> dict[str, Any]:
        """All steps in order; the report, with what fell short of its objective."""
        started = time.monotonic()
        moment = datetime.now(UTC)
        lost = False
        self.at_home()
        self.load()
        self.compare("compare")
        try:
            lost = True
            self.lose_site()
            self.bring_site_back()
            lost = False
        finally:
            if lost:
                lab.power_on_site(self.estate.name, self.site)
        self.compare("compare again")
        self.go_home()
        return demo_report.build(
            environment=self.ws.env,
            cell=self.cell.name,
            site=self.site,
            time=moment.isoformat(timespec="seconds"),
            seconds=time.monotonic() - started,
            steps=self.steps,
        )

    def at_home(self) -> None:
        """Start from a whole estate with every cell in its preferred site."""
        with self._step("at home", "every cell is whole, and in its preferred site") as found:
            waiting.until_whole(self.ws, self.estate, self.inventory, on_progress=self._say_once)
            found["moved"] = [
                moved.to_dict()
                for cell in self.estate.cells
                if (moved := self._switch(cell.name, cell.preferred_site)).changed
            ]

    def load(self) -> None:
        """Create pgbench's tables in every cell, through its DNS name."""
        accounts = self.scale * 100_000
        title = f"load pgbench at scale {self.scale} ({accounts:,} accounts) into every cell, by its name"
        with self._step("load", title) as found:
            cells = [cell.name for cell in self.estate.cells]
            with ThreadPoolExecutor(max_workers=len(cells)) as pool:
                list(pool.map(self._initialise, cells))
            found["cells"] = cells
            found["accounts"] = accounts

    def compare(self, name: str) -> None:
        """Compare row counts and a content hash of every table on every member."""
        with self._step(name, "every member of a cell holds the same rows") as found:
            report = waiting.until_whole(self.ws, self.estate, self.inventory, on_progress=self._say_once)
            primaries = {cell["name"]: cell["primary"]["host"] for cell in report["cells"]}
            compared = [
                comparison.compare(self.ws, self.inventory, cell, primaries[cell.name])
                for cell in self.estate.cells
            ]
            for one in compared:
                verdict = "agree" if one.agrees else "DIFFER"
                self.say(f"{one.cell}: {len(one.members)} members {verdict} on {one.rows:,} rows")
            found["cells"] = [one.to_dict() for one in compared]
            found["differences"] = [difference for one in compared for difference in one.differences]

    def lose_site(self) -> None:
        """Power the site off while pgbench and writers run; wait for the takeover; count the rows."""
        with self._step("lose the site", f"power off {self.site} whole, under load") as found:
            with self._load_running() as writers:
                primary = self._primary()
                self.say(f"{self.cell.name} is led by {primary}; power off {self.site}")
                off_at = time.time()
                lab.power_off_site(self.estate.name, self.site)
                found["status_of_the_dead"] = self._status_with_dead_site()
                found["new_primary"] = self._wait_for_takeover(primary, off_at)
                self._wait_for_writers(writers, off_at)
                time.sleep(_AFTER_FAULT_SECONDS)
            found["old_primary"] = primary
            found["cells"] = {one.cell: self._count(one, off_at) for one in writers}
            for one in writers:
                one.forget(self.ws)
            mine = found["cells"][self.cell.name]
            self.say(
                f"RPO: {len(mine['lost'])} of {mine['acknowledged']:,} acknowledged rows lost; "
                f"RTO: {mine['outage_seconds']} s between acknowledgements"
            )

    def bring_site_back(self) -> None:
        """Power the site on; its members are to rejoin as standbys by themselves."""
        with self._step("bring the site back", f"power on {self.site}; nobody helps it") as found:
            lab.power_on_site(self.estate.name, self.site)
            report = waiting.until_whole(self.ws, self.estate, self.inventory, on_progress=self._say_once)
            cell = status_report.cell_of(report, self.cell.name)
            found["members"] = {member["host"]: member["role"] for member in cell["members"]}
            found["primary"] = cell["primary"]

    def go_home(self) -> None:
        """Switch over to the preferred site while writers run."""
        with self._step("go home", f"switchover of {self.cell.name} to {self.site}, under load") as found:
            writers = self._start_writers(self.cell.name)
            try:
                self._wait_for_writers([writers], time.time())
                ordered_at = time.time()
                found["switchover"] = self._switch(self.cell.name, self.site).to_dict()
                time.sleep(_AFTER_FAULT_SECONDS / 2)
            finally:
                writers.unit.stop(self.ws)
            found["cells"] = {self.cell.name: self._count(writers, ordered_at)}
            writers.forget(self.ws)

    @contextmanager
    def _step(self, name: str, title: str) -> Iterator[dict[str, Any]]:
        self.say(f"== {name}: {title}")
        started = time.monotonic()
        found: dict[str, Any] = {}
        yield found
        seconds = round(time.monotonic() - started, 1)
        self.say(f"   done in {seconds} s")
        self.steps.append({"name": name, "title": title, "seconds": seconds, "found": found})

    @contextmanager
    def _load_running(self) -> Iterator[list[Clients]]:
        """Writers and pgbench on every cell, writing before the body begins, stopped after it."""
        cells = [cell.name for cell in self.estate.cells]
        writers = [self._start_writers(cell) for cell in cells]
        host = self.application_host
        load = [workload.start_pgbench(self.ws, host, cell, seconds=LOAD_SECONDS) for cell in cells]
        try:
            self._wait_for_writers(writers, time.time())
            self.say(f"writers and pgbench write to {', '.join(cells)}")
            time.sleep(_BEFORE_FAULT_SECONDS)
            yield writers
        finally:
            for unit in (*load, *(one.unit for one in writers)):
                unit.stop(self.ws)

    def _say_once(self, text: str) -> None:
        """Say what is waited for, when that changes."""
        if text != self._said:
            self._said = text
            self.say(f"  … {text}")

    def _start_writers(self, cell: str) -> Clients:
        return workload.start(
            self.ws, self.application_host, cell, seconds=LOAD_SECONDS, groups=workload.WRITERS
        )

    def _initialise(self, cell: str) -> None:
        workload.pgbench_initialise(self.ws, self.application_host, cell, scale=self.scale)

    def _switch(self, cell: str, site: str) -> switchover.Switchover:
        return switchover.switchover(self.ws, self.estate, self.inventory, cell, site, self._say_once)

    def _status(self) -> dict[str, Any]:
        return status.collect(self.ws, self.estate, self.inventory)

    def _primary(self) -> str:
        """Who leads the cell, under load."""
        report = status.collect(self.ws, self.estate, self.inventory, timeout=status.FOR_A_DECISION)
        return status_report.primary_of(report, self.cell.name)

    def _status_with_dead_site(self) -> dict[str, Any]:
        started = time.monotonic()
        report = self._status()
        seconds = round(time.monotonic() - started, 2)
        self.say(f"status answers in {seconds} s: {report['summary']}")
        return {"seconds": seconds, "report": report}

    def _wait_for_takeover(self, old: str, since: float) -> dict[str, Any]:
        """The new primary as soon as it leads, and as soon as every living DNS server answers it."""
        seen: dict[str, Any] = {}

        def taken_over() -> dict[str, Any] | None:
            cell = status_report.cell_of(self._status(), self.cell.name)
            primary = cell["primary"]
            if primary is None or primary["host"] == old:
                self._say_once(f"{self.cell.name} has no primary until the lease of {old} runs out")
                return None
            seen.setdefault("leads_after", round(time.time() - since, 1))
            answering = [answer for answer in cell["dns"]["servers"] if not answer["error"]]
            if not answering or any(answer["hosts"] != [primary["host"]] for answer in answering):
                self._say_once(f"{primary['host']} leads after {seen['leads_after']} s; DNS follows")
                return None
            follows = round(time.time() - since, 1)
            self.say(f"{cell['dns']['name']} answers {primary['host']} after {follows} s")
            return {**primary, **seen, "dns_follows_after": follows}

        return waiting.until(
            taken_over,
            limit=_FAILED_OVER_WITHIN,
            every=1.0,
            otherwise=lambda: MirrorforceError(
                f"nobody took {self.cell.name} over within {_FAILED_OVER_WITHIN:.0f} s",
                f"mirrorforce status {self.ws.env}",
            ),
        )

    def _wait_for_writers(self, writers: list[Clients], since: float) -> None:
        """Until the writers of every cell have a row acknowledged that is newer than `since`."""

        def written() -> bool | None:
            for one in writers:
                one.check_running(self.ws)
            return all(one.last_acknowledgement(self.ws) > since for one in writers) or None

        waiting.until(
            written,
            limit=_FAILED_OVER_WITHIN,
            otherwise=lambda: MirrorforceError(
                "the writers have no new row acknowledged", f"mirrorforce status {self.ws.env}"
            ),
        )

    def _count(self, writers: Clients, since: float) -> dict[str, Any]:
        outage = workload_report.outage(writers.history(self.ws), since)
        return {
            **writers.judge(self.ws).to_dict(),
            "outage_seconds": None if outage is None else round(outage.seconds, 2),
        }


def prepare(
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    *,
    cell: str | None = None,
    say: Callable[[str], None] = lambda _: None,
    scale: int = SCALE,
) -> Demo:
    """The demo of this environment; by default the first cell loses its preferred site.

    Raises BadInputError for a cell that does not exist, or a site that is not of platform `lab`: only
    there can the power be cut without asking anybody.
    """
    chosen = names.cell(estate, cell) if cell else estate.cells[0]
    if estate.site(chosen.preferred_site).platform != "lab":
        raise BadInputError(
            f"{chosen.preferred_site} is no lab site: the demo powers it off whole",
            "mirrorforce demo lab",
        )
    return Demo(ws, estate, inventory, chosen, say, scale)
