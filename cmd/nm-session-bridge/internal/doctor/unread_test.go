package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestFilesThatTheUserManagerDoesNotRead(t *testing.T) {
	const (
		follows = "[Unit]\nPartOf=internet-online.target\n[Service]\nExecStart=/bin/chat\n[Install]\nWantedBy=internet-online.target\n"
		dropIn  = "[Unit]\nPartOf=internet-online.target\n"
		enable  = "; then systemctl --user daemon-reload && systemctl --user enable chat.service"
		reload  = "; then systemctl --user daemon-reload"
		move    = "move the file to DIR/user/chat.service" + enable
		suffix  = "DIR/user/NAME is no unit, because its name does not end in .service"
		place   = "the user manager does not look for units where DIR/NAME is"
	)
	for path, test := range map[string]struct{ content, unit, what, mend string }{
		"chat.service":                      {follows, "chat.service", place, move},
		"system/chat.service":               {follows, "chat.service", place, move},
		"users/chat@.service":               {follows, "chat@.service", place, "move the file to DIR/user/chat@.service" + reload},
		"user/chat.services":                {follows, "chat.service", suffix, move},
		"user/chat.Service":                 {follows, "chat.service", suffix, move},
		"user/chat.unit":                    {follows, "chat.service", suffix, move},
		"user/chat":                         {follows, "chat.service", suffix, move},
		"user/chat.service.txt":             {follows, "chat.service", suffix, move},
		"user/chat.service/chat.service":    {follows, "chat.service", place, "put the file in place of its directory DIR/user/chat.service" + enable},
		"user/chat.service.d/chat.service":  {follows, "chat.service", place, move},
		"user/my chat ü.service":            {follows, "my chat ü.service", "DIR/user/NAME is no unit, because its name has a character that units cannot have", "move the file to DIR/user/my-chat--.service; then systemctl --user daemon-reload && systemctl --user enable my-chat--.service"},
		"user/talk.services.d/online.conf":  {dropIn, "talk.service", "DIR/NAME changes no unit, because there is no talk.services", "move the file to DIR/user/talk.service.d/online.conf" + reload},
		"user/talk.d/online.conf":           {dropIn, "talk.service", "DIR/NAME changes no unit, because there is no talk", "move the file to DIR/user/talk.service.d/online.conf" + reload},
		"user/tallk.service.d/online.conf":  {dropIn, "talk.service", "DIR/NAME changes no unit, because there is no tallk.service", "move the file to DIR/user/talk.service.d/online.conf" + reload},
		"user/talk.service.d/online":        {dropIn, "talk.service", "DIR/NAME is no drop-in, because its name does not end in .conf", "move the file to DIR/user/talk.service.d/online.conf" + reload},
		"user/talk.service.d/online.config": {dropIn, "talk.service", "DIR/NAME is no drop-in, because its name does not end in .conf", "move the file to DIR/user/talk.service.d/online.conf" + reload},

		// Copies, and what somebody switched off or has not installed here.
		"talk.service":                           {content: follows},
		"user/talk.services":                     {content: follows},
		"user/talk (copy).service":               {content: follows},
		"user/Copy of talk.service":              {content: follows},
		"user/chat.service~":                     {content: follows},
		"user/.chat.service.swp":                 {content: follows},
		"user/chat.service.bak":                  {content: follows},
		"user/chat.service.off":                  {content: follows},
		"user/chat.service.disabled":             {content: follows},
		"user/chat.service_":                     {content: follows},
		"user/README.md":                         {content: "WantedBy=internet-online.target\n"},
		"user/archive/chat.service":              {content: follows},
		"user/talk.service.d/online.conf.bak":    {content: dropIn},
		"user/syncthing.service.d/online.conf":   {content: dropIn},
		"user/service.d/online.conf":             {content: dropIn},
		"user/talk-.service.d/online.conf":       {content: dropIn},
		"user/each@one.service.d/online.conf":    {content: dropIn},
		"user/internet-online.target.wants/x.sh": {content: follows},
		"user.control/chat.service":              {content: follows},
		"system/sleeps.service":                  {content: "[Service]\nExecStart=/bin/lock\n[Install]\nWantedBy=sleep.target\n"},
		"system/other.service":                   {content: "[Service]\nExecStart=/bin/lock\n[Install]\nWantedBy=multi-user.target\n"},
	} {
		sys := healthy(t)
		dir := t.TempDir()
		in := func(words string) string {
			name := path
			if strings.HasPrefix(words, "DIR/user/NAME") {
				name = strings.TrimPrefix(path, "user/")
			}
			return strings.NewReplacer("DIR", dir, "NAME", name).Replace(words)
		}
		sys.user.manager = bag("UnitPath", []string{filepath.Join(dir, "user.control"), filepath.Join(dir, "user")})
		sys.isSystemUnit = func(name string) bool { return name == "sleep.target" }
		for _, known := range []string{"talk.service", "each@.service"} {
			sys.user.files = append(sys.user.files, unitFile{filepath.Join(dir, "user", known), "enabled"})
		}
		sys.user.own = []string{"talk.service"}
		full := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(test.content), 0o644); err != nil {
			t.Fatal(err)
		}
		found := sys.examine().Findings
		if test.what == "" {
			if len(found) > 0 {
				t.Errorf("of %s it says %q", path, found)
			}
			continue
		}
		if len(found) != 1 || found[0].Unit != test.unit || found[0].What != in(test.what) || found[0].ByHand != in(test.mend) {
			t.Errorf("of %s it says %q", path, found)
		}
	}
}

