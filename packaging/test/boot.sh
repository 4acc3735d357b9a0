#!/bin/sh
# boot.sh LOWER PLACE: in name spaces of its own (deb_test.py makes them), systemd as process 1 of a Debian root. What it
# writes stays in PLACE; LOWER is only read. No network but the loopback of the name space, no device but the usual ones.
set -e
root=$2/root
mkdir -p "$root" "$2/upper" "$2/work"
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$root"
mkdir -p "$root/outside"
mount -t tmpfs tmpfs "$root/sys"
mkdir -p "$root/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty kvm; do
	[ ! -e "/dev/$device" ] || cp -a "/dev/$device" "$root/dev/"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t proc proc "$root/proc"
cd "$root"
pivot_root . outside
umount -l /outside
exec env -i container=samsara PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --show-status=false \
	--log-target=journal systemd.unit=multi-user.target
