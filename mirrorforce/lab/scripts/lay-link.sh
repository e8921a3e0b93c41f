#!/bin/sh
# Lay a link: a switch with a tap at each end, and the wire between them.
#
#   lay-link.sh CGROUP RUNTIME NAMESPACE_A TAP_A NAMESPACE_B TAP_B
#
# The three daemons live in CGROUP; RUNTIME, a private folder, holds their sockets.
set -eu
echo 0 > "$1/cgroup.procs"
runtime=$2
cd "$runtime"
umask 077

switch() { nsenter --net="/run/netns/$2" vde_switch -sock "$runtime/$1" -mode 0600 -dirmode 0700 \
  -numports 4 -tap "$3" -daemon </dev/null; }

switch a "$3" "$4"
switch b "$5" "$6"
# -N: packets of one delay keep their order by themselves, and no packet waits for one before it.
exec wirefilter --vde-plug "$runtime/a:$runtime/b" --mgmt "$runtime/wire" --mgmtmode 0600 --nofifo --daemon
