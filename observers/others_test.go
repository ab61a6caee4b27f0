package observers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

// crowd is a logind with the sessions of several users.
type crowd struct {
	*watch
	owner string
	at    dbus.Sequence // of the latest message
}

// says makes logind signal something, and reports whether that reaches the queue.
func (c *crowd) says(path dbus.ObjectPath, name string, body ...any) (isHeard bool) {
	c.Helper()
	c.at++
	signal := &dbus.Signal{Sender: c.owner, Path: path, Name: name, Body: body, Sequence: c.at}
	filter := c.observer.filter
	isHeard = filter.Hears(signal.Sender, signal.Path) && filter.Wants(signal)
	if isHeard {
		c.signal(signal)
	}
	return isHeard
}

func (c *crowd) begins(id string) {
	c.Helper()
	if !c.says(logindPath, logindName+".Manager.SessionNew", id, pathOf(id)) {
		c.Errorf("the session %s begins unheard", id)
	}
}

func (c *crowd) locks(id string) (isHeard bool) {
	c.Helper()
	return c.says(pathOf(id), logindName+".Session."+lockSignal)
}

func (c *crowd) hints(id string) (isHeard bool) {
	c.Helper()
	return c.says(pathOf(id), propertiesChanged, about(logindName+".Session", "LockedHint", true)...)
}

// answers answers a reading of the user, and those of their sessions.
func (c *crowd) answers(ids ...string) {
	c.Helper()
	c.at++
	bustest.Answer(c.called("GetAll"), c.at, nil, sessions(ids...))
	for range ids {
		session := c.called("GetAll")
		c.at++
		bustest.Answer(session, c.at, nil, aSession("wayland", "seat0", false))
	}
}

func (c *crowd) isLocked(of string) any {
	c.Helper()
	for _, one := range c.hears().Children() {
		if one.Path == pathOf(of) {
			return one.values[saidLast]
		}
	}
	return nil
}

func pathOf(id string) dbus.ObjectPath { return dbus.ObjectPath(logindPath + "/session/_3" + id) }

// gather returns a logind with a session of ours, 1, and one of another user, 9.
func gather(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{watch: observe(t, Session()), owner: ":1.1"}
	c.watch.owner(c.owner)
	c.answers("1")
	c.hears()
	return c
}

const allSessions = "path_namespace='" + logindPath + "/session'"

// sessionEvents returns the match rules for what sessions say that cannot be read again.
func sessionEvents(place string) (rules []string) {
	for _, member := range []string{"Lock", "Unlock"} {
		rules = append(rules, "type='signal',sender='"+logindName+"',"+place+",interface='"+logindName+".Session',member='"+member+"'")
	}
	return rules
}

// sessionChanges returns the match rule for changes of sessions.
func sessionChanges(place string) string {
	return "type='signal',sender='" + logindName + "'," + place + ",interface='" + propertiesInterface + "',member='PropertiesChanged',arg0='" + logindName + ".Session'"
}

func placeOf(id string) string { return "path='" + string(pathOf(id)) + "'" }

