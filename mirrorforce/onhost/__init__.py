"""Python that runs on hosts: standard library only (psycopg2 beside it for the workload)."""

FOLDER = "/usr/local/lib/mirrorforce"
"""Where role base puts it on every host."""

PYTHON_PATH = f"PYTHONPATH={FOLDER}"
"""What Python has to have in its environment to find it there."""
