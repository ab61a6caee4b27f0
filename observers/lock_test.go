package observers

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/godbus/dbus/v5"
)

// screen is a session as a test has it.
type screen struct {
	hint bool
	said string // Lock, Unlock, a hint that has changed, or nothing
	at   dbus.Sequence
	as   map[string]any // what differs from a graphical session
}

func (s screen) facts(path dbus.ObjectPath) Facts {
	values := map[string]any{"Id": string(path), "Type": "wayland", "Class": "user", "State": "active", "Seat": "seat0", "LockedHint": s.hint}
	facts := Facts{Path: path, values: values, latest: s.at}
	switch s.said {
	case "Lock":
		values[saidLast], facts.requests = true, map[string]dbus.Sequence{lockSignal: s.at}
	case "Unlock":
		values[saidLast] = false
	case "hint":
		values[saidLast] = s.hint
	}
	for name, value := range s.as {
		values[name] = value
		if value == nil {
			delete(values, name)
		}
	}
	return facts
}

// desk is a desk with up to three sessions, 1 to 3, where something happens one
// thing after the other.
type desk map[dbus.ObjectPath]screen

func (d desk) snapshot() Snapshot {
	facts := Facts{Source: session}
	for _, path := range []dbus.ObjectPath{"1", "2", "3"} {
		if one, exists := d[path]; exists {
			facts.children = append(facts.children, one.facts(path))
		}
	}
	return Snapshot{session: facts, logind: {Source: logind, requests: map[string]dbus.Sequence{prepareForSleep: d[asleep].at}}}
}

const (
	unlockedByTheLocker, lockedByHand, restart = "unlock.target", "lock.target", "a new bridge"
	crash, recovery                            = "the locker crashes", "that is a while ago"

	// unread makes the next thing be heard only with the one after it.
	unread = "unread"

	// asleep is a sleep, and the place where a desk notes when it began.
	asleep = "PrepareForSleep"
)

// happens makes one thing happen: "1 begins", "1 locked" (begins with the hint),
// "1 ends", "1 Lock", "1 Unlock", "1 hint true", "1 hint false".
func (d desk) happens(what string, at dbus.Sequence) {
	path, word := dbus.ObjectPath(what[:1]), what[2:]
	one := d[path]
	switch word {
	case "begins":
		d[path] = screen{}
	case "locked":
		d[path] = screen{hint: true}
	case "ends":
		delete(d, path)
	case "closes":
		one.as = map[string]any{"State": "closing"}
		d[path] = one
	case "SSH":
		d[path] = screen{as: map[string]any{"Type": "tty", "Seat": ""}}
	case "becomes graphical":
		one.as = nil
		d[path] = one
	case "Lock", "Unlock":
		one.said, one.at = word, at
		d[path] = one
	case "hint true", "hint false":
		if hint := word == "hint true"; hint != one.hint {
			d[path] = screen{hint, "hint", at, one.as}
		}
	}
}

// play lets things happen one after the other, and returns the last reading and
// the position.
func play(things ...string) (last Reading, position string) {
	read, d, crashed, isUnread := lock(), desk{}, "", false
	for i, what := range things {
		switch what {
		case restart:
			read = lock()
			for path, one := range d { // a new bridge knows nothing of what was said before
				d[path] = screen{hint: one.hint, as: one.as}
			}
		case crash, recovery:
			crashed = map[string]string{crash: "locker.service"}[what]
			continue
		case unread:
			isUnread = true
			continue
		case unlockedByTheLocker:
			position = unlocked
			continue
		case lockedByHand:
			position = locked
			continue
		case asleep:
			d[asleep] = screen{at: dbus.Sequence(i + 1)}
			position = locked
			continue
		default:
			d.happens(what, dbus.Sequence(i+1))
		}
		if isUnread {
			isUnread = false
			continue
		}
		last = read(d.snapshot(), Present{position, crashed})
		if last.Grace == 0 {
			position = last.Position
		}
	}
	return last, position
}

