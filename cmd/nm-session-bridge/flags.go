package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// runOptions are the flags of run.
type runOptions struct {
	policy   observers.Policy
	switches []string // names; empty for all
}

func parseRun(args []string) (runOptions, error) {
	o := runOptions{policy: observers.Policy{
		OnlineWhen:   observers.Full,
		LimitedGrace: 5 * time.Second,
		GoneGrace:    10 * time.Second,
	}}
	flags := newFlags("run")
	flags.Func("online-when", "", oneOf(&o.policy.OnlineWhen, observers.Full, observers.Limited))
	flags.Func("limited-grace", "", grace(&o.policy.LimitedGrace))
	flags.Func("gone-grace", "", grace(&o.policy.GoneGrace))
	flags.Func("switches", "", func(list string) error {
		var err error
		o.switches, err = switchNames(list)
		return err
	})
	return o, parse(flags, args)
}

// installOptions are the flags of install.
type installOptions struct {
	now, force bool
}

func parseInstall(args []string) (installOptions, error) {
	var o installOptions
	flags := newFlags("install")
	flags.BoolVar(&o.now, "now", false, "")
	flags.BoolVar(&o.force, "force", false, "")
	return o, parse(flags, args)
}

// uninstallOptions are the flags of uninstall.
type uninstallOptions struct {
	force bool
}

func parseUninstall(args []string) (uninstallOptions, error) {
	var o uninstallOptions
	flags := newFlags("uninstall")
	flags.BoolVar(&o.force, "force", false, "")
	return o, parse(flags, args)
}

func newFlags(command string) *flag.FlagSet {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

// parse returns a usage error that names what is accepted.
func parse(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	if err != nil {
		var accepted []string
		flags.VisitAll(func(f *flag.Flag) { accepted = append(accepted, "--"+f.Name) })
		if strings.Contains(err.Error(), "not defined") {
			err = fmt.Errorf("%w: flags of %s are %s", err, flags.Name(), strings.Join(accepted, ", "))
		}
		return usageError{err}
	}
	if flags.NArg() > 0 {
		return usageError{fmt.Errorf("unexpected argument %q: %s takes only flags", flags.Arg(0), flags.Name())}
	}
	return nil
}

func oneOf(target *observers.Bar, accepted ...observers.Bar) func(string) error {
	return func(given string) error {
		if !slices.Contains(accepted, observers.Bar(given)) {
			return fmt.Errorf("accepted values are %s", joined(accepted))
		}
		*target = observers.Bar(given)
		return nil
	}
}

func grace(target *time.Duration) func(string) error {
	return func(given string) error {
		d, err := time.ParseDuration(given)
		if err != nil || d < 0 {
			return errors.New("accepted values are durations such as 500ms, 5s or 1m")
		}
		*target = d
		return nil
	}
}

func switchNames(list string) ([]string, error) {
	var accepted []string
	for _, s := range observers.Table(observers.Policy{}) {
		accepted = append(accepted, s.Name)
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(accepted, name) {
			return nil, fmt.Errorf("no switch is called %q; accepted are %s, separated by commas", name, joined(accepted))
		}
	}
	return names, nil
}

func joined[S ~string](words []S) string {
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = string(w)
	}
	return strings.Join(parts, ", ")
}
