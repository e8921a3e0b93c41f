"""Where acts are carried out: the environment, and commands on its hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce import remote
from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.remote import Result
    from mirrorforce.workspace import Workspace


class SkippedError(MirrorforceError):
    """An act that this machine or platform has no means for. Nothing was done; the drill is skipped."""


@dataclass(frozen=True, slots=True)
class Context:
    """The environment that acts are carried out on; `say` hears what an act that takes long waits for."""

    ws: Workspace
    estate: Estate
    inventory: Inventory
    say: Callable[[str], None] = lambda _text: None

    @property
    def site_of(self) -> dict[str, str]:
        """The site of each host."""
        return {host.name: host.site for host in self.inventory.hosts}

    def is_lab(self, host: str) -> bool:
        """Whether the host is one of the lab's."""
        return self.estate.site(self.inventory.host(host).site).platform == "lab"

    def is_off(self, host: str) -> bool:
        """Whether the host is known to have no power; of a host outside the lab nobody knows."""
        from mirrorforce.lab import hosts  # noqa: PLC0415 - only a lab needs the lab

        if not self.is_lab(host):
            return False
        state = hosts.observe(self.estate.name, host)
        return state is not None and not state.running

    def mount(self, host: str, volume: str) -> str:
        """Where a volume of the host is mounted; MirrorforceError where it has none of that name."""
        for each in self.inventory.host(host).volumes:
            if each.name == volume:
                return each.mount
        raise MirrorforceError(
            f"{host} has no volume of its own for {volume}", "choose a member of a cell, on a database host"
        )

    def on_all(
        self, hosts: Iterable[str], command: str | Callable[[str], str], what: str, *, timeout: float = 20.0
    ) -> dict[str, Result]:
        """Run a shell command as root on all hosts side by side; MirrorforceError names those that failed."""
        results = self._ask(hosts, command, timeout)
        failed = [f"{host}: {result.reason}" for host, result in results.items() if not result.ok]
        if failed:
            raise MirrorforceError(
                f"{what} failed on {'; '.join(failed)}", f"mirrorforce ssh {failed[0].partition(':')[0]}"
            )
        return results

    def holds_on_all(self, hosts: Iterable[str], command: str) -> bool:
        """Whether the shell command succeeds, as root, on every one of the hosts."""
        return all(result.ok for result in self._ask(hosts, command, 20.0).values())

    def _ask(
        self, hosts: Iterable[str], command: str | Callable[[str], str], timeout: float
    ) -> dict[str, Result]:
        def as_root(host: str) -> list[str]:
            return ["sudo", "-n", "sh", "-euc", command(host) if callable(command) else command]

        return remote.run_on_all(self.ws, hosts, as_root, timeout=timeout)

    def with_power(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """Those of the hosts that are not known to be off."""
        return tuple(host for host in hosts if not self.is_off(host))