func TestLock(t *testing.T) {
	for name, test := range map[string]struct {
		things []string
		want   string
	}{
		"no session yet":                       {[]string{"1 ends"}, Unknown},
		"a session":                            {[]string{"1 begins"}, unlocked},
		"one that is locked":                   {[]string{"1 locked"}, locked},
		"Lock":                                 {[]string{"1 begins", "1 Lock"}, locked},
		"Unlock":                               {[]string{"1 begins", "1 Lock", "1 Unlock"}, unlocked},
		"the hint":                             {[]string{"1 begins", "1 hint true"}, locked},
		"it falls":                             {[]string{"1 begins", "1 hint true", "1 hint false"}, unlocked},
		"Unlock in spite of the hint":          {[]string{"1 begins", "1 hint true", "1 Unlock"}, unlocked},
		"SSH is not locked":                    {[]string{"1 SSH", "1 Lock"}, Unknown},
		"SSH does not matter":                  {[]string{"1 SSH", "2 begins", "2 Lock", "1 Unlock", "1 ends"}, locked},
		"another session locks":                {[]string{"1 begins", "2 begins", "2 Lock"}, locked},
		"one that becomes graphical locks":     {[]string{"1 begins", "2 SSH", "2 becomes graphical", "2 Lock"}, locked},
		"another ends":                         {[]string{"1 begins", "2 begins", "2 Lock", "1 ends"}, locked},
		"another closes":                       {[]string{"1 begins", "2 begins", "2 Lock", "1 closes"}, locked},
		"the locked one ends":                  {[]string{"1 begins", "2 begins", "2 Lock", "2 ends"}, locked},
		"it ends, and the other is unlocked":   {[]string{"1 begins", "2 begins", "2 Lock", "2 ends", "1 Unlock"}, unlocked},
		"one of two is unlocked":               {[]string{"1 begins", "2 begins", "1 Lock", "2 Lock", "2 Unlock"}, locked},
		"both are":                             {[]string{"1 begins", "2 begins", "1 Lock", "2 Lock", "2 Unlock", "1 Unlock"}, unlocked},
		"one is, and the other ends":           {[]string{"1 begins", "2 begins", "1 Lock", "2 Lock", "2 Unlock", "1 ends"}, unlocked},
		"both end, a third stays":              {[]string{"1 begins", "2 begins", "3 begins", "1 Lock", "2 Lock", "2 Unlock", "2 ends", "1 ends"}, locked},
		"locked again before the other ends":   {[]string{"1 begins", "2 begins", "3 begins", "1 Lock", "2 Lock", "2 Unlock", "2 Lock", "2 ends", "1 ends"}, locked},
		"unlocked long before":                 {[]string{"1 begins", "2 begins", "2 Unlock", "1 Lock", "1 ends"}, locked},
		"the last ends":                        {[]string{"1 begins", "1 Lock", "1 ends"}, locked},
		"the last ends, another begins":        {[]string{"1 begins", "1 Lock", "1 ends", "2 begins"}, locked},
		"a session begins locked":              {[]string{"1 begins", "2 locked"}, locked},
		"a locker that ends unlocks":           {[]string{"1 begins", "1 Lock", unlockedByTheLocker, "2 SSH"}, unlocked},
		"in spite of the hint":                 {[]string{"1 begins", "1 hint true", unlockedByTheLocker, "2 SSH"}, unlocked},
		"the hint falls later":                 {[]string{"1 begins", "1 Lock", "1 hint true", unlockedByTheLocker, "2 SSH", "1 hint false"}, unlocked},
		"the hint of one of two falls":         {[]string{"1 locked", "2 locked", unlockedByTheLocker, "1 hint false"}, unlocked},
		"then the hint is set":                 {[]string{"1 begins", "1 hint true", unlockedByTheLocker, "1 hint false", "1 hint true"}, locked},
		"then Lock":                            {[]string{"1 begins", "1 Lock", unlockedByTheLocker, "1 Lock"}, locked},
		"a sleep locks":                        {[]string{"1 begins", asleep, "2 begins"}, locked},
		"then Unlock":                          {[]string{"1 begins", asleep, "1 Unlock"}, unlocked},
		"one is, a sleep, the other ends":      {[]string{"1 begins", "2 begins", "1 Lock", "2 Lock", "1 Unlock", asleep, "2 ends"}, locked},
		"then it is unlocked once more":        {[]string{"1 begins", "2 begins", "1 Lock", "2 Lock", "1 Unlock", asleep, "2 ends", "1 Unlock"}, unlocked},
		"one hint falls, a sleep, one ends":    {[]string{"1 locked", "2 locked", "1 hint false", asleep, "2 ends"}, locked},
		"one is, a sleep, so is the other":     {[]string{"1 begins", "2 begins", "1 Lock", "2 Lock", "1 Unlock", asleep, "2 Unlock"}, unlocked},
		"one is, so is the other, a sleep":     {[]string{"1 begins", "2 begins", "1 Lock", "2 Lock", "1 Unlock", unread, "2 Unlock", asleep, "1 Unlock"}, unlocked},
		"heard at once, that says nothing new": {[]string{"1 begins", "2 begins", "3 begins", "1 Lock", "2 Lock", "1 Unlock", unread, "2 Unlock", asleep, "3 ends"}, locked},
		"a sleep, the hint of the other stays": {[]string{"1 locked", "2 locked", "1 hint false", asleep, "1 Unlock"}, locked},
		"one is, Lock, and the other ends":     {[]string{"1 begins", "2 begins", "1 Lock", "2 Lock", "2 Unlock", "1 Lock", "1 ends"}, locked},
		"Unlock with a crash":                  {[]string{"1 begins", "1 Lock", crash, "1 Unlock"}, locked},
		"it does not count later":              {[]string{"1 begins", "1 Lock", crash, "1 Unlock", recovery, "2 begins"}, locked},
		"another one does":                     {[]string{"1 begins", "1 Lock", crash, "1 Unlock", recovery, "1 Unlock"}, unlocked},
		"a hint that falls with a crash":       {[]string{"1 begins", "1 hint true", crash, "1 hint false"}, locked},
		"then it is set and falls":             {[]string{"1 begins", "1 hint true", crash, "1 hint false", recovery, "1 hint true", "1 hint false"}, unlocked},
		"a crash, and the other is unlocked":   {[]string{"1 begins", "2 begins", "1 Lock", "2 Lock", crash, "1 Unlock", recovery, "2 Unlock"}, locked},
		"a crash, and the other ends":          {[]string{"1 begins", "2 begins", "1 Lock", "2 Lock", crash, "1 Unlock", recovery, "2 ends"}, locked},
		"unlocked, a crash, the other ends":    {[]string{"1 begins", "2 begins", "1 Lock", "2 Lock", "1 Unlock", crash, "2 Unlock", "2 ends"}, unlocked},
		"Lock with a crash":                    {[]string{"1 begins", crash, "1 Lock"}, locked},
		"unlock.target after a crash":          {[]string{"1 begins", "1 Lock", crash, unlockedByTheLocker, "2 begins"}, unlocked},
		"locked by hand, then Unlock":          {[]string{"1 begins", lockedByHand, "1 Unlock"}, unlocked},
		"a new bridge believes the target":     {[]string{"1 begins", "1 Lock", restart}, locked},
		"of an unlocked screen, too":           {[]string{"1 begins", "1 hint true", unlockedByTheLocker, restart}, unlocked},
		"until the hint changes":               {[]string{"1 begins", "1 hint true", unlockedByTheLocker, restart, "1 hint false", "1 hint true"}, locked},
		"a new bridge, one of two is unlocked": {[]string{"1 locked", "2 locked", restart, "1 Unlock"}, locked},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := play(test.things...); got != test.want {
				t.Errorf("it is %q, not %q", got, test.want)
			}
		})
	}
}

