"""Looking at a machine before anything is done to it: who answers at its address, and what it has."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce import remote
from mirrorforce.sites.static_check import Answer, Facts, Mounted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.estate import Machine

SECONDS = 15.0
"""How long a machine has for each of the two looks."""

_KEY_TYPE = "ssh-ed25519"

# POSIX sh, since nothing else can be counted on; mount points are its arguments.
_ASK = """
say() { printf '%s=%s\\n' "$1" "$2"; }
say hostname "$(uname -n)"
say connection "$SSH_CONNECTION"
say home "$HOME"
say group "$(id -gn)"
say root "$(sudo -n id -u 2>&1 | tail -n 1)"
say system "$(. /etc/os-release && echo "$ID $VERSION_ID")"
say python "$(command -v python3)"
say init "$(cat /proc/1/comm)"
say container "$(systemd-detect-virt --container)"
for point in "$@"; do
    kind=$(awk -v point="$point" '$2 == point { kind = $3 } END { print kind }' /proc/self/mounts)
    test -z "$kind" || say "$point" "$kind $(stat --file-system --format='%b %S' "$point")"
done
"""


def who_answers(machine: Machine) -> Answer:
    """The key that is proved to us at the machine's address. Nobody logs in: the key exchange comes first."""
    with tempfile.TemporaryDirectory(prefix="mirrorforce-") as folder:
        known = Path(folder) / "known_hosts"
        options = {
            "HostKeyAlias": machine.name,
            "HostKeyAlgorithms": _KEY_TYPE,
            # Whatever key answers is taken down, to be compared: by whoever called, not by ssh.
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": str(known),
            "GlobalKnownHostsFile": "/dev/null",
            "HashKnownHosts": "no",
            "PreferredAuthentications": "none",
            "IdentityAgent": "none",
            "BatchMode": "yes",
            "ConnectTimeout": str(round(SECONDS)),
            "LogLevel": "ERROR",
            "ProxyCommand": machine.proxy_command or "none",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        line = ["ssh", "-F", "none", *words, "-p", str(machine.port), "-l", machine.user]
        result = remote.run_line([*line, "--", str(machine.address), "true"], None, SECONDS)
        kept = known.read_text(encoding="ascii").split() if known.exists() else []
    key = " ".join(kept[1:3]) if kept[1:2] == [_KEY_TYPE] else ""
    return Answer(key, result.reason)


def look(config: Path, name: str, mounts: Sequence[str]) -> Facts | str:
    """What the machine says of itself, over the ssh_config that leads there; or why it did not let us in."""
    own = ["-o", "ControlMaster=no", "-o", "ControlPath=none"]  # nothing stays open behind us
    line = ["ssh", "-F", str(config), *own, name, "--", "sh", "-s", "--", *mounts]
    result = remote.run_line(line, _ASK.encode(), SECONDS)
    return facts_of(result.stdout, mounts) if result.ok else result.reason


def facts_of(text: str, mounts: Sequence[str]) -> Facts:
    """The facts in the lines that a machine answered. Pure."""
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    # SSH_CONNECTION: the client's address and port, then the server's (ssh(1), ENVIRONMENT).
    source, _, address, port = (said.get("connection", "").split() + [""] * 4)[:4]
    return Facts(
        hostname=said.get("hostname", ""),
        source=source,
        address=address,
        port=port,
        home=said.get("home", ""),
        group=said.get("group", ""),
        root=said.get("root", ""),
        system=said.get("system", ""),
        python=said.get("python", ""),
        init=said.get("init", ""),
        container=said.get("container", ""),
        mounts={point: _mounted(said.get(point)) for point in mounts},
    )


def _mounted(words: str | None) -> Mounted | None:
    """`ext4 517120 4096`: the type, blocks, bytes of a block."""
    if words is None:
        return None
    kind, blocks, block_bytes = words.split()
    return Mounted(kind, int(blocks) * int(block_bytes) >> 20)
