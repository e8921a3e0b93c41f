"""Sites, links and hosts on this machine: real systemd hosts in network namespaces."""