// systemctl edit always writes override.conf.
func TestAFileIsNotMovedOverAnother(t *testing.T) {
	sys := healthy(t)
	dir := t.TempDir()
	sys.user.manager = bag("UnitPath", []string{dir + "/user"})
	sys.user.files = append(sys.user.files, unitFile{dir + "/user/talk.service", "enabled"})
	const right = "/user/talk.service.d/override.conf"
	for _, name := range []string{"/user/talk.d/override.conf", right, "/user/talk.service.d/override"} {
		if err := os.MkdirAll(filepath.Dir(dir+name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+name, []byte("[Unit]\nPartOf=internet-online.target\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found := sys.examine().Findings
	if len(found) != 2 {
		t.Errorf("it says %q", found)
	}
	for _, f := range found {
		if !strings.HasPrefix(f.ByHand, "add the file's lines to "+dir+right+", which is already there; then ") {
			t.Errorf("it says %q", f)
		}
	}
}

func TestWhatIsNoFileOfAUnitIsNotRead(t *testing.T) {
	sys := healthy(t)
	dir := t.TempDir()
	sys.user.manager = bag("UnitPath", []string{dir + "/user"})
	if err := os.MkdirAll(dir+"/user/talk.service.d", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"control", "user/chat.service", "user/chat", "user/talk.service.d/online"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/zero", dir+"/user/endless"); err != nil {
		t.Fatal(err)
	}
	large, err := os.Create(dir + "/user/chat.service.txt")
	if err == nil {
		_, err = large.WriteString("[Install]\nWantedBy=internet-online.target\n")
	}
	if err == nil {
		err = large.Truncate(2 * largest)
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan []Finding, 1)
	go func() { done <- sys.examine().Findings }()
	select {
	case found := <-done:
		if len(found) > 0 {
			t.Errorf("it says %q", found)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for something that will not be written")
	}
}

// Other users, or root, may run what a file in somebody else's directory says.
func TestAFileOfSomebodyElsesDirectoryDoesNotBecomeTheUsers(t *testing.T) {
	const reload = "systemctl --user daemon-reload"
	mine, others := t.TempDir(), "/etc/passwd"
	path := func(name string) string { return filepath.Join(mine, name) }
	for _, name := range []string{"mine", "others"} {
		if err := os.WriteFile(path(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wants := map[string]Mend{
		"mine": run("chmod u+r " + path("mine") + " && " + reload),
		"lost": byHand("namei -l " + path("lost") + " shows which directory on the way you may not search; then " + reload),
	}
	if os.Geteuid() == 0 { // whose the passwords are
		dir := t.TempDir()
		others = filepath.Join(dir, "others")
		if err := errors.Join(os.WriteFile(others, nil, 0o600), os.Chown(others, 7, 7), os.Chown(dir, 7, 7), os.Chown(path("others"), 7, 7)); err != nil {
			t.Fatal(err)
		}
		wants["others"] = byHand("make the file yours, if you trust it: sudo chown $USER " + path("others") + "; then " + reload)
	}
	wants["linked"] = byHand("let everybody read the file, if it has no secrets: sudo chmod a+r " + others + "; then " + reload)
	if err := errors.Join(os.Symlink(others, path("linked")), os.Symlink(path("nowhere"), path("lost"))); err != nil {
		t.Fatal(err)
	}
	for name, want := range wants {
		if got := forbidden("x.service", path(name), "").Mend; got != want {
			t.Errorf("of %s it says %q", name, got)
		}
	}
}
