package origin

import (
	"context"
	"errors"
)

var (
	// ErrReplaced means that the file holds another program now, which is to take over.
	ErrReplaced = errors.New("the program was replaced")
	// ErrRemoved means that the file is gone, and the unit with it.
	ErrRemoved = errors.New("the program was removed")
)

// Watch looks at the file at each tick that it takes from ticks, and sends what has become
// of it to news, at each tick again. unitFile returns the file that the manager has read
// this process's unit from, or "": the program counts as removed if that is gone, too. Watch has a
// goroutine of its own, because a home on a network may keep it waiting.
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
