#!/usr/bin/env python3
"""Ansible's dynamic inventory: the environment's stacks as they are, with every role variable.

The environment is MIRRORFORCE_ENV, as `mirrorforce env` sets it. Secrets leave through the pipe to
Ansible and nowhere else.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from mirrorforce import estate_file, inventory
from mirrorforce.engine import read_secrets
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.workspace import Workspace


def document() -> dict[str, object]:
    """What Ansible is told."""
    env = os.environ.get("MIRRORFORCE_ENV")
    if not env:
        raise BadInputError("MIRRORFORCE_ENV is not set", 'eval "$(mirrorforce env lab)"')
    ws = Workspace(env)
    estate = estate_file.load(ws.estate_file)
    with ThreadPoolExecutor() as pool:
        secrets = pool.submit(read_secrets, ws)
        return inventory.ansible_document(estate, inventory.read(ws, estate), secrets.result())


def main() -> int:
    """Print the whole inventory for `--list`; `--host` is never needed, as `_meta` says it all."""
    try:
        found = document() if "--host" not in sys.argv[1:] else {}
    except MirrorforceError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
