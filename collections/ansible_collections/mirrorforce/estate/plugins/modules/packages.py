"""Packages that have to be there: a look at dpkg's own list, 10 ms where nothing is missing."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: packages
short_description: Install packages where they are missing
description:
  - Looks at dpkg's list, and runs M(ansible.builtin.apt) only where a package is missing. A host without a
    route to a mirror converges as long as its image holds what the roles declare.
  - It never upgrades. Upgrades of a database are an operation of their own.
options:
  names:
    description: Names of packages.
    type: list
    elements: str
    required: true
author:
  - Mirrorforce (@mirrorforce)
"""

EXAMPLES = r"""
- name: Install packages
  mirrorforce.estate.packages:
    names: [openssl]
"""

RETURN = r"""
missing:
  description: Packages that were not installed.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule


def missing(names, listed):
    """Those of `names` that dpkg-query's lines 'name state' do not show as installed."""
    states = dict(line.split(" ", 1) for line in listed.splitlines())
    return [name for name in names if states.get(name) != "installed"]


def main():
    """Say which packages are missing."""
    module = AnsibleModule(
        argument_spec={"names": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    names = module.params["names"]
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *names]
    _code, out, _err = module.run_command(query)
    module.exit_json(changed=False, missing=missing(names, out))


if __name__ == "__main__":
    main()
