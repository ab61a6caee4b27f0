// Package golden compares what commands print with files under testdata. "go
// test PACKAGE -update" rewrites the files of a package.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Check compares what was printed with testdata/NAME.golden.
func Check(t testing.TB, name, printed string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(printed), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if printed != string(want) {
		t.Errorf("it prints\n%s\nand not what is in %s:\n%s", printed, path, want)
	}
}
