package main

// nearest returns the name that was probably meant: the one that takes the
// fewest changes of a letter, two at most.
func nearest(given string, names []string) (name string, found bool) {
	const most = 2
	best := most + 1
	for _, n := range names {
		if d := distance(given, n); d < best {
			name, best = n, d
		}
	}
	return name, best <= most
}

// distance is how many letters have to be put in, taken out or replaced to make
// one word of another (the Levenshtein distance, in bytes).
func distance(from, to string) int {
	row := make([]int, len(to)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(from) {
		diagonal := row[0]
		row[0]++
		for j := range len(to) {
			replaced := diagonal
			if from[i] != to[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}
