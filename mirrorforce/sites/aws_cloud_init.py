"""What a new host is told at its first boot: its name, and whose key opens it. Pure.

Nothing in it is secret: whoever may describe the instance, and every process on it, can read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from mirrorforce.estate import Estate, Host

ADMIN = "mirrorforce"
"""The user that Ansible comes as, on every platform that we make hosts on."""


def user_data(estate: Estate, host: Host, ssh_public_key: str) -> str:
    """The cloud-config of a host. Everything else is Ansible's."""
    document = {
        "hostname": host.name,
        "fqdn": f"{host.name}.{estate.domain}",
        # The role base writes /etc/hosts, once: Debian's image would have it written anew at each boot.
        "manage_etc_hosts": False,
        # In place of the image's own user, so that there is one.
        "users": [
            {
                "name": ADMIN,
                "gecos": "Mirrorforce administrator",
                "shell": "/bin/bash",
                "lock_passwd": True,
                "sudo": "ALL=(ALL:ALL) NOPASSWD: ALL",
                "ssh_authorized_keys": [ssh_public_key.strip()],
            }
        ],
        "disable_root": True,
        "ssh_pwauth": False,
        # The host makes its own key and shows the public half on its console, where `aws_console` reads it.
        "ssh_deletekeys": True,
        "ssh_genkeytypes": ["ed25519"],
        "ssh": {"emit_keys_to_console": True},
    }
    return "#cloud-config\n" + yaml.safe_dump(document, sort_keys=False, width=1000)
