package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/golden"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// call executes a command line and returns its status and what it printed.
func call(t *testing.T, line string) (status int, stdout, stderr string) {
	t.Helper()
	return callWith(t, strings.Fields(line)...)
}

func callWith(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var files [2]*os.File
	for i := range files {
		file, err := os.Create(filepath.Join(t.TempDir(), "printed"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files[i] = file
	}
	status = execute(context.Background(), args, files[0], files[1])
	var said [2]string
	for i, file := range files {
		content, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		said[i] = string(content)
	}
	return status, said[0], said[1]
}

func TestWrongUsage(t *testing.T) {
	all := strings.Join(observers.Table().Names(), ", ")
	for line, words := range map[string][]string{
		"--frobnicate":          {"--frobnicate", "--switches", "--online-when", "--limited-grace", "--gone-grace"},
		"--online-when=maybe":   {`"maybe"`, "full, limited"},
		"--switches=internet,x": {`"x"`, all + ", separated by commas"},
		"--switches=internte":   {`"internte", did you mean internet?`, all},
		"--switches=":           {`""`, all},
		"--limited-grace=5":     {`"5"`, "500ms, 5s or 1m"},
		"--gone-grace=-1s":      {`"-1s"`, "500ms, 5s or 1m"},
		"run now":               {`"now"`},
		"-- status":             {`unexpected argument "status": run takes only flags; see nm-session-bridge help`},
		"--version -- 2":        {`"2"`},
		"fly":                   {`unknown command "fly"`, "; commands are completion, doctor,", "; see nm-session-bridge help\n"},
		"fly --json":            {`unknown command "fly"`},
		"fly --help":            {`unknown command "fly"`},
		"-switches=lid":         {"unknown flag -switches=lid:", "write --switches=lid; see nm-session-bridge help\n"},
		"run -online-when full": {"write --online-when; see nm-session-bridge help run\n"},
		"status -json":          {"write --json;"},
		"status -help":          {"write --help;"},
		"stauts":                {`"stauts"`, ", did you mean status?", "run, set, status", "; see nm-session-bridge help\n"},
		"status -v":             {"unknown flag -v", "--json"},
		"history --switch=lld":  {`"lld", did you mean lid? Switches are ` + all, "; see nm-session-bridge help history\n"},
		"history --switch=moon": {`"moon"; switches are ` + all},
		"status --json=yes":     {`invalid value "yes" for flag --json: it takes none, write --json; see nm-session-bridge help status`},
		"install --now=a:b":     {`"a:b" for flag --now: it takes none, write --now;`},
		"run --gone-grace":      {"flag --gone-grace needs a value, as in --gone-grace=VALUE"},
		"history --verbose=2":   {`"2" for flag --verbose:`},
		"help --json":           {"unknown flag --json", "no flags", "; see nm-session-bridge help"},
		"help set extra":        {`"extra"`, "one command", "; see nm-session-bridge help"},
		"help fly":              {`"fly"`, "; see nm-session-bridge help\n"},
		"install --later":       {"--later", "--now", "--force", "; see nm-session-bridge help install\n"},
		"uninstall --now":       {"--now", "--force"},
		"set lid":               {`set lid needs a position; accepted are open, closed, or auto to follow the facts; see nm-session-bridge help set`},
		"set internet":          {"set internet needs a position; accepted are online, offline, portal, or auto"},
		"set connection":        {"set connection needs a position; accepted are none, profiles as systemd-escape writes them, or auto"},
		"set":                   {"a switch and a position", all},
		"set lld":               {`"lld", did you mean lid?`},
		"set lid-closed":        {"lid-closed is a target", `"set lid closed"`},
		"set lid=open":          {`set takes two words, "lid" and "open", instead of "lid=open";`},
		"set lld=open":          {`"lld", did you mean lid?`},
		"set lld open":          {`"lld", did you mean lid?`, all},
		"set connection a b":    {"one argument", `'home work'`, `\x20`},
		"set moon full":         {`"moon"; switches are ` + all},
		"set lid ajar":          {`no position "ajar"; accepted are open, closed, or auto to follow the facts;`},
		"set lid colsed":        {`no position "colsed", did you mean closed? Accepted are open, closed, or auto to follow the facts;`},
		"set sleep ato":         {`"ato", did you mean auto? Accepted are awake, asleep, woken, or auto to follow the facts;`},
		"set connection a/b":    {`"a/b" cannot be part of a unit's name; as one name, systemd-escape(1) writes it as a-b;`},
		"set connection " + strings.Repeat("ö", 80):        {strings.Repeat("ö", 80) + `" has no target`, "too long"},
		"set connection " + strings.Repeat(`\xc3\xb6`, 80): {strings.Repeat("ö", 80) + `" has no target`, "too long"},
		"set lid-closed open":                              {"lid-closed is a target", `"set lid closed"`},
		"set vpn-up.target auto":                           {"vpn-up.target is a target", `"set vpn auto"`},
		"set connection@a auto":                            {"connection@a is a target", `"set connection auto"`},
		"set connection@a none":                            {"connection@a is a target", `"set connection 'a'"`},
		"wait":                                             {"a switch and a position", "internet=online lid=open"},
		"wait lid":                                         {"wait lid needs a position; accepted are open, closed; see nm-session-bridge help wait"},
		"wait lld":                                         {`"lld", did you mean lid?`},
		"wait internet onlin":                              {`"onlin", did you mean online? Accepted are online, offline, portal;`},
		"wait connection":                                  {"wait connection needs a position; accepted are none, profiles as systemd-escape writes them;"},
		"wait lid open power=ac":                           {"a switch and a position"},
		"wait lld open":                                    {`"lld", did you mean lid?`},
		"wait lid auto":                                    {`no position "auto"; accepted are open, closed; see nm-session-bridge help wait`},
		"wait lid=open power=":                             {`no position ""; accepted are ac, battery;`},
		"wait lid=unknown":                                 {`"unknown"; accepted are open, closed`},
		"wait lid-closed open":                             {`"wait lid closed"`},
		"wait connection a/b":                              {`"a/b" cannot be part of a unit's name`},
		"wait --timeout=5 lid open":                        {`"5"`, "500ms, 5s or 1m"},
		"recipe":                                           {"list, show NAME or add NAME"},
		"recipe cook mail":                                 {`"cook"`, "list, show NAME or add NAME"},
		"recipe list mail":                                 {`"mail"`},
		"recipe show":                                      {"mail, files", "both"},
		"recipe add mail vpn":                              {`"vpn"`},
		"recipe show nonsense":                             {`"nonsense"; recipes are mail, files`, "both"},
		"recipe add mial":                                  {`"mial", did you mean mail?`, "mail, files"},
		"recipe add home":                                  {"recipe home needs --set PROFILE=… (the network at home"},
		"recipe add away --set PROFILE=a":                  {"--set REMOTE=… (", " and --set NETWORK=… ("},
		"recipe add home --set PROFIL=a":                   {`no "PROFIL" to set, did you mean PROFILE?`},
		"recipe add home --set PROFILE":                    {"--set PROFILE needs a value: PROFILE=…"},
		"recipe add home --set PROFILE=":                   {"--set PROFILE needs a value"},
		"recipe add home --set PROFILE=a\x01":              {`"a\x01"`, "control characters"},
		"recipe add home --set PROFILE=a --set PROFILE=b":  {"--set PROFILE is given twice"},
		"recipe add mail --set PROFILE=a":                  {"recipe mail has nothing to set"},
		"recipe add home --set PROFILE=" + strings.Repeat("ö", 80): {"too long"},
		"recipe --now":        {"--now", "no flags"},
		"uninstall -- --now":  {`"--now"`, "only flags"},
		"completion":          {"bash, fish, zsh"},
		"completion tcsh":     {"bash, fish, zsh"},
		"completion zsh bash": {"bash, fish, zsh"},
		"version 2":           {`"2"`},
	} {
		status, stdout, stderr := call(t, line)
		if status != wrongUsage || stdout != "" {
			t.Errorf("%s: exit status %d, printed %q", line, status, stdout)
		}
		for _, word := range words {
			if !strings.Contains(stderr, word) {
				t.Errorf("%s: %q does not contain %s", line, stderr, word)
			}
		}
		if strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: %q is not one line", line, stderr)
		}
	}
}

func TestAMessageIsOneLineWhateverItQuotes(t *testing.T) {
	for _, args := range [][]string{{"--switches\n=lid"}, {"fly\r\n"}, {"wait", "lid\nopen"}} {
		if _, _, stderr := callWith(t, args...); strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "\r") {
			t.Errorf("%q: %q is not one line", args, stderr)
		}
	}
}

