"""The failover agent: beside Patroni on each database host, it can only make a failover earlier.

The decisions (`rules`, `fencing`, `coordination`, `suspicion`) and the words of etcd (`keys`) are pure;
`store`, `packets`, `database` and `probes` act, `agent` brings them together. Standard library only, and
psycopg2, which Patroni brings. docs/failover.md says why it is safe, models/ holds the rules to it.
"""
