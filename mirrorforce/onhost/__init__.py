"""Python that runs on hosts: standard library only (psycopg2 beside it for the workload)."""
