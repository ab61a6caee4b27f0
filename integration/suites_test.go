package integration

import (
	"errors"
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

// every stands for all suites, or all shares.
const every = "every"

// The parts of the tests.
const (
	suitesPart = "suites"
	restPart   = "rest"
)

var (
	suite    = flag.String("suite", "", "play on the daemons of a Debian `suite`: "+strings.Join(sandbox.Suites(), ", ")+", or every (default: the machine's own daemons)")
	part     = flag.String("part", "", "play one `part`: suites, what depends on the daemons, or rest")
	allBuses = flag.Bool("all-buses", false, "play on every suite what depends on the message bus alone, not only on the newest")
	share    = flag.String("share", "", "play only one `share` of the tests of -part, such as 1/4, the first of four, or every share beside the others")
)

// onEverySuite names the test files, without _test.go, whose outcome depends
// most on the versions of the daemons.
var onEverySuite = []string{"install", "doctor", "status", "internet", "lock", "sleep", "recipes", "suites"}

// onNewestSuite names those whose outcome depends on which message bus it is, and
// hardly on its version. Each suite has dbus-daemon and dbus-broker.
var onNewestSuite = []string{"forgery", "others"}

// choosePart skips the tests that do not belong to the wanted part.
func choosePart() error {
	number, of := 1, 1
	if *share != "" && *share != every {
		if _, err := fmt.Sscanf(*share, "%d/%d", &number, &of); err != nil || number < 1 || number > of {
			return fmt.Errorf("-share is %q, but must be every or one such as 1/4", *share)
		}
	}
	if *share != "" && *part == "" {
		return errors.New("-share needs a -part")
	}
	switch *part {
	case suitesPart, restPart:
	case "":
		return nil
	default:
		return fmt.Errorf("-part is %q, not %s or %s", *part, suitesPart, restPart)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(onEverySuite, onNewestSuite) {
		if !slices.Contains(files, name+"_test.go") {
			return fmt.Errorf("%s_test.go belongs to the part suites, but is not in %q", name, files)
		}
	}
	var skipped []string
	wanted := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, found := range testFunction.FindAllSubmatch(content, -1) {
			if isWanted(file) {
				wanted++
				if wanted%of == number%of {
					continue
				}
			}
			skipped = append(skipped, string(found[1]))
		}
	}
	return flag.Set("test.skip", "^("+strings.Join(skipped, "|")+")$")
}

// isWanted reports whether the tests of a file belong to the wanted part.
func isWanted(file string) bool {
	name := strings.TrimSuffix(file, "_test.go")
	switch {
	case slices.Contains(onEverySuite, name):
		return *part == suitesPart
	case slices.Contains(onNewestSuite, name):
		suites := sandbox.Suites()
		return *part == suitesPart && (*allBuses || *suite == "" || *suite == suites[len(suites)-1])
	}
	return *part == restPart
}

// TestTheSuiteIsTheOneAskedFor makes sure that the tests run on the wanted
// suite.
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
