#!/bin/sh
# base.sh SUITE DIRECTORY [PACKAGES]: makes, from Debian's packages, and from these if there are any, what a laptop boots:
#   root.img   its disk, ext4
#   vmlinuz    its kernel
#   modules/   the kernel modules that mount root.img, to be loaded in the order of their names
#   power.aml  its charger and battery, from power.asl beside this script
# The kernel modules on the disk are those that the file "modules" beside this script lists.
set -eu
suite=$1 out=$2 more=${3-}
here=$(cd "$(dirname "$0")" && pwd)
work=$out/work
mkdir -p "$work" "$out/modules"

# The lines on the standard output tell how far it is; what else is printed matters when something fails.
exec 3>&1 >&2
say() { echo "laptop $suite: $*" >&3; }

# Kernel packages are unpacked, not installed: nothing here needs the initramfs that they would make. Where linux-image is
# empty, as in testing, what was in it is in packages that it depends on.
fetch_kernel='
	cd "$WORK"
	export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
	version=$(apt-cache depends linux-image-amd64 | sed -n "s/.*Depends: linux-image-\([0-9].*\)/\1/p" | head -n 1)
	parts=$(apt-cache depends "linux-image-$version" | sed -n "s/.*Depends: \(linux-[a-z]*-$version\)\$/\1/p")
	echo "$FETCHING $version" >&3
	apt-get --quiet --option APT::Sandbox::User=root download "linux-image-$version" $parts'
# Newer releases of Debian are tried with the newer message bus, for the system and for its users.
case $suite in
bookworm | trixie) bus=dbus ;;
*) bus=dbus-broker ;;
esac
# Newer systemds load libraries when they need them and do without what is not there; older ones depend on the same.
libraries=libacl1,libapparmor1,libaudit1,libkmod2,libpam0g,libseccomp2,libselinux1,mount
packages=$bus,dbus-user-session,systemd-sysv,libpam-systemd,$libraries,udev,kmod,polkitd,upower,\
network-manager,wpasupplicant,wireless-regdb,hostapd,dnsmasq-base,iw,iproute2,acpica-tools${more:+,$more}
export WORK="$work" FETCHING="laptop $suite: fetching the kernel, some 100 MB:"
say "installing Debian's packages, some 60 MB (about a minute, the first time only)"
# A mirror may hold a Release file of testing that is past its date. The compositor draws without LLVM and Mesa, which are
# larger than everything else.
mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
	--aptopt='Acquire::Check-Valid-Until "false"' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/i18n/*' \
	--dpkgopt='path-exclude=/usr/lib/udev/hwdb.d/*' \
	--dpkgopt='path-exclude=/usr/lib/*/libLLVM*' --dpkgopt='path-exclude=/usr/lib/*/libgallium*' \
	--customize-hook="$fetch_kernel" \
	--customize-hook='chroot "$1" useradd --create-home --uid 1000 --shell /bin/bash user' \
	"$suite" "$work/root"

say "making its disk"
for package in "$work"/linux-*.deb; do
	dpkg-deb --extract "$package" "$work/kernel"
done
[ -e "$work/kernel/lib" ] || ln -s usr/lib "$work/kernel/lib"
version=$(ls "$work/kernel/lib/modules")
for kernel in "$work/kernel/boot/vmlinuz-$version" "$work/kernel/lib/modules/$version/vmlinuz"; do
	[ ! -e "$kernel" ] || cp "$kernel" "$out/vmlinuz"
done

cp "$here/power.asl" "$work/root/tmp"
chroot "$work/root" iasl -p /tmp/power /tmp/power.asl
mv "$work/root/tmp/power.aml" "$out"
rm "$work/root/tmp/power.asl"

# depends DIRECTORY MODULE...: the files of modules and of what they need, in load order. Newer kernels have parts of
# themselves that were modules.
depends() {
	directory=$1
	shift
	for module in "$@"; do
		modprobe --dirname "$directory" --set-version "$version" --show-depends "$module" ||
			echo "this kernel has no module $module" >&2
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}
from=$work/kernel/lib/modules/$version to=$work/root/lib/modules/$version
depmod --basedir "$work/kernel" "$version"
depends "$work/kernel" $(cat "$here/modules") | while read -r file; do
	copy=$to/${file#"$work/kernel/lib/modules/$version/"}
	mkdir -p "${copy%/*}"
	case $file in
	*.xz) xz --decompress --stdout "$file" >"${copy%.xz}" ;; # it loads faster so
	*) cp "$file" "$copy" ;;
	esac
done
cp "$from/modules.builtin" "$from/modules.builtin.modinfo" "$from/modules.order" "$to"
depmod --basedir "$work/root" "$version"
number=10
for file in $(depends "$work/root" virtio_pci virtio_blk crc32c_generic ext4); do
	cp "$file" "$out/modules/$number-${file##*/}"
	number=$((number + 1))
done

# What delays a laptop that lives for minutes and has no console, or comes in between. Nothing that is observed is here,
# and not each release has all.
for unit in \
	getty.target getty@.service serial-getty@.service console-getty.service autovt@.service \
	apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service dpkg-db-backup.timer \
	e2scrub_all.timer e2scrub_reap.service \
	fstrim.timer systemd-tmpfiles-clean.timer systemd-timesyncd.service systemd-pstore.service \
	systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-random-seed.service \
	systemd-binfmt.service systemd-hwdb-update.service systemd-firstboot.service systemd-update-done.service \
	systemd-journal-catalog-update.service ldconfig.service systemd-sysusers.service \
	systemd-machine-id-commit.service systemd-remount-fs.service systemd-fsck-root.service \
	modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service modprobe@efi_pstore.service \
	modprobe@fuse.service modprobe@loop.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount \
	sys-kernel-tracing.mount sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount \
	NetworkManager-wait-online.service networking.service hostapd.service dnsmasq.service \
	systemd-ask-password-console.path systemd-ask-password-wall.path systemd-creds.socket \
	systemd-hostnamed.socket systemd-hostnamed.service systemd-hibernate-clear.service systemd-pcrphase.service \
	systemd-tpm2-setup.service systemd-tpm2-setup-early.service systemd-udev-load-credentials.service; do
	ln -s -f /dev/null "$work/root/etc/systemd/system/$unit"
done
rm -f "$work"/root/usr/lib/systemd/*-generators/* "$work"/root/etc/modules-load.d/* "$work/root/etc/modules"

# The disk has no journal and no checksums: each boot writes to a throw-away layer above it.
size=$(($(du -sm "$work/root" | cut -f1) + 200))
mkfs.ext4 -q -O ^has_journal,^metadata_csum -m 0 -N 60000 -d "$work/root" "$out/root.img" "${size}M"
rm -rf "$work"
