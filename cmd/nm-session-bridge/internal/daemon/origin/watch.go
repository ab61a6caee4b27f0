package origin

import (
	"context"
	"errors"
)

var (
	// ErrReplaced means that the file now holds another program, which must take over.
	ErrReplaced = errors.New("the program was replaced")
	// ErrRemoved means that the file is gone, and the unit with it.
	ErrRemoved = errors.New("the program was removed")
)

// Watch checks the file at each tick, and sends what has happened to it to news, again at
// each tick. unitFile returns the file that the manager read this process's unit from, or
// "". The program counts as removed if that file is gone, too. Watch needs its own
// goroutine, because a home on a network may block it.
func (f *File) Watch(ctx context.Context, ticks <-chan struct{}, unitFile func(context.Context) (string, error), news chan<- error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
		found := f.news(ctx, unitFile)
		if found == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case news <- found:
		}
	}
}

func (f *File) news(ctx context.Context, unitFile func(context.Context) (string, error)) error {
	switch f.fate() {
	case replaced:
		return ErrReplaced
	case removed:
		if unit, err := unitFile(ctx); err == nil && (unit == "" || isGone(unit)) {
			return ErrRemoved
		}
	}
	return nil
}
