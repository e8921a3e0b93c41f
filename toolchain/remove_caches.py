"""Remove the named caches: `python -m toolchain.remove_caches`. Refuses while a lab host lies over the image."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from mirrorforce.workspace import cache


def main() -> int:
    """Remove every cache, or none where one is in use. Exit codes as everywhere."""
    folder = cache()
    in_use = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"{folder}/" in line]
    if in_use:
        print(f"error: {folder} is in use: hosts of a lab are mounted over its image", file=sys.stderr)
        print("  next: mirrorforce down ENV, for each environment that is up", file=sys.stderr)
        return 1
    if folder.is_dir():
        print(f"removing {folder}")
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
