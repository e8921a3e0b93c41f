"""The host's seal: what was declared on it, kept there to be held against it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: seal
short_description: Keep on the host what this run declared on it
description:
  - Keeps what the other modules of this collection were told in this run in a file that root alone reads.
    Beside it stands what nobody declared but was there the first time. C(mirrorforce drift --quick) holds
    hosts against it.
  - A run of some roles only (C(--tags)) renews the part of these roles.
  - The program that does it is part of what role C(base) installs. Does nothing in check mode, and is never a
    change.
options:
  folder:
    description: Where the part of Mirrorforce lies that runs on hosts.
    type: path
    required: true
author:
  - Mirrorforce (@mirrorforce)
"""

EXAMPLES = r"""
- name: Seal the host
  mirrorforce.estate.seal:
    folder: /usr/local/lib/mirrorforce
"""

RETURN = r"""
"""

from ansible.module_utils.basic import AnsibleModule

PROGRAM = ["python3", "-m", "mirrorforce.onhost.seal", "write"]


def main():
    """Hand what was told to the program, by its standard input."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "told": {"type": "str", "required": True, "no_log": True},
        },
    )
    code, out, err = module.run_command(
        ["env", f"PYTHONPATH={module.params['folder']}", *PROGRAM], data=module.params["told"]
    )
    if code != 0:
        module.fail_json(msg=f"the host could not be sealed: {(err or out).strip()}")
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
