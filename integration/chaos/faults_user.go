package chaos

import (
	"context"
	"slices"
	"syscall"
	"time"
)

func reload(ctx context.Context, w *World, _ string) error { return w.ask(ctx, "daemon-reload") }

func reexec(ctx context.Context, w *World, _ string) error { return w.ask(ctx, "daemon-reexec") }

func mask(ctx context.Context, w *World, target string) error {
	w.masked[target] = true
	w.round.masks = true
	return w.ask(ctx, "mask", target)
}

// unmask plays a user who unmasks all targets.
func unmask(ctx context.Context, w *World, _ string) error {
	var names []string
	for name := range w.masked {
		names = append(names, name)
		w.round.moved[name]++
		if name == "sleep.target" && (w.logind.asleep || w.logind.unheard) {
			w.pullsLock()
		}
	}
	if len(names) == 0 {
		return skipped("nothing is masked")
	}
	slices.Sort(names)
	clear(w.masked)
	return w.ask(ctx, append([]string{"unmask"}, names...)...)
}

// moved notes that the user has moved a target. That may have started every target of its switch,
// and again the units that a target wants.
func (w *World) moved(target string) {
	a, _ := aspectOf(target)
	w.moves[a.name] = append(w.moves[a.name], time.Now())
	w.round.fought = w.round.fought || w.lately(a.name) > fightMost
	w.free[a.name] = a.yields
	if a.yields {
		delete(w.round.must, locker)
	}
	if a.name == "sleep" {
		w.pullsLock()
		w.vagueLock()
	}
	for _, other := range a.all {
		w.round.moved[other]++
		w.pulled(other)
	}
}

// pulled notes that the units that a target wants may have been started again.
func (w *World) pulled(target string) {
	for _, s := range services() {
		if s.target == target {
			w.round.pulled[s.name]++
			if s.lasts {
				w.unsure[s.name] = true
			}
		}
	}
}

func startTarget(ctx context.Context, w *World, target string) error {
	w.moved(target)
	return w.ask(ctx, "start", "--no-block", target)
}

func stopTarget(ctx context.Context, w *World, target string) error {
	w.moved(target)
	return w.ask(ctx, "stop", "--no-block", target)
}

func startService(ctx context.Context, w *World, name string) error {
	s := serviceOf(name)
	if s.pulls {
		w.moved(s.target)
	}
	w.touched(s)
	w.round.pulled[name]++
	return w.handle(ctx, s, true, "start", "--no-block", name)
}

func stopService(ctx context.Context, w *World, name string) error {
	s := serviceOf(name)
	if s.name == locker {
		w.moved("unlock.target") // by its end
	}
	return w.handle(ctx, s, false, "stop", "--no-block", name)
}

// handle makes the user start or end a service with a systemctl command. It notes what
// follows from that until the service's target starts again. If the target moves meanwhile,
// nothing is known.
func (w *World) handle(ctx context.Context, s service, isStart bool, command ...string) error {
	delete(w.round.must, s.name)
	before, err := w.look(ctx, s.target)
	if err != nil {
		w.unsure[s.name] = true
		return w.ask(ctx, command...)
	}
	_, refused := w.systemctl(ctx, command...)
	after, err := w.look(ctx, s.target)
	switch was, is := before[s.target], after[s.target]; {
	case err != nil, refused != nil, was.queued, is.queued, was.active != is.active, was.invocation != is.invocation:
		w.unsure[s.name] = true
	case isStart:
		delete(w.kept, s.name)
	case is.active == "active":
		w.kept[s.name] = is.invocation
	}
	return nil
}

// touched notes that the user has used up some of the starts that the start limit allows a
// target's units.
func (w *World) touched(s service) {
	a, _ := aspectOf(s.target)
	w.moves[a.name] = append(w.moves[a.name], time.Now())
}

func serviceOf(name string) service {
	all := services()
	return all[slices.IndexFunc(all, func(s service) bool { return s.name == name })]
}

// fight starts the wrong target again and again.
func fight(_ context.Context, w *World, _ string) error {
	for i := range 8 {
		w.afterwards(time.Duration(i)*40*time.Millisecond, "the fight goes on", func(ctx context.Context) error {
			target := "lid-open.target"
			if !w.logind.closed {
				target = "lid-closed.target"
			}
			return startTarget(ctx, w, target)
		})
	}
	return nil
}

// managerFreeze stops the user manager for a time. The manager always continues afterwards,
// because other faults that are under way may wait for it.
func managerFreeze(_ context.Context, w *World, arg string) error {
	d, err := time.ParseDuration(arg)
	if err != nil {
		return err
	}
	if err := w.sb.User.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	goesOn := make(chan error, 1)
	time.AfterFunc(d, func() { goesOn <- w.sb.User.Signal(syscall.SIGCONT) })
	w.afterwards(d, "the user manager goes on", func(context.Context) error { return <-goesOn })
	return nil
}

func slowUnits(_ context.Context, w *World, seconds string) error {
	return w.writeFile(slowness, seconds)
}

func failingUnits(_ context.Context, w *World, status string) error {
	return w.writeFile(outcome, status)
}
