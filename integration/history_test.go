package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// moved waits until the journal has a transition of the internet switch.
func (s *scene) moved(from, to string) {
	s.Helper()
	s.follow("internet is "+to, "journalctl", "--user", "--follow", "--lines=all", "--output=cat", "SWITCH=internet", "FROM="+from, "TO="+to)
}

// past is what history --json prints.
type past struct {
	Since, Until time.Time
	Seconds      map[string]map[string]float64
	Transitions  []struct {
		Time                     time.Time
		Switch, From, To, Reason string
		Targets                  []string
	}
}

func (s *scene) history(flags string) past {
	s.Helper()
	var p past
	out := s.user(program + " history --json " + flags)
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		s.Fatalf("%v in %s", err, out)
	}
	return p
}

// bars returns the glyphs of a switch's bar, with each run of equal glyphs as
// one.
func (s *scene) bars(name, flags string) string {
	s.Helper()
	// A column covers less time than a process takes to start.
	out := s.user("COLUMNS=9999 " + program + " history " + flags)
	for _, line := range strings.Split(out, "\n") {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == name {
			var bars []rune
			for _, glyph := range fields[1] {
				if len(bars) == 0 || bars[len(bars)-1] != glyph {
					bars = append(bars, glyph)
				}
			}
			return string(bars)
		}
	}
	s.Fatalf("there is no bar of %s in:\n%s", name, out)
	return ""
}

// ofDay makes a whole day of the internet: online, at a portal, offline,
// online.
func ofDay(t *testing.T) (s *scene, since string) {
	s = begin(t, sandbox.Options{})
	since = fmt.Sprintf("--since=@%d", time.Now().Unix()-1)
	s.install()
	s.moved("unknown", "online")
	s.check(sandbox.PortalBody)
	s.moved("online", "portal")
	s.must(s.Uplink.Unplug(s.ctx))
	s.moved("portal", "offline")
	s.must(s.Check.Set(sandbox.Full))
	s.must(s.Uplink.Plug(s.ctx))
	s.moved("offline", "online")
	return s, since
}

func TestHistory(t *testing.T) {
	s, since := ofDay(t)
	p := s.history(since + " --switch=internet")
	var changes []string
	last := p.Since
	for _, m := range p.Transitions {
		changes = append(changes, m.Switch+" "+m.From+">"+m.To+" "+strings.Join(m.Targets, "+"))
		if m.Time.Before(last) || m.Time.After(p.Until) {
			t.Errorf("%s at %s, after %s", changes[len(changes)-1], m.Time, last)
		}
		if !strings.HasPrefix(m.Reason, "Connectivity=") {
			t.Errorf("%s for the reason %q", changes[len(changes)-1], m.Reason)
		}
		last = m.Time
	}
	want := "internet unknown>online internet-online.target, internet online>portal internet-offline.target+internet-portal.target, " +
		"internet portal>offline internet-offline.target, internet offline>online internet-online.target"
	if got := strings.Join(changes, ", "); got != want {
		t.Errorf("the transitions are\n%s\nnot\n%s", got, want)
	}
	sum := 0.0
	for _, position := range []string{"online", "offline", "portal", "unknown"} {
		if p.Seconds["internet"][position] <= 0 {
			t.Errorf("%s lasted no time", position)
		}
		sum += p.Seconds["internet"][position]
	}
	if all := p.Until.Sub(p.Since).Seconds(); sum < all-0.01 || sum > all+0.01 || len(p.Seconds) != 1 {
		t.Errorf("the positions lasted %v, which is not %v", p.Seconds, all)
	}
	if got := s.bars("internet", since); got != "·█▒░█" {
		t.Errorf("the bar is %s", got)
	}
	if got := s.bars("lid", since); got != "·█" {
		t.Errorf("the lid's bar is %s", got)
	}
	t.Log("\n" + s.user(program+" history "+since))
}

func TestHistoryKnowsWhenTheBridgeDidNotRun(t *testing.T) {
	for end, how := range map[string]struct{ line, state string }{
		"stopped": {"systemctl --user stop " + bridgeUnit, "inactive"},
		"ended":   {"kill $(systemctl --user show -P MainPID " + bridgeUnit + ")", "inactive"},
		"killed":  {"systemctl --user kill -s KILL " + bridgeUnit, "failed"},
	} {
		t.Run(end, func(t *testing.T) {
			s := begin(t, sandbox.Options{})
			since := fmt.Sprintf("--since=@%d", time.Now().Unix()-1)
			s.write(".config/systemd/user/"+bridgeUnit+".d/restart.conf", "[Service]\nRestart=no\n")
			s.install()
			s.moved("unknown", "online")
			s.user(how.line)
			s.expect(how.state, bridgeUnit)
			s.log() // this makes journald write its files
			if got := s.bars("internet", since); got != "·█·" {
				t.Errorf("after the end the bar is %s", got)
			}
			later := s.user("date +--since=@%s.%6N")
			if out := s.user(program + " history " + later); !strings.Contains(out, "nothing is known since") || !strings.Contains(out, "the bridge stopped on") || !strings.Contains(out, " doctor says why") {
				t.Errorf("of the time after the end the history says:\n%s", out)
			}
			s.systemctl("start", bridgeUnit)
			s.status("internet online")
			if got := s.bars("internet", since); got != "·█·█" {
				t.Errorf("after the second start the bar is %s", got)
			}
		})
	}
}

