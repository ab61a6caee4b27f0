package systemdctl

import (
	"embed"
	"path"
)

//go:embed recipes
var recipes embed.FS

// Recipe is a set of example units to start from.
type Recipe struct {
	// Name is also the name of its folder in recipes/.
	Name string
	// Summary is one line.
	Summary string
	// Enable are the units to enable. PROFILE stands for a name that only the user
	// knows.
	Enable []string
	// Programs are the programs that the units run.
	Programs []Program
}

// Program is a program and the Debian package that contains it.
type Program struct{ Name, Package string }

// Recipes returns all recipes, in the order of the list.
func Recipes() []Recipe {
	return []Recipe{
		{
			"mail", "keep mail in sync while online, with offlineimap",
			[]string{"mail-sync.service"},
			[]Program{{"offlineimap", "offlineimap3"}},
		},
		{
			"files", "keep files in sync while online, with Syncthing",
			[]string{"file-sync.service"},
			[]Program{{"syncthing", "syncthing"}},
		},
		{
			"vpn", "bring a VPN of NetworkManager up while online",
			[]string{"vpn@PROFILE.service"},
			[]Program{{"nmcli", "network-manager"}},
		},
		{
			"notify", "a desktop notification when the internet comes, goes or waits behind a portal",
			[]string{"notify-internet@online.service", "notify-internet@offline.service", "notify-internet@portal.service"},
			[]Program{{"notify-send", "libnotify-bin"}},
		},
		{
			"ratpoison", "the same as an alert of the window manager ratpoison",
			[]string{"ratpoison-internet@online.service", "ratpoison-internet@offline.service", "ratpoison-internet@portal.service"},
			[]Program{{"ratpoison", "ratpoison"}},
		},
		{
			"portal", "open a browser when a captive portal wants a sign-in",
			[]string{"portal-browser.service"},
			[]Program{{"xdg-open", "xdg-utils"}},
		},
		{
			"screen", "turn the screen off while the lid is closed",
			[]string{"screen-off.service"},
			[]Program{{"xset", "x11-xserver-utils"}},
		},
		{
			"radios", "turn Wi-Fi and all other radios off while the lid is closed",
			[]string{"radios-off.service"},
			[]Program{{"rfkill", "rfkill"}},
		},
		{
			"reconnect", "run something once each time the internet comes: fetch mail, with mbsync",
			[]string{"mail-fetch.service"},
			[]Program{{"mbsync", "isync"}},
		},
		{
			"timer", "run something at intervals, only while online: sync calendars, with vdirsyncer",
			[]string{"calendars.timer"},
			[]Program{{"vdirsyncer", "vdirsyncer"}},
		},
		{
			"home", "keep files in sync with another machine while at home, with Unison",
			[]string{"home-sync@PROFILE.service"},
			[]Program{{"unison", "unison"}},
		},
		{
			"away", "a tunnel while online, but not at home, with sshuttle",
			[]string{"away-tunnel@PROFILE.service", "away-ends@PROFILE.service"},
			[]Program{{"sshuttle", "sshuttle"}, {"nmcli", "network-manager"}},
		},
		{
			"both", "two conditions at once: a chat program while online with the lid open",
			[]string{"online-and-open.target", "chat.service"},
			[]Program{{"gajim", "gajim"}},
		},
	}
}

// Files returns the recipe's units, as files of a directory.
func (r Recipe) Files(dir string) ([]File, error) {
	return embedded(recipes, path.Join("recipes", r.Name), dir)
}
