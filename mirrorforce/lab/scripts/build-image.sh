#!/bin/sh
# Build the root tree of lab hosts.
#
#   build-image.sh TREE FILES RELEASE SECURITY PACKAGE...
#
# Runs in a mount and a PID namespace of its own, so nothing that it mounts or starts outlives it.
# FILES is copied over the fresh tree before packages are installed: some of them (createcluster.conf,
# the presets) say how packages are to install themselves. Lines "phase: TEXT" are for people.
# MIRRORFORCE_DEBIAN_MIRROR chooses a mirror; without it debootstrap's own default is used. SECURITY is the
# address of Debian's security archive, or '' where this machine has none among its sources.
set -eu
# What a tree needs is for everybody to read, whatever our caller's umask is.
umask 022
tree=$1 files=$2 release=$3 security=$4
shift 4
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

# What is of no use in a container, or wakes up by itself and costs every host processor time.
useless="apt-daily.service apt-daily.timer apt-daily-upgrade.service apt-daily-upgrade.timer
  dpkg-db-backup.service dpkg-db-backup.timer e2scrub_all.service e2scrub_all.timer e2scrub_reap.service
  fstrim.service fstrim.timer console-getty.service getty.target getty-static.service
  systemd-logind.service systemd-firstboot.service systemd-hwdb-update.service
  systemd-journal-catalog-update.service systemd-update-utmp.service systemd-update-utmp-runlevel.service
  systemd-ask-password-console.path systemd-ask-password-wall.path ldconfig.service
  systemd-pstore.service systemd-udevd.service systemd-udev-trigger.service proc-sys-fs-binfmt_misc.automount"

in_tree() { chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
  DEBIAN_FRONTEND=noninteractive ${http_proxy:+"http_proxy=$http_proxy"} \
  ${https_proxy:+"https_proxy=$https_proxy"} "$@"; }

echo "phase: bootstrapping Debian $release"
# shellcheck disable=SC2086  # the mirror is one optional word
debootstrap --variant=minbase "$release" "$tree" ${MIRRORFORCE_DEBIAN_MIRROR:-}

echo "phase: preparing $# packages"
cp -R --no-preserve=ownership "$files/." "$tree/"
chmod 0440 "$tree/etc/sudoers.d/mirrorforce"
cp /etc/resolv.conf "$tree/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' > "$tree/usr/sbin/policy-rc.d"
chmod 0755 "$tree/usr/sbin/policy-rc.d"
echo force-unsafe-io > "$tree/etc/dpkg/dpkg.cfg.d/build"
mount -t proc proc "$tree/proc"
mount -t tmpfs tmpfs "$tree/var/cache/apt/archives"
mkdir "$tree/var/cache/apt/archives/partial"

echo "phase: installing $# packages"
in_tree apt-get update -q
in_tree apt-get install -q -y --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@"

if [ -n "$security" ]; then
  # After the packages: an archive behind https needs their certificates.
  echo "phase: installing security updates"
  echo "deb $security $release-security main" >> "$tree/etc/apt/sources.list"
  in_tree apt-get update -q
  in_tree apt-get dist-upgrade -q -y --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold
fi

echo "phase: setting up what starts at boot"
in_tree systemctl preset-all
# shellcheck disable=SC2086  # a list of words
in_tree systemctl mask $useless
in_tree systemctl set-default multi-user.target
in_tree useradd --create-home --shell /bin/bash --password '*' --comment 'Mirrorforce administrator' mirrorforce

# The package grants this by a tool that the image does without.
chmod u+s "$tree/usr/bin/ping"

echo "phase: cleaning up"
umount "$tree/var/cache/apt/archives" "$tree/proc"
rm -f "$tree/usr/sbin/policy-rc.d" "$tree/etc/dpkg/dpkg.cfg.d/build" "$tree"/etc/ssh/ssh_host_*_key* \
  "$tree"/var/lib/dpkg/*-old "$tree"/var/cache/debconf/*-old "$tree"/etc/*- "$tree/var/lib/systemd/random-seed" \
  "$tree/var/cache/ldconfig/aux-cache" "$tree"/var/cache/apt/*.bin "$tree/etc/hostname" "$tree/etc/apt/apt.conf"
rm -rf "$tree"/var/cache/apt/archives/* "$tree"/var/lib/apt/lists/* "$tree"/usr/share/man/* "$tree"/usr/share/info/* "$tree"/usr/share/locale/* \
  "$tree"/usr/share/doc/* "$tree"/usr/share/lintian/* "$tree"/tmp/* "$tree"/var/tmp/*
find "$tree/var/log" -type f -delete
# Hosts reach no mirror and no name server of the machine that built the image.
echo '# Lab hosts reach no mirror: what they need is in their image.' > "$tree/etc/apt/sources.list"
rm -f "$tree"/etc/apt/sources.list.d/*
echo '# Set by the role that needs it.' > "$tree/etc/resolv.conf"
: > "$tree/etc/machine-id"
# Otherwise the first boot of every host rebuilds caches that are fresh.
touch "$tree/etc/.updated" "$tree/var/.updated"
