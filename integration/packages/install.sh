#!/bin/sh
# install.sh PACKAGE...: installs packages with apt-get, as root. No service that comes with them
# starts, now or at the next boot. Those that were on or running before stay so.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
policy=/usr/sbin/policy-rc.d

# links prints the links that turn services on, in a format of find.
links() { find /etc/systemd /etc/rc[S2-5].d/S* -type l ! -xtype l ! -lname /dev/null -printf "$1" 2>/dev/null; }

# services reads paths of units and init scripts, and prints what systemd calls them.
services() { sed 's|.*/||; /\./!s/$/.service/'; }

existing() {
	links '%l\n' | services
	[ ! -d /run/systemd/system ] || systemctl list-units --state=active --plain --no-legend | sed 's/ .*//'
}

ours() { grep -qs '^# nm-session-bridge' "$policy"; }

# hold denies new services to start, unless the administrator has a policy already.
hold() {
	[ ! -e "$policy" ] || ours || return 0
	cat >"$policy" <<-EOF
		#!/bin/sh
		# nm-session-bridge's tests install packages, of which no service may start. This does nothing once they are installed.
		grep -qs install.sh /proc/$$/cmdline || exit 0
		[ "\$1" != --quiet ] || shift
		case \$1 in
		*.*) ;;
		*) set -- "\$1.service" ;;
		esac
		grep -qxF -- "\$1" <<'end' || exit 101
		$before
		end
	EOF
	chmod 755 "$policy"
}

# disable turns off the services that have come, and lists them.
disable() {
	links '%p %l\n' | while read -r link target; do
		service=$(printf '%s\n' "$target" | services)
		! printf '%s\n' "$before" | grep -qxF -- "$service" || continue
		case $link in
		/etc/systemd/*) rm "$link" ;;
		*) [ ! -e "/lib/systemd/system/$service" ] || continue ;; # instead of the script
		esac
		echo "$service"
	done | sort -u
}

release() {
	trap '' INT TERM HUP
	rm "$log"
	! ours || rm "$policy"
	off=$(disable)
	[ -n "$off" ] || return 0
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload
		systemctl stop $off 2>/dev/null || : # the administrator's policy may have let them start
	fi
	list=
	for service in $off; do
		script=${service%.service}
		# With its links, an upgrade would start the service.
		[ ! -e "/etc/init.d/$script" ] || update-rc.d "$script" disable >&2
		package=$(dpkg-query -S "*/systemd/*/$service" "/etc/init.d/$script" 2>/dev/null | sed -n '1s/[:,].*//p')
		list="$list${list:+, }$service of $package"
	done
	echo "new services, all of them off: $list"
}

# quietly COMMAND...: shows what a command prints only if it fails.
quietly() {
	"$@" </dev/null >"$log" 2>&1 9>&- || {
		status=$?
		cat "$log" >&2
		return $status
	}
}

# Two at once would remove each other's policy.
exec 9>/run/nm-session-bridge-packages.lock
flock --nonblock 9 || {
	echo "another test installs packages; waiting for it" >&2
	flock 9
}
before=$(existing)
log=$(mktemp)
trap release EXIT
trap 'exit 130' INT # sh runs the EXIT trap only on exit
trap 'exit 143' TERM
trap 'exit 129' HUP
hold
dpkg --configure --pending >"$log" 2>&1 9>&- || : # apt-get demands this after a run that was killed
quietly apt-get -qq update
set -- apt-get -qq -y -o DPkg::Lock::Timeout=600 --no-install-recommends install "$@" # unattended-upgrades may hold the lock
quietly "$@" --download-only
# dpkg would configure later, without the policy, what an interrupt leaves unconfigured.
echo "unpacking and configuring the packages; Ctrl-C waits for that" >&2
quietly setsid --wait "$@"
echo "installed, with what they need:" $(sed -n 's/^Setting up \([^ :]*\).*/\1/p' "$log" | sort)
