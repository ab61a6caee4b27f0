package history

import (
	"strings"
	"time"
	"unicode/utf8"
)

// step is the time between two ticks of the axis: seconds within a day, whole days, or
// years.
type step struct{ seconds, days, years int }

const (
	toTheSecond = "15:04:05"
	toTheMinute = "15:04"
	toTheDay    = "2 Jan"
	toTheYear   = "2006"
	mark        = "╵"
	// gap is the least number of columns between labels.
	gap = 2
)

func steps() []step {
	const minute, hour = 60, 60 * 60
	var all []step
	for _, seconds := range []int{
		1, 5, 10, 30,
		minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute,
		hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour,
	} {
		all = append(all, step{seconds: seconds})
	}
	for _, days := range []int{1, 2, 7, 14, 28, 91, 182} {
		all = append(all, step{days: days})
	}
	for _, years := range []int{1, 2, 5, 10, 20} {
		all = append(all, step{years: years})
	}
	return all
}

// label returns the layout of a tick's label.
func (s step) label(window Window) string {
	switch {
	case s.years > 0:
		return toTheYear
	case s.days > 0:
		return window.Dated(toTheDay)
	case s.seconds < 60:
		return toTheSecond
	}
	return toTheMinute
}

func (s step) length() time.Duration {
	return time.Duration(s.seconds)*time.Second + time.Duration(s.days+365*s.years)*24*time.Hour
}

// tick returns the step's i-th moment on the wall clock, which daylight saving time may
// have put forward or back meanwhile.
func (s step) tick(midnight time.Time, i int) time.Time {
	if s.years > 0 {
		return time.Date((midnight.Year()/s.years+i)*s.years, time.January, 1, 0, 0, 0, 0, midnight.Location())
	}
	return time.Date(midnight.Year(), midnight.Month(), midnight.Day()+i*s.days, 0, 0, i*s.seconds, 0, midnight.Location())
}

// axis returns a line of clock times below a bar. Midnight is labelled with the day.
func axis(window Window, width int) string {
	s := stepFor(window, width)
	layout := s.label(window)
	since := window.Since
	midnight := time.Date(since.Year(), since.Month(), since.Day(), 0, 0, 0, 0, since.Location())
	var line strings.Builder
	column := 0
	for i := 0; ; i++ {
		at := s.tick(midnight, i)
		if at.After(window.Until) {
			return line.String()
		}
		place := int(float64(at.Sub(since)) / float64(window.Lasted()) * float64(width))
		label := mark + at.Format(layout)
		if s.seconds > 0 && at.Hour() == 0 && at.Minute() == 0 && at.Second() == 0 {
			label = mark + at.Format("Mon 2")
		}
		length := utf8.RuneCountInString(label)
		if at.Before(since) || place < column || place+length > width {
			continue
		}
		line.WriteString(strings.Repeat(" ", place-column) + label)
		column = place + length
		line.WriteString(" ")
		column++
	}
}

// stepFor returns the shortest step whose labels fit.
func stepFor(window Window, width int) step {
	all := steps()
	for _, s := range all {
		columns := float64(s.length()) / float64(window.Lasted()) * float64(width)
		if columns >= float64(utf8.RuneCountInString(mark+s.label(window))+gap) {
			return s
		}
	}
	return all[len(all)-1]
}