func TestHistoryCountsTheTimeInWhichSleepIsHeld(t *testing.T) {
	s := begin(t, sandbox.Options{})
	since := fmt.Sprintf("--since=@%d", time.Now().Unix()-1)
	s.install()
	s.moved("unknown", "online")
	s.user("nm-session-bridge set sleep asleep && nm-session-bridge set internet offline")
	s.moved("online", "offline")
	if got := s.bars("sleep", since); got != "·█░" {
		t.Errorf("the bar of sleep is %s", got)
	}
	if got := s.bars("internet", since); got != "·█░" {
		t.Errorf("the bar is %s", got)
	}
}

func TestHistoryKnowsWhatWasBefore(t *testing.T) {
	s, _ := ofDay(t)
	now := s.user("date +--since=@%s.%6N")
	p := s.history(now)
	if len(p.Transitions) != 0 || p.Seconds["internet"]["online"] <= 0 || p.Seconds["internet"]["unknown"] != 0 {
		t.Errorf("after the last transition the history is %+v", p)
	}
	if got := s.bars("internet", now); got != "█" {
		t.Errorf("the bar is %s", got)
	}
}

func TestHistoryOfNothing(t *testing.T) {
	s := begin(t, sandbox.Options{NoNetworkManager: true})
	if out := s.user(program + " history"); !strings.Contains(out, "nothing is known since") || !strings.Contains(out, "when it runs as a service, see "+program+" doctor") {
		t.Errorf("without a bridge the history says:\n%s", out)
	}
	if out, want := s.user(program+" history --since=10000d"), time.Now().AddDate(0, 0, -10_000).Format(" 2006 "); !strings.Contains(out, want) {
		t.Errorf("of years the history says, without %s:\n%s", want, out)
	}
	if p := s.history(""); p.Transitions == nil || len(p.Transitions) != 0 {
		t.Errorf("without a bridge the history is %+v", p)
	}
}

func TestHistorySince(t *testing.T) {
	s := begin(t, sandbox.Options{NoNetworkManager: true})
	for since, ago := range map[string]time.Duration{
		"":                                     24 * time.Hour,
		"--since=2h":                           2 * time.Hour,
		"--since=-2h":                          2 * time.Hour,
		"--since='3 days ago'":                 3 * 24 * time.Hour,
		"--since=1w":                           7 * 24 * time.Hour,
		"--since=$(date -d '1 hour ago' +@%s)": time.Hour,
	} {
		p := s.history(since)
		if window := p.Until.Sub(p.Since); window < ago || window > ago+time.Minute {
			t.Errorf("history %s looks back %s", since, window)
		}
	}
	for since, words := range map[string]string{
		"nonsense": `invalid value "nonsense" for flag --since: accepted values are times such as 2h`,
		"":         `invalid value "" for flag --since`,
		"tomorrow": `invalid value "tomorrow" for flag --since: `,
	} {
		if said := s.fails(2, program+" history --since="+since); !strings.Contains(said, words) || strings.Contains(said, "\n") {
			t.Errorf("history --since=%s says %q", since, said)
		}
	}
}

func TestHistoryWithoutAJournal(t *testing.T) {
	for storage, words := range map[string][]string{
		"none":     {"there is no journal", "Storage=none"},
		"volatile": {"no permission", "Storage=persistent", "systemd-journal"},
	} {
		t.Run(storage, func(t *testing.T) {
			s := begin(t, sandbox.Options{JournalStorage: storage})
			s.install()
			s.online()
			said := s.fails(1, program+" history")
			for _, word := range words {
				if !strings.Contains(said, word) || strings.Contains(said, "\n") {
					t.Errorf("%q does not say %s in one line", said, word)
				}
			}
		})
	}
}

// If the journal is in memory, the user's entries are in the system's journal.
func TestHistoryInMemoryIsForTheGroupOfTheJournal(t *testing.T) {
	s := begin(t, sandbox.Options{JournalStorage: "volatile"})
	s.install()
	s.online()
	s.status("internet online")
	s.status("lid open")
	cmd := s.Command(program, "history")
	cmd.SysProcAttr.Credential.Groups = []uint32{0} // the files' group here; elsewhere it is systemd-journal
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "█ online") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTheJournalIsSearchedByFields(t *testing.T) {
	s, _ := ofDay(t)
	for match, want := range map[string]string{
		"SWITCH=internet TO=offline":     "portal>offline",
		"SWITCH=internet TO=online":      "unknown>online offline>online",
		"TARGET=internet-portal.target":  "online>portal",
		"TARGET=internet-offline.target": "online>portal portal>offline",
		"SWITCH=lid TO=open":             "unknown>open",
		"SWITCH=internet PRIORITY=6 SYSLOG_IDENTIFIER=nm-session-bridge _TRANSPORT=journal _SYSTEMD_USER_UNIT=" + bridgeUnit: "unknown>online online>portal portal>offline offline>online",
	} {
		var found []string
		lines := json.NewDecoder(strings.NewReader(s.user("journalctl --user -o json " + match)))
		for lines.More() {
			var entry struct {
				From, To, Reason, Message string
				Duration                  string `json:"DURATION_USEC"`
			}
			s.must(lines.Decode(&entry))
			found = append(found, entry.From+">"+entry.To)
			if entry.Reason == "" || entry.Duration == "" || !strings.Contains(entry.Message, ": "+entry.Reason+"; ") {
				t.Errorf("an entry for %s is %+v", match, entry)
			}
		}
		if got := strings.Join(found, " "); got != want {
			t.Errorf("journalctl --user %s finds %s instead of %s", match, got, want)
		}
	}
}