// listensTo checks which sessions the observer listens to for changes, and where it listens
// for events of sessions.
func (c *crowd) listensTo(changing []string, places ...string) {
	c.Helper()
	var want []string
	for _, id := range changing {
		want = append(want, sessionChanges(placeOf(id)))
	}
	for _, place := range places {
		want = append(want, sessionEvents(place)...)
	}
	slices.Sort(want)
	if got := c.service.Listening(); !slices.Equal(got, want) {
		c.Errorf("it listens to\n%s\nnot to\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A session is listened to before it is asked, so that nothing is missed in between.
func TestOfAllSessionsTheBusSendsOursAlone(t *testing.T) {
	c := &crowd{watch: observe(t, Session()), owner: ":1.1"}
	reads := func(ours ...string) {
		t.Helper()
		c.at++
		bustest.Answer(c.called("GetAll"), c.at, nil, sessions(ours...))
		var places []string
		for _, id := range ours {
			places = append(places, placeOf(id))
		}
		for range ours {
			session := c.called("GetAll")
			c.listensTo(ours, places...)
			c.at++
			bustest.Answer(session, c.at, nil, aSession("wayland", "seat0", false))
		}
	}
	c.watch.owner(c.owner)
	reads("1")
	c.hears()
	c.begins("2") // another user's
	reads("1")
	c.begins("3")
	reads("1", "3")
	c.hears()
	c.says(c.source.Root.Path, propertiesChanged, c.source.Root.Interface, display("1"), []string{}) // it has ended
	reads("1")
	c.hears()
}

// Until the owner has told, each session may be ours, and its Lock cannot be read again.
func TestUntilItIsKnownWhoseTheyAreAllSessionsAreListenedTo(t *testing.T) {
	c := &crowd{watch: observe(t, Session()), owner: ":1.1"}
	c.watch.owner(c.owner)
	c.called("GetAll")
	c.listensTo(nil, allSessions)
	c = gather(t)
	c.watch.owner("")
	c.hearsProblem("logind is not running")
	c.listensTo([]string{"1"}, allSessions)
	c.owner = ":1.2"
	c.watch.owner(c.owner)
	c.hearsProblem("logind is starting")
	user := c.called("GetAll")
	c.listensTo([]string{"1"}, allSessions)
	bustest.Answer(user, c.at, nil, sessions("1"))
	c.called("GetAll")
	c.listensTo([]string{"1"}, placeOf("1"))
}

// notebook says in which order a service is listened to and asked.
type notebook struct {
	*bustest.Service
	mu    sync.Mutex
	notes []string
}

func (n *notebook) note(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notes = append(n.notes, what)
}

func (n *notebook) Listen(rule string) (stop func()) {
	n.note(rule)
	return n.Service.Listen(rule)
}

func (n *notebook) Go(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	n.note("a question")
	return n.Service.Go(ctx, path, method, args...)
}

func (n *notebook) since(before int) (notes []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.notes[before:])
}

// The answer may come late, and Lock cannot be read again.
func TestANewSessionIsListenedToBeforeAnythingIsAsked(t *testing.T) {
	w := newWatch(t, Session())
	service := &notebook{Service: w.service}
	w.observer.service = service
	w.run()
	c := &crowd{watch: w, owner: ":1.1"}
	c.watch.owner(c.owner)
	c.answers("1")
	c.hears()
	for _, test := range []struct {
		of     string
		happen func()
	}{
		{"2", func() { c.begins("2") }},
		{"3", func() { // its announcement was lost on the way to the observer
			c.observer.filter.announce(pathOf("3"))
			c.watch.owner(c.owner)
		}},
	} {
		before := len(service.since(0))
		test.happen()
		user := c.called("GetAll")
		if got, want := service.since(before), append(sessionEvents(placeOf(test.of)), "a question"); !slices.Equal(got, want) {
			t.Errorf("in this order:\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		c.at++
		bustest.Answer(user, c.at, nil, sessions("1"))
		c.at++
		bustest.Answer(c.called("GetAll"), c.at, nil, aSession("wayland", "seat0", false))
	}
}

// The one that begins while others are read is not listened to later than they are.
func TestANewSessionIsListenedToWhileOthersAreRead(t *testing.T) {
	c := gather(t)
	c.begins("2")
	user := c.called("GetAll")
	c.begins("3")
	c.hints("1") // so that the announcement has been taken
	c.hears()
	c.listensTo([]string{"1"}, placeOf("1"), placeOf("2"), placeOf("3"))
	c.at++
	bustest.Answer(user, c.at, nil, sessions("1"))
	c.called("GetAll")
	c.listensTo([]string{"1"}, placeOf("1"), placeOf("3"))
}

// A bus daemon refuses rules if there are too many.
func TestVeryManySessionsHaveFewRules(t *testing.T) {
	const owner = ":1.1"
	for _, test := range []struct{ ours, announced, narrow, wide int }{
		{ours: mostNamed, narrow: 3 * mostNamed},
		{ours: mostNamed - 1, announced: 1, narrow: 3*mostNamed - 1},
		{ours: mostNamed, announced: 1, narrow: mostNamed, wide: 2},
		{announced: mostNamed + 1, wide: 2},
		{announced: mostAnnounced + 1, wide: 2},
		{ours: mostNamed + 1, wide: 3},
	} {
		filter := NewFilter(Session())
		root := newObject(&filter.source.Root, filter.source.Root.Path)
		var paths []dbus.ObjectPath
		for i := range test.ours {
			paths = append(paths, pathOf(fmt.Sprint(i)))
		}
		root.take(news{paths: map[string][]dbus.ObjectPath{"Sessions": paths}}, 1)
		filter.tell(owner, root)
		for i := range test.announced {
			filter.announce(pathOf(fmt.Sprint(test.ours + i)))
		}
		narrow, wide := 0, 0
		for _, rule := range filter.rules(owner) {
			if strings.Contains(rule, allSessions) {
				wide++
			} else {
				narrow++
			}
		}
		if narrow != test.narrow || wide != test.wide {
			t.Errorf("of %d sessions and %d new ones: %d rules, and %d for all", test.ours, test.announced, narrow, wide)
		}
	}
}

// Another user may do with sessions of their own what they like.
func TestWhatOtherUsersDoIsNotHeard(t *testing.T) {
	c := gather(t)
	if !c.locks("1") || c.isLocked("1") != true || !c.hints("1") {
		t.Error("our own session is not heard")
	}
	if c.hints("9") || c.locks("9") || c.hints("9") {
		t.Error("another user's session is heard")
	}
	for i := range 100 * mostAnnounced {
		if id := fmt.Sprint(2 + i); c.locks(id) || c.hints(id) {
			t.Fatalf("the session %s is heard", id)
		}
	}
	if held := len(c.observer.filter.ours) + len(c.observer.filter.announced) + len(c.observer.early); held > 2 {
		t.Errorf("%d objects are remembered", held)
	}
}

// Nothing else tells that a new session was asked to lock.
func TestANewSessionIsHeardUntilItIsKnownWhoseItIs(t *testing.T) {
	for name, test := range map[string]struct {
		ours []string
		is   bool
	}{"ours": {[]string{"1", "2"}, true}, "another's": {[]string{"1"}, false}} {
		t.Run(name, func(t *testing.T) {
			c := gather(t)
			c.begins("2")
			if !c.locks("2") || c.hints("9") {
				t.Fatal("the wrong session is heard")
			}
			c.answers(test.ours...)
			if test.is && c.isLocked("2") != true {
				t.Error("its Lock is lost")
			}
			if heard := c.locks("2"); heard != test.is {
				t.Errorf("then it is heard: %t", heard)
			}
		})
	}
}

func TestASessionThatBeginsWhileOthersAreReadIsHeard(t *testing.T) {
	c := gather(t)
	c.begins("2")
	before := c.called("GetAll")
	c.begins("3")
	c.at++
	bustest.Answer(before, c.at, nil, sessions("1"))
	c.at++
	bustest.Answer(c.called("GetAll"), c.at, nil, aSession("wayland", "seat0", false))
	again := c.called("GetAll")
	if c.locks("2") || !c.locks("3") {
		t.Error("the wrong session is heard")
	}
	c.at++
	bustest.Answer(again, c.at, nil, sessions("1", "3"))
	for range 2 {
		bustest.Answer(c.called("GetAll"), c.at, nil, aSession("wayland", "seat0", false))
	}
	if c.isLocked("3") != true {
		t.Error("its Lock is lost")
	}
}

func TestAPathMayBeOursLater(t *testing.T) {
	c := gather(t)
	if c.locks("9") {
		t.Fatal("another user's session is heard")
	}
	c.begins("9") // another one of the same name
	c.answers("1", "9")
	c.hears()
	if !c.locks("9") {
		t.Error("it is not heard")
	}
	c.isLocked("9")
	c.says(c.source.Root.Path, propertiesChanged, c.source.Root.Interface, display("1"), []string{}) // it has ended
	c.answers("1")
	c.hears()
	if c.locks("9") {
		t.Error("it is heard after its end")
	}
}

func TestTheNextLogindSaysAnewWhoseTheSessionsAre(t *testing.T) {
	c := gather(t)
	c.owner = ":1.2"
	c.watch.owner(c.owner)
	c.hearsProblem("logind is starting")
	if !c.locks("1") || !c.locks("9") {
		t.Error("a session is not heard before it is known whose it is")
	}
	c.answers("1")
	c.hears()
	if c.locks("9") || !c.locks("1") {
		t.Error("the wrong session is heard")
	}
}

func TestWithoutASessionOfOursNoneIsHeard(t *testing.T) {
	c := &crowd{watch: observe(t, Session()), owner: ":1.1"}
	c.watch.owner(c.owner)
	for range 5 { // as long as logind may only be starting
		c.at++
		bustest.Answer(c.called("GetAll"), c.at, dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownObject"})
	}
	c.hears()
	if c.locks("9") || c.hints("9") {
		t.Error("another user's session is heard")
	}
	c.begins("1")
	c.answers("1")
	c.hears()
	if !c.locks("1") {
		t.Error("our own session is not heard")
	}
}

// What is announced and never asked for must not fill the memory, and must not be missed.
func TestWhatIsAnnouncedIsBounded(t *testing.T) {
	f := NewFilter(Session())
	lock := &dbus.Signal{Sender: ":1.1", Path: pathOf("2"), Name: logindName + ".Session." + lockSignal}
	f.tell(":1.1", newObject(&f.source.Root, f.source.Root.Path))
	f.announce(pathOf("2"))
	for i := range 10 * mostAnnounced {
		f.announce(pathOf(fmt.Sprint(3 + i)))
	}
	if held := len(f.announced); held > mostAnnounced {
		t.Errorf("%d are remembered", held)
	}
	if !f.Wants(lock) {
		t.Error("one of them is missed")
	}
}

// The answer to a question is older than what is announced after it, however much that is.
func TestAnAnswerDoesNotTellWhatTooManyAnnouncementsHaveHidden(t *testing.T) {
	f := NewFilter(Session())
	lock := &dbus.Signal{Sender: ":1.1", Path: pathOf("2"), Name: logindName + ".Session." + lockSignal}
	f.asks()
	f.announce(pathOf("2"))
	for i := range mostAnnounced {
		f.announce(pathOf(fmt.Sprint(3 + i)))
	}
	f.tell(":1.1", newObject(&f.source.Root, f.source.Root.Path))
	if !f.Wants(lock) {
		t.Error("a session that began after the question is missed")
	}
	f.asks()
	f.tell(":1.1", newObject(&f.source.Root, f.source.Root.Path))
	if f.Wants(lock) {
		t.Error("another user's session is heard for good")
	}
}

// A session is unlocked and ends. The answer that no longer names it is newer than its
// Unlock, which cannot be read again.
func TestWhatWasSaidBeforeAnAnswerIsHeardFirst(t *testing.T) {
	for range 20 { // because Go picks by chance what to take first
		w := newWatch(t, Session())
		w.service.Sent = make(chan *dbus.Signal, 8) // as signals wait on a bus
		w.run()
		c := &crowd{watch: w, owner: ":1.1"}
		c.watch.owner(c.owner)
		c.answers("1")
		c.hears()
		w.observer.Reread(1)
		user := c.called("GetAll")
		c.locks("1") // nobody takes these facts yet, so what follows waits
		c.says(pathOf("1"), logindName+".Session.Unlock")
		c.at++
		bustest.Answer(user, c.at, nil, sessions())
		isHeard := false
		for facts := c.hears(); len(facts.Children()) > 0; facts = c.hears() {
			isHeard = isHeard || facts.Children()[0].values[saidLast] == false
		}
		if !isHeard {
			t.Fatal("its Unlock is lost")
		}
	}
}
