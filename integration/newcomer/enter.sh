#!/bin/sh
# enter.sh ROOT COMMAND...: runs a command in ROOT, from where only the network of the machine
# outside can be reached. Run it as the first process of new namespaces.
set -eu
root=$1
shift
mount --bind "$root" "$root"
cd "$root"
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs run
mount -t tmpfs -o nosuid,mode=755 tmpfs dev
mkdir dev/pts dev/shm dev/net
mount -t devpts -o nosuid,noexec,newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o nosuid,nodev tmpfs dev/shm
for device in null zero full random urandom tty kvm net/tun; do
	[ -e "/dev/$device" ] || continue
	touch "dev/$device"
	mount --bind "/dev/$device" "dev/$device"
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
hostname bare
mkdir -p run/outside
pivot_root . run/outside
cd /
umount --lazy /run/outside
"$@" # not exec: the first process of a machine outlives the others
