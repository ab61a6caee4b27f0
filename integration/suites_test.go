package integration

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// every is the suite that stands for all of them.
const every = "every"

// The parts of the tests.
const (
	suitesPart = "suites"
	restPart   = "rest"
)

var (
	suite = flag.String("suite", "", "play on the daemons of a Debian `suite`: "+strings.Join(sandbox.Suites(), ", ")+", or every (default: the machine's own daemons)")
	part  = flag.String("part", "", "play only one `part`: suites, what is to be played on every suite, or rest")
)

// onEverySuite names the files of tests, without _test.go, whose outcome depends
// on the versions of the daemons most.
var onEverySuite = []string{"install", "doctor", "status", "internet", "lock", "sleep", "recipes", "forgery", "suites"}

// choosePart has the tests skipped that are not of the part wanted.
func choosePart() error {
	if *part == "" {
		return nil
	}
	if *part != suitesPart && *part != restPart {
		return fmt.Errorf("-part is %q, neither %s nor %s", *part, suitesPart, restPart)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		return err
	}
	for _, name := range onEverySuite {
		if !slices.Contains(files, name+"_test.go") {
			return fmt.Errorf("%s_test.go is to be played on every suite, and is not in %q", name, files)
		}
	}
	var skipped []string
	for _, file := range files {
		isOnEvery := slices.Contains(onEverySuite, strings.TrimSuffix(file, "_test.go"))
		if isOnEvery == (*part == suitesPart) {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, found := range testFunction.FindAllSubmatch(content, -1) {
			skipped = append(skipped, string(found[1]))
		}
	}
	return flag.Set("test.skip", "^("+strings.Join(skipped, "|")+")$")
}

// TestTheSuiteIsTheOneAskedFor keeps the tests from proving what was not asked.
func TestTheSuiteIsTheOneAskedFor(t *testing.T) {
	if *suite == "" {
		return
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil || !strings.Contains(string(release), "\nVERSION_CODENAME="+*suite+"\n") {
		t.Errorf("this is no %s (%v): %s", *suite, err, release)
	}
	for _, directory := range []string{"/usr", "/var"} {
		if err := os.WriteFile(directory+"/written-by-a-test", nil, 0o644); err == nil {
			t.Errorf("%s is kept for the next test and can be written to", directory)
		}
	}
}

var testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(\w+ \*testing\.T\)`)