// asProgram is set in the environment of a test that runs the program itself.
const asProgram = "NM_SESSION_BRIDGE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// A person who types the program's name looks for help. What starts the bridge in the
// background, such as a window manager, may have inherited a terminal, too.
func TestTypedAloneAtATerminalItHelps(t *testing.T) {
	controller, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer controller.Close()
	number, err := unix.IoctlGetInt(int(controller.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(controller.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	for name, test := range map[string]struct {
		stdin *os.File
		typed bool
		args  []string
		helps bool
	}{
		"typed":                    {tty, true, nil, true},
		"typed with a flag":        {tty, true, []string{"--switches=lid"}, false},
		"typed with run":           {tty, true, []string{"run"}, false},
		"started, with a terminal": {tty, false, nil, false},
		"started, without one":     {nil, false, nil, false},
	} {
		program := exec.Command(os.Args[0], test.args...)
		program.Env = []string{asProgram + "=1", "DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere"}
		if test.stdin != nil { // which would otherwise be a nil *os.File in an interface
			program.Stdin = test.stdin
		}
		program.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: test.typed}
		out, err := program.Output()
		if helps := err == nil && strings.Contains(string(out), "\nUsage:\n"); helps != test.helps || !helps && (err == nil || len(out) > 0) {
			t.Errorf("%s: %v, it printed %q", name, err, out)
		}
	}
}

// As a script calls it that has not set the variable with the command.
func TestAnEmptyCommandIsNoRun(t *testing.T) {
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	if status := execute(context.Background(), []string{""}, os.Stdout, stderr); status != wrongUsage {
		t.Errorf("exit status %d", status)
	}
}

func TestWhatCannotBePrintedIsAFailure(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, line := range []string{"help", "help run", "--help", "run --help", "version", "recipe list", "recipe show mail", "completion zsh"} {
		stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
		if err != nil {
			t.Fatal(err)
		}
		defer stderr.Close()
		status := execute(context.Background(), strings.Fields(line), full, stderr)
		said, err := os.ReadFile(stderr.Name())
		if err != nil {
			t.Fatal(err)
		}
		if want := "nm-session-bridge: write /dev/full: no space left on device\n"; status != failure || string(said) != want {
			t.Errorf("%s: exit status %d, said %q", line, status, said)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, line := range []string{"help", "--help", "-h"} {
		status, stdout, _ := call(t, line)
		if status != success {
			t.Errorf("%s: exit status %d", line, status)
		}
		for _, cmd := range newRoot().Commands() {
			if !strings.Contains(stdout, "\n  "+cmd.Name()+" ") {
				t.Errorf("%s does not name %s", line, cmd.Name())
			}
		}
	}
	for _, line := range []string{"help install", "install --help", "install --now -h"} {
		if status, stdout, _ := call(t, line); status != success || !strings.Contains(stdout, "\nUsage:\n  nm-session-bridge install [flags]\n") {
			t.Errorf("%s: exit status %d, printed %q", line, status, stdout)
		}
	}
}

// The golden file has the help of the program and of each command.
func TestHelpTexts(t *testing.T) {
	golden.Check(t, "help", helpOf(t, "--help"))
	commands := newRoot().Commands()
	for len(commands) > 0 {
		cmd := commands[0]
		commands = append(commands[1:], cmd.Commands()...)
		line := strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
		golden.Check(t, "help-"+strings.ReplaceAll(line, " ", "-"), helpOf(t, line+" --help"))
	}
}

func helpOf(t *testing.T, line string) string {
	t.Helper()
	status, stdout, stderr := call(t, line)
	if status != success || stderr != "" {
		t.Errorf("%s: exit status %d, said %q", line, status, stderr)
	}
	return stdout
}

func TestTheManPageNamesEveryCommandAndFlag(t *testing.T) {
	manPage, err := manual.ReadFile("dist/nm-session-bridge.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range newRoot().Commands() {
		if !strings.Contains(string(manPage), "Cm "+cmd.Name()) {
			t.Errorf("the man page does not mention %s", cmd.Name())
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(string(manPage), "Fl -"+f.Name) {
				t.Errorf("the man page does not mention --%s of %s", f.Name, cmd.Name())
			}
		})
	}
}

func TestRecipeListNamesEachOnALine(t *testing.T) {
	status, stdout, _ := call(t, "recipe list")
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if status != success || len(lines) != len(systemdctl.Recipes()) {
		t.Fatalf("exit status %d, printed\n%s", status, stdout)
	}
	for i, r := range systemdctl.Recipes() {
		if name, rest, _ := strings.Cut(lines[i], " "); name != r.Name || !strings.HasSuffix(rest, " "+r.Summary) {
			t.Errorf("%q is not the line of %s", lines[i], r.Name)
		}
		if at := strings.Index(lines[i], r.Summary); at != strings.Index(lines[0], systemdctl.Recipes()[0].Summary) {
			t.Errorf("%q is not aligned with %q", lines[i], lines[0])
		}
	}
}

func TestInstallingWithoutAGoThatWillDo(t *testing.T) {
	for name, test := range map[string]struct{ program, want string }{
		"none":  {"", "build: Go is missing; install Go 1.24 or newer: https://go.dev/doc/install\n"},
		"older": {"#!/bin/sh\necho go1.19.8\n", "build: go1.19.8 is too old; install Go 1.24 or newer: https://go.dev/doc/install\n"},
	} {
		path := t.TempDir()
		for _, tool := range []string{"dirname", "mkdir", "mktemp", "rm"} {
			place, err := exec.LookPath(tool)
			if err == nil {
				err = os.Symlink(place, filepath.Join(path, tool))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if test.program != "" {
			if err := os.WriteFile(filepath.Join(path, "go"), []byte(test.program), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		install := exec.Command("dist/install", "--now")
		install.Env = []string{"PATH=" + path, "HOME=" + t.TempDir()}
		if out, err := install.CombinedOutput(); err == nil || string(out) != test.want {
			t.Errorf("%s: %v, it says %q, not %q", name, err, out, test.want)
		}
	}
}

// Go fetches a newer one of tens of megabytes without a word from us otherwise.
func TestPackagingSaysOnceThatGoFetchesANewerOne(t *testing.T) {
	for refusal, want := range map[string]string{
		"": "",
		"go: nfpm requires go >= 1.25 (running go1.24.4)": "package: nfpm, which makes the package, needs a newer Go than go1.24.4; go fetches one for it now, unless it has done so before\n",
		"go: no network": "",
	} {
		path := t.TempDir()
		script := `#!/bin/sh
case $* in
"env GOVERSION") echo go1.24.4 ;;
env*) echo amd64 ;;
"mod download "*) [ -z "$REFUSAL" ] || { echo "$REFUSAL" >&2; exit 1; } ;;
build*) while [ "$1" != -o ]; do shift; done; echo '#!/bin/sh' >"$2"; chmod +x "$2" ;;
run*) echo "created package: it.deb" ;;
esac
`
		if err := os.WriteFile(filepath.Join(path, "go"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		packing := exec.Command("dist/package", "deb", t.TempDir())
		packing.Env = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"), "VERSION=1.2.3", "SOURCE_DATE_EPOCH=0", "REFUSAL="+refusal)
		var stderr strings.Builder
		packing.Stderr = &stderr
		out, err := packing.Output()
		if err != nil || string(out) != "it.deb\n" || stderr.String() != want {
			t.Errorf("%q: %v, it printed %q and said %q, not %q", refusal, err, out, stderr.String(), want)
		}
	}
}

// The doctor uses this for the command line of the service.
func TestArgumentsAreCheckedWithoutRunningThem(t *testing.T) {
	for line, want := range map[string]string{
		"run --switches=lid":  "",
		"--gone-grace=1m":     "",
		"run -switches=lid":   "unknown flag -switches=lid: long flags take two dashes, write --switches=lid",
		"run --frobnicate":    "unknown flag --frobnicate: flags of run are --gone-grace, --limited-grace, --online-when, --switches",
		"run --gone-grace=x":  `invalid value "x" for flag --gone-grace: accepted values are durations such as 500ms, 5s or 1m`,
		"run now":             `unexpected argument "now": run takes only flags`,
		"-- status":           `unexpected argument "status"`,
		"rnu --switches=lid":  `unknown command "rnu" for "nm-session-bridge", did you mean run? Commands are completion,`,
		"recipe add nonsense": `no recipe is called "nonsense"`,
	} {
		err := check(newRoot(), strings.Fields(line))
		if said := fmt.Sprint(err); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(said, want) {
			t.Errorf("%s: %v, not %s", line, err, want)
		}
	}
}
