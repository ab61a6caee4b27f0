// Package suggest finds the name that a misspelt one was meant to be.
package suggest

import "strings"

// Name returns the name that was probably meant: the one with the fewest changed letters.
// At most a third of its letters may be changed. Case does not count.
func Name(given string, names []string) (name string, found bool) {
	least := len(given) + 1
	for _, n := range names {
		if d := distance(strings.ToLower(given), strings.ToLower(n)); d < least && d <= len(n)/3 {
			name, least, found = n, d, true
		}
	}
	return name, found
}

// distance counts the letters to insert, delete, change or swap with their neighbours
// to turn one word into another (optimal string alignment distance, in bytes).
func distance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