func TestWhoHasAScreen(t *testing.T) {
	for _, test := range []struct {
		as   map[string]any
		want bool
	}{
		{nil, true},
		{map[string]any{"Seat": ""}, true}, // xrdp
		{map[string]any{"Type": "x11", "Class": "user-early"}, true},
		{map[string]any{"Type": "tty"}, true},
		{map[string]any{"Type": "tty", "Seat": ""}, false}, // SSH
		{map[string]any{"Type": "unspecified"}, false},
		{map[string]any{"Type": nil}, false},
		{map[string]any{"Class": "greeter"}, false},
		{map[string]any{"Class": "manager"}, false},
		{map[string]any{"Class": "background", "Type": "unspecified"}, false},
		{map[string]any{"State": "closing"}, false},
	} {
		if got := isScreen(screen{as: test.as}.facts("1")); got != test.want {
			t.Errorf("%v: %t", test.as, got)
		}
	}
}

func TestWhenAScreenIsLost(t *testing.T) {
	facts := func(d desk) Facts { return d.snapshot()[session] }
	older := facts(desk{"1": {}, "3": {as: map[string]any{"Class": "greeter"}}})
	for name, test := range map[string]struct {
		newer Facts
		want  bool
	}{
		"something is said":        {facts(desk{"1": {said: "Lock", at: 7}}), false},
		"another begins":           {facts(desk{"1": {}, "2": {}}), false},
		"one becomes graphical":    {facts(desk{"1": {}, "3": {}}), false},
		"the one without one ends": {facts(desk{"1": {}}), false},
		"it ends":                  {facts(desk{}), true},
		"it closes":                {facts(desk{"1": {as: map[string]any{"State": "closing"}}}), true},
		"another follows it":       {facts(desk{"2": {}}), true},
		"logind has gone":          {Facts{Source: session, Problem: "logind is not running"}, true},
	} {
		if got := LosesScreen(older, test.newer); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestNothingIsSaidOfTheLock(t *testing.T) {
	away := Snapshot{session: {Source: session, Problem: "logind is not running"}}
	untoldHint := desk{"1": {as: map[string]any{"LockedHint": nil}}}.snapshot()
	for name, snapshot := range map[string]Snapshot{"away": away, "no session": desk{}.snapshot(), "no hint": untoldHint} {
		if got := lock()(snapshot, Present{}); got.Position != Unknown || got.Grace != unproven || got.GraceOnlyFrom != AnyPosition {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if got := lock()(untoldHint, Present{Position: locked}); got.Position != locked {
		t.Errorf("got %+v", got)
	}
}

// Whatever happens in whatever order, a screen is unlocked by Unlock, by a hint
// that falls, or by unlock.target. The end of a session may make count what another
// has said since the latest Lock or sleep.
func TestOnlyASignalUnlocks(t *testing.T) {
	words := []string{"begins", "locked", "ends", "closes", "SSH", "becomes graphical", "Lock", "Unlock", "hint true", "hint false"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		read, d, position, things, asked := lock(), desk{}, Unknown, []string{}, dbus.Sequence(0)
		for at := dbus.Sequence(1); at <= 12; at++ {
			what := fmt.Sprintf("%d %s", 1+random.IntN(3), words[random.IntN(len(words))])
			path := dbus.ObjectPath(what[:1])
			_, exists := d[path]
			begins := what[2:] == "begins" || what[2:] == "locked" || what[2:] == "SSH"
			if exists == begins {
				continue
			}
			if random.IntN(8) == 0 {
				what, position, asked = asleep, locked, at
				d[asleep] = screen{at: at}
			} else {
				d.happens(what, at)
			}
			if what[2:] == "Lock" && isScreen(d[path].facts(path)) {
				asked = at
			}
			things = append(things, what)
			before, was := position, d[path]
			got := read(d.snapshot(), Present{Position: position})
			if got.Grace == 0 {
				position = got.Position
			}
			isSignal := was.said == "Unlock" || was.said == "hint" && !was.hint
			isEnd := what[2:] == "ends" || what[2:] == "closes"
			if before == locked && position == unlocked && !isSignal && !isEnd {
				t.Fatalf("%q unlock", things)
			}
			if before == locked && position == unlocked && !d.hasUnlockedSince(asked) {
				t.Fatalf("%q unlock though none of the others was since then", things)
			}
		}
	}
}

func (d desk) hasUnlockedSince(at dbus.Sequence) bool {
	for _, one := range d {
		if one.at > at && (one.said == "Unlock" || one.said == "hint" && !one.hint) {
			return true
		}
	}
	return false
}

func TestWhatCountsAsLockedWithoutUnits(t *testing.T) {
	lock, _ := Table().Named("lock")
	for name, test := range map[string]struct {
		one                screen
		hasEnded, neverRan string
	}{
		"nobody said anything": {screen{}, unlocked, unlocked},
		"Lock":                 {screen{said: "Lock"}, unlocked, locked}, // something else than units may have locked
		"Unlock":               {screen{said: "Unlock"}, unlocked, unlocked},
		"the hint":             {screen{hint: true}, locked, locked},
		"the hint, and Unlock": {screen{hint: true, said: "Unlock"}, locked, locked},
		"a hint that fell":     {screen{said: "hint"}, unlocked, unlocked},
		"Lock of no screen":    {screen{said: "Lock", as: map[string]any{"Class": "greeter"}}, unlocked, unlocked},
	} {
		snapshot := desk{"1": screen{}, "2": test.one}.snapshot()
		if position, follows := lock.Done(snapshot); position != test.hasEnded || follows != (position == unlocked) {
			t.Errorf("%s: once units have ended, it is %s, which follows: %t", name, position, follows)
		}
		if position, follows := lock.Unused(snapshot); position != test.neverRan || follows != (position == unlocked) {
			t.Errorf("%s: if no unit has run, it is %s, which follows: %t", name, position, follows)
		}
	}
}
