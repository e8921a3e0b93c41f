"""What runs needs only requirements.txt: `make up` installs no package that only checks."""

from __future__ import annotations

import os
import subprocess
import sys

from mirrorforce.workspace import ROOT

COLLECT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"hypothesis", "mypy", "ruff", "ansiblelint"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
import pytest
options = ["-p", "no:hypothesispytest", "-p", "no:cacheprovider"]
sys.exit(pytest.main(["tests/hosts", "--collect-only", "--quiet", *options]))
"""


def test_the_checks_of_hosts_are_collected_without_packages_that_only_check() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECT],
        cwd=ROOT,
        env={**os.environ, "MIRRORFORCE_ENV": "lab"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_exactly_the_declared_sockets_listen[east-na1]" in done.stdout
