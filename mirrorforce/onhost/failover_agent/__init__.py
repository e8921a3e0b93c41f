"""The failover agent, beside Patroni on each database host: failovers sooner, switchovers shorter.

The decisions (`rules`, `fencing`, `coordination`, `suspicion`) and the words of etcd (`keys`) are pure;
`store`, `packets`, `database` and `probes` act, `agent` and `planned` bring them together. Standard library
only, and psycopg2, which Patroni brings. docs/fence-and-release.md says why it is safe, models/ holds the
rules to it.
"""
