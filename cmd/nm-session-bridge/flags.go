package main

import (
	"errors"
	"flag"
	"fmt"
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

func (o *runOptions) declare(flags *flag.FlagSet) {
	o.policy = observers.Policy{
		OnlineWhen:   observers.Full,
		LimitedGrace: 5 * time.Second,
		GoneGrace:    10 * time.Second,
	}
	flags.Var(listOf(&o.switches), "switches", "which switches to keep, separated by commas: the `LIST` is "+joined(observers.Table().Names())+"; all by default")
	flags.Var(oneOf(&o.policy.OnlineWhen, observers.Full, observers.Limited),
		"online-when", "what connectivity is called online: `full|limited`, full by default; limited is for networks that block the check")
	flags.Func("limited-grace", "how long connectivity may be limited before an online switch goes offline: a `DURATION`, 5s by default",
		grace(&o.policy.LimitedGrace))
	flags.Func("gone-grace", "how long switches keep their positions while NetworkManager or logind is away: a `DURATION`, 10s by default",
		grace(&o.policy.GoneGrace))
}

func oneOf(target *observers.Bar, accepted ...observers.Bar) choice {
	return choice{
		set: func(given string) error {
			if !slices.Contains(accepted, observers.Bar(given)) {
				return fmt.Errorf("accepted values are %s", joined(accepted))
			}
			*target = observers.Bar(given)
			return nil
		},
		words: func(string) []string {
			var words []string
			for _, bar := range accepted {
				words = append(words, string(bar))
			}
			return words
		},
	}
}

func listOf(target *[]string) choice {
	return choice{
		set: func(list string) (err error) {
			*target, err = chosenNames(list)
			return err
		},
		words: func(typed string) []string {
			done := typed[:strings.LastIndex(typed, ",")+1]
			var lists []string
			for _, name := range observers.Table().Names() {
				if !slices.Contains(strings.Split(done, ","), name) {
					lists = append(lists, done+name)
				}
			}
			return lists
		},
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

func chosenNames(list string) ([]string, error) {
	accepted, names := observers.Table().Names(), strings.Split(list, ",")
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
