#!/bin/sh
# Boot a lab host and stay until it ends.
#
#   boot-host.sh CGROUP NAMESPACE DIR MACHINE HOSTNAME BRIDGE LOOPLOCK [VOLUME MOUNT]...
#
# The host's file systems are mounted in a mount namespace of its own: they vanish with its last
# process, whatever kills it, and no other host or login ever holds a copy of them open.
set -eu
# Mount points in the host are for everybody, whatever our caller's umask is.
umask 022

if [ "$1" != inside ]; then
  echo 0 > "$1/cgroup.procs"
  namespace=$2
  shift 2
  exec nsenter --net="/run/netns/$namespace" unshare --mount --propagation slave "$0" inside "$@"
fi

shift
dir=$1 machine=$2 hostname=$3 bridge=$4 lock=$5
shift 5
cd "$dir"

# Without this, every host would hold the namespaces of all sites alive after they are removed.
umount -R -l /run/netns
# systemd-nspawn keeps its exchange folders here; as a host's own they leave nothing on the machine.
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn

# Relative names, so that no character in a path can be taken for a separator of options.
mount -t overlay -o lowerdir=image,upperdir=upper,workdir=work overlay root
set -- "$@" --
while [ "$1" != -- ]; do
  volume=$1 mount=$2
  shift 2
  mkdir -p "mounts/$volume"
  # Finding a free loop device and taking it are two steps: one host at a time.
  flock "$lock" mount -o loop,noatime "volumes/$volume.ext4" "mounts/$volume"
  set -- "$@" "--bind=$dir/mounts/$volume:$mount"
done
shift

# The first MiB of the console is kept: it tells why a host did not come up, and cannot fill the disk.
{
  SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec systemd-nspawn --quiet --boot --directory="$dir/root" \
    --machine="$machine" --hostname="$hostname" --register=no --keep-unit --settings=no \
    --network-veth --network-bridge="$bridge" --console=pipe --kill-signal=SIGRTMIN+3 \
    --resolv-conf=off --timezone=off --link-journal=no "$@" 2>&1
} | {
  head -c 1048576 > console.log
  exec cat > /dev/null
}
