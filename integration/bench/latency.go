package main

import (
	"context"
	"time"
)

const fromLid = "from logind's signal to the target active"

// latency makes all contenders change in turns. While logind prepares for
// sleep, the bridge follows the lid at once, however often it changes. At other
// times it would damp the changes, which is its purpose but not what is
// measured.
func (s *stage) latency(ctx context.Context, t *table) error {
	if err := s.prepareForSleep(ctx, true); err != nil {
		return err
	}
	samples := map[string]sample{}
	for round := range s.options.changes {
		for i := range s.contenders {
			c := s.contenders[(round+i)%len(s.contenders)]
			began, ended, err := s.turn(ctx, c)
			if err != nil {
				return err
			}
			samples[c.name] = append(samples[c.name], ended-began)
			time.Sleep(pause)
		}
	}
	base := samples[floor]
	for _, c := range s.contenders {
		t.addTimes(fromLid, c.name, samples[c.name], base, "floor")
	}
	return nil
}
