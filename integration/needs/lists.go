package needs

// Sandbox lists the packages of what every sandbox starts.
func Sandbox() []Package {
	return []Package{
		{"dbus-daemon", "dbus-daemon", "dbus", program("dbus-daemon")},
		{"dbus-system-bus-common", "dbus-common", "dbus", program("/usr/share/dbus-1/system.conf")},
		{"dbus-user-session", "dbus-common", "dbus", program("/usr/lib/systemd/user/dbus.socket")},
		{"systemd", "systemd", "systemd", []anyOf{
			{"systemctl"},
			{"journalctl"},
			{"/usr/lib/systemd/systemd", "/lib/systemd/systemd"},
			{"/usr/lib/systemd/systemd-journald", "/lib/systemd/systemd-journald"},
			{"/usr/share/dbus-1/system.d/org.freedesktop.login1.conf"},
		}},
		{"network-manager", "NetworkManager", "networkmanager", []anyOf{{"NetworkManager"}, {"nmcli"}}},
		{"dnsmasq-base", "dnsmasq", "dnsmasq", program("dnsmasq")},
		{"iproute2", "iproute", "iproute2", program("ip")},
	}
}

// Broker is the other implementation of a bus. Once installed, it becomes the machine's own bus at
// the next boot.
func Broker() Package {
	return Package{"dbus-broker", "dbus-broker", "dbus-broker", []anyOf{{"/usr/bin/dbus-broker-launch"}, {"/usr/bin/dbus-broker"}}}
}

// Inside lists what tests use in a sandbox besides that.
func Inside() []Package {
	return []Package{
		python(),
		// The shells with completion, and a terminal for them.
		{"bash-completion", "bash-completion", "bash-completion", program("/usr/share/bash-completion/bash_completion")},
		{"fish", "fish", "fish", program("fish")},
		{"zsh", "zsh", "zsh", program("zsh")},
		{"bsdutils", "util-linux-script", "util-linux", program("script")},
		// A VPN, and NetworkManager's plugin for it.
		{"openvpn", "openvpn", "openvpn", program("openvpn")},
		{"network-manager-openvpn", "NetworkManager-openvpn", "networkmanager-openvpn", []anyOf{{"/usr/lib*/NetworkManager/VPN/nm-openvpn-service.name"}}},
		// A UPower, and a machine with a battery for it.
		{"upower", "upower", "upower", program("upower")},
		{"umockdev", "umockdev", "umockdev", program("umockdev-wrapper")},
		{"gir1.2-umockdev-1.0", "umockdev", "umockdev", []anyOf{{"/usr/lib/*/girepository-1.0/UMockdev-1.0.typelib", "/usr/lib*/girepository-1.0/UMockdev-1.0.typelib"}}},
		pythonGI(),
	}
}

// Programs lists the programs that people run on the targets, and servers for them. Tests run them in a sandbox of
// the machine's own daemons.
func Programs() []Package {
	return []Package{
		{"i3lock", "i3lock", "i3lock", program("i3lock")},
		{"xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb", program("Xvfb")},
		{"x11-utils", "xwininfo", "xorg-xwininfo", program("xwininfo")},
		{"xdotool", "xdotool", "xdotool", program("xdotool")},
		{"isync", "isync", "isync", program("mbsync")},
		{"dovecot-imapd", "dovecot", "dovecot", program("dovecot")},
		{"restic", "restic", "restic", program("restic")},
		{"sshfs", "fuse-sshfs", "sshfs", program("sshfs")},
		{"openssh-server", "openssh-server", "openssh", program("sshd")},
		{"vdirsyncer", "vdirsyncer", "vdirsyncer", program("vdirsyncer")},
		{"python3-radicale", "radicale", "radicale", program(pythonPackages + "radicale")},
		{"syncthing", "syncthing", "syncthing", program("syncthing")},
		{"procps", "procps-ng", "procps-ng", program("pkill")},
		{"dunst", "dunst", "dunst", []anyOf{{"dunst"}, {"dunstctl"}}},
		{"libnotify-bin", "libnotify", "libnotify", program("notify-send")},
		{"swaylock", "swaylock", "swaylock", program("swaylock")},
		{"sway", "sway", "sway", program("sway")},
		{"grim", "grim", "grim", program("grim")},
		{"wtype", "wtype", "wtype", program("wtype")},
	}
}

// Demo lists what the demo needs in addition to a sandbox.
func Demo() []Package {
	return []Package{python()}
}

// Checks lists what the other tests use on the machine itself.
func Checks() []Package {
	return []Package{
		compiler(),
		{"mandoc", "mandoc", "mandoc", program("mandoc")},
		// The tools that check the packages.
		{"lintian", "lintian", "lintian", program("lintian")},
		{"rpmlint", "rpmlint", "rpmlint", program("rpmlint")},
		// What installs them.
		{"dpkg", "dpkg", "dpkg", program("dpkg")},
		{"rpm", "rpm", "rpm-tools", program("rpm")},
		{"pacman-package-manager", "pacman", "pacman", program("pacman")},
	}
}

// Debian lists the tools that unpack Debian's packages into a tree.
func Debian() []Package {
	return []Package{
		{"mmdebstrap", "mmdebstrap", "mmdebstrap", program("mmdebstrap")},
		{"debian-archive-keyring", "debian-keyring", "debian-archive-keyring", program("/usr/share/keyrings/debian-archive-keyring.gpg")},
		{"util-linux", "util-linux", "util-linux", program("unshare")},
	}
}

// Bare lists the tools that make a bare machine, which fetches everything else itself.
func Bare() []Package {
	return append(Debian(), Package{"git", "git", "git", program("git")})
}

// Laptop lists the tools that make and run a laptop.
func Laptop() []Package {
	return append(Debian(),
		Package{"qemu-system-x86", "qemu-system-x86-core", "qemu-system-x86", program("qemu-system-x86_64")},
		Package{"dpkg", "dpkg", "dpkg", program("dpkg-deb")},
		Package{"e2fsprogs", "e2fsprogs", "e2fsprogs", program("mkfs.ext4")},
		Package{"kmod", "kmod", "kmod", program("modprobe")},
		Package{"xz-utils", "xz", "xz", program("xz")},
	)
}

// Bench lists the tools that others would use for the bridge's work.
func Bench() []Package {
	return []Package{
		python(),
		compiler(),
		{"libsystemd-dev", "systemd-devel", "systemd-libs", program("/usr/include/systemd/sd-bus.h")},
		{"dbus-bin", "dbus-tools", "dbus", program("dbus-monitor")},
		{"python3-dbus", "python3-dbus", "python-dbus", program(pythonPackages + "dbus")},
		pythonGI(),
		// What people use for some of it, and the display servers that these need.
		{"networkd-dispatcher", "networkd-dispatcher", "networkd-dispatcher", program("networkd-dispatcher")},
		{"swayidle", "swayidle", "swayidle", program("swayidle")},
		{"sway", "sway", "sway", program("sway")},
		{"xss-lock", "xss-lock", "xss-lock", program("xss-lock")},
		{"xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb", program("Xvfb")},
	}
}

const pythonPackages = "/usr/lib*/python3*/*-packages/"

func python() Package { return Package{"python3", "python3", "python", program("python3")} }

func pythonGI() Package {
	return Package{"python3-gi", "python3-gobject-base", "python-gobject", program(pythonPackages + "gi")}
}

// compiler is for cgo, which the race detector needs.
func compiler() Package { return Package{"gcc libc6-dev", "gcc glibc-devel", "gcc", program("gcc")} }
