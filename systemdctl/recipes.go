package systemdctl

import (
	"embed"
	"path"
	"path/filepath"
)

//go:embed recipes
var recipes embed.FS

// Recipe is a set of example units to start from.
type Recipe struct {
	// Name is also the name of its folder in recipes/.
	Name string
	// Summary is one line.
	Summary string
	// Enable are the units to enable.
	Enable []string
	// Programs are the programs that the units run.
	Programs []Program
	// Blanks are what only the user knows.
	Blanks []Blank
}

// Blank is something to fill in. Its name stands between < and > in the names of units
// to enable, in directives that name units, and in command lines.
type Blank struct {
	Name, Meaning string
	// IsProfile reports whether it is the name of a NetworkManager profile, which becomes
	// part of unit names.
	IsProfile bool
	// MayRepeat reports whether there may be several values. A word that contains the
	// name is repeated for each.
	MayRepeat bool
}

func profile(meaning string) Blank { return Blank{Name: "PROFILE", Meaning: meaning, IsProfile: true} }

// Program is a program and the Debian package that contains it.
type Program struct{ Name, Package string }

// Recipes returns all recipes, in the order of the list.
func Recipes() []Recipe {
	return []Recipe{
		{
			"mail", "keep mail in sync while online, with offlineimap",
			[]string{"mail-sync.service"},
			[]Program{{"offlineimap", "offlineimap3"}},
			nil,
		},
		{
			"files", "keep files in sync while online, with Syncthing",
			[]string{"file-sync.service"},
			[]Program{{"syncthing", "syncthing"}},
			nil,
		},
		{
			"vpn", "bring up a VPN of NetworkManager while online",
			[]string{"vpn@<PROFILE>.service"},
			[]Program{{"nmcli", "network-manager"}},
			[]Blank{profile("the VPN, as nmcli connection shows it")},
		},
		{
			"notify", "show a desktop notification when you go online or offline, or reach a captive portal",
			[]string{"notify-internet@online.service", "notify-internet@offline.service", "notify-internet@portal.service"},
			[]Program{{"notify-send", "libnotify-bin"}},
			nil,
		},
		{
			"ratpoison", "show the same as an alert in the window manager ratpoison",
			[]string{"ratpoison-internet@online.service", "ratpoison-internet@offline.service", "ratpoison-internet@portal.service"},
			[]Program{{"ratpoison", "ratpoison"}},
			nil,
		},
		{
			"portal", "open a browser when a captive portal requires a sign-in",
			[]string{"portal-browser.service"},
			[]Program{{"xdg-open", "xdg-utils"}},
			nil,
		},
		{
			"screen", "turn the screen off while the lid is closed",
			[]string{"screen-off.service"},
			[]Program{{"xset", "x11-xserver-utils"}},
			nil,
		},
		{
			"radios", "turn Wi-Fi and all other radios off while the lid is closed",
			[]string{"radios-off.service"},
			[]Program{{"rfkill", "rfkill"}},
			nil,
		},
		{
			"lock-swaylock", "lock the screen on request and before sleep, with swaylock",
			[]string{"lock-swaylock.service"},
			[]Program{{"swaylock", "swaylock"}},
			nil,
		},
		{
			"lock-i3lock", "the same on X, with i3lock",
			[]string{"lock-i3lock.service"},
			[]Program{{"i3lock", "i3lock"}},
			nil,
		},
		{
			"lock-hyprlock", "the same on Hyprland, with hyprlock",
			[]string{"lock-hyprlock.service"},
			[]Program{{"hyprlock", "hyprlock"}, {"hyprctl", "hyprland"}},
			nil,
		},
		{
			"reconnect", "run something each time you go online: fetch mail, with mbsync",
			[]string{"mail-fetch.service"},
			[]Program{{"mbsync", "isync"}},
			nil,
		},
		{
			"timer", "run something at intervals, only while online: sync calendars, with vdirsyncer",
			[]string{"calendars.timer"},
			[]Program{{"vdirsyncer", "vdirsyncer"}},
			nil,
		},
		{
			"drive", "mount a directory of another machine while online, with sshfs",
			[]string{"drive.service"},
			[]Program{{"sshfs", "sshfs"}, {"fusermount3", "fuse3"}},
			[]Blank{{Name: "REMOTE", Meaning: "the directory, as for sshfs, such as nas.example.org:Documents"}},
		},
		{
			"backup", "back up every hour, but only with external power and on an unmetered network, with restic",
			[]string{"backup.timer"},
			[]Program{{"restic", "restic"}},
			nil,
		},
		{
			"container", "run a feed reader in a container while online, with Podman (Quadlet)",
			[]string{"feeds.service"},
			[]Program{{"podman", "podman"}},
			nil,
		},
		{
			"home", "keep files in sync with another machine while at home, with Unison",
			[]string{"home-sync@<PROFILE>.service"},
			[]Program{{"unison", "unison"}},
			[]Blank{profile("the network at home, as nmcli connection shows it")},
		},
		{
			"away", "open a tunnel while online but not at home, with sshuttle",
			[]string{"away-tunnel@<PROFILE>.service", "away-ends@<PROFILE>.service"},
			[]Program{{"sshuttle", "sshuttle"}, {"nmcli", "network-manager"}},
			[]Blank{
				profile("the network at home, as nmcli connection shows it"),
				{Name: "REMOTE", Meaning: "the machine at home, as for ssh"},
				{Name: "NETWORK", Meaning: "the addresses at home, such as 192.168.1.0/24"},
			},
		},
		{
			"trusted", "run something on any of several networks: share media, with Rygel",
			[]string{"trusted.target", "media-share.service"},
			[]Program{{"rygel", "rygel"}},
			[]Blank{{
				Name: "PROFILE", Meaning: "a network that you trust, as nmcli connection shows it; once for each",
				IsProfile: true, MayRepeat: true,
			}},
		},
		{
			"both", "run something on two conditions at once: a chat program while online with the lid open",
			[]string{"online-and-open.target", "chat.service"},
			[]Program{{"gajim", "gajim"}},
			nil,
		},
		{
			"desktop", "run something while online and on the desktop: Nextcloud",
			[]string{"online-desktop.service"},
			[]Program{{"nextcloud", "nextcloud-desktop"}},
			nil,
		},
		{
			"undocked", "run something when the lid closes without a dock: pause music, with playerctl",
			[]string{"pause-music.service"},
			[]Program{{"playerctl", "playerctl"}},
			nil,
		},
		{
			"hooks", "run something before and after sleep in one unit: turn Bluetooth off while asleep",
			[]string{"around-sleep.service"},
			[]Program{{"bluetoothctl", "bluez"}},
			nil,
		},
		{
			"wake", "run something after waking up: set the keyboard's repeat rate, with xset",
			[]string{"keyboard-again.service"},
			[]Program{{"xset", "x11-xserver-utils"}},
			nil,
		},
		{
			"shutdown", "run a last sync before the machine powers off or restarts, with rsync",
			[]string{"last-sync.service"},
			[]Program{{"rsync", "rsync"}},
			[]Blank{{Name: "DESTINATION", Meaning: "where to, as for rsync, such as backup.example.org:Documents"}},
		},
	}
}

// Files returns the recipe's units, as files below the user's directory of configuration.
func (r Recipe) Files(config string) ([]File, error) {
	files, err := embedded(recipes, path.Join("recipes", r.Name), filepath.Join(config, "systemd/user"))
	for i, file := range files {
		if file.IsOfQuadlet() {
			// podman-systemd.unit(5), "Podman rootless unit search path".
			files[i].Path = filepath.Join(config, "containers/systemd", filepath.Base(file.Path))
		}
	}
	return files, err
}

// IsOfQuadlet reports whether Podman makes a unit of the file, and enables it, each time that the user manager reads
// its units.
func (f File) IsOfQuadlet() bool { return filepath.Ext(f.Path) == ".container" }
