"""`python -m mirrorforce`."""

from mirrorforce.cli import main

main()
