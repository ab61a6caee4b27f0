// Package variations adds variations of a fuzz target's seeds to its corpus, the same ones
// each time. Go's own fuzzing has no seed: guided by coverage, it draws different ones each
// time.
package variations

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
)

// perTarget is the number of variations. A target takes some seconds for them with the race
// detector.
const perTarget = 2000

// Target is a fuzz target. Its seeds are varied, too, unless Go itself fuzzes.
type Target struct {
	*testing.F
	seeds [][]any
}

// Of returns a target that has no seeds yet.
func Of(f *testing.F) *Target {
	return &Target{F: f}
}

// Add adds a seed.
func (t *Target) Add(arguments ...any) {
	t.seeds = append(t.seeds, arguments)
	t.F.Add(arguments...)
}

// Fuzz adds the variations, and runs the target.
func (t *Target) Fuzz(function any) {
	if fuzzed := flag.Lookup("test.fuzz"); fuzzed == nil || fuzzed.Value.String() == "" {
		for _, arguments := range draw(t.seeds, perTarget) {
			t.F.Add(arguments...)
		}
	}
	t.F.Fuzz(function)
}

// draw returns count variations of seeds.
func draw(seeds [][]any, count int) [][]any {
	random := rand.New(rand.NewPCG(uint64(len(seeds)), uint64(count)))
	var drawn [][]any
	for range count {
		arguments := slices.Clone(seeds[random.IntN(len(seeds))])
		for range 1 + random.IntN(2) {
			i := random.IntN(len(arguments))
			other := seeds[random.IntN(len(seeds))]
			arguments[i] = vary(random, arguments[i], other[i])
		}
		drawn = append(drawn, arguments)
	}
	return drawn
}

// vary returns a variation of an argument. It may contain a part of another seed's.
func vary(random *rand.Rand, argument, other any) any {
	switch value := argument.(type) {
	case []byte:
		if other, same := other.([]byte); same {
			return varyBytes(random, value, other)
		}
	case string:
		if other, same := other.(string); same {
			return string(varyBytes(random, []byte(value), []byte(other)))
		}
	case byte:
		return byte(random.Uint32())
	case bool:
		return random.IntN(2) == 0
	}
	return other
}

func varyBytes(random *rand.Rand, value, other []byte) []byte {
	value = slices.Clone(value)
	for range 1 + random.IntN(4) {
		from, to := part(random, value)
		switch random.IntN(6) {
		case 0: // taken away
			value = slices.Delete(value, from, to)
		case 1: // doubled
			value = slices.Insert(value, from, slices.Clone(value[from:to])...)
		case 2: // from the other
			start, end := part(random, other)
			value = slices.Replace(value, from, to, other[start:end]...)
		case 3:
			value = slices.Insert(value, from, byte(random.Uint32()))
		case 4:
			if from < to {
				value[from] = []byte{0, 1, 0x7f, 0x80, 0xff, byte(random.Uint32())}[random.IntN(6)]
			}
		case 5:
			if from < to {
				value[from] ^= 1 << random.IntN(8)
			}
		}
	}
	return value
}

// part returns the bounds of a part, most of them short.
func part(random *rand.Rand, of []byte) (from, to int) {
	from = random.IntN(len(of) + 1)
	return from, from + random.IntN(min(1+len(of)-from, 1<<random.IntN(7)))
}
