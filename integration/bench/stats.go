package main

import (
	"math"
	"slices"
)

// sample holds measured values, durations in nanoseconds.
type sample []int64

func (s sample) median() float64 { return s.quantile(0.5) }
func (s sample) p99() float64    { return s.quantile(0.99) }

// quantile returns the smallest value that at least the given part of all values
// does not exceed.
func (s sample) quantile(part float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	return float64(sorted[max(0, int(math.Ceil(part*float64(len(sorted))))-1)])
}
