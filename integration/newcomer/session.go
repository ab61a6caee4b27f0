package main

import (
	"fmt"
	"strings"
)

// nextLook checks what a newcomer would look at after typing the README's lines, with the
// bridge installed in the sandbox's shell. It ends at the first thing that is not in order.
const nextLook = `timeout 60 sh -c 'until systemctl --user --quiet is-active lid-closed.target; do sleep 0.1; done'
nm-session-bridge set lid auto
nm-session-bridge doctor
test -z "$(systemctl --user status nm-session-bridge.service 2>&1 | grep 'changed on disk')"
`

// forget makes Go run each test, though an earlier machine may have.
const forget = "go clean -testcache\nsudo env \"PATH=$PATH\" go clean -testcache\n"

// session returns bash's input: the commands, typed in a folder of the user's home, up to
// the first that fails.
func session(folder string, commands []command) string {
	var s strings.Builder
	fmt.Fprintf(&s, "so_far() { echo \"-- so far $((SECONDS / 60)) min $((SECONDS %% 60)) s\"; }\n%scd ~/%s\n", forget, folder)
	for _, c := range commands {
		if len(c.typed) == 0 {
			fmt.Fprintf(&s, "%s\n", c.line)
		} else {
			fmt.Fprintf(&s, "%s <<'TYPED'\nset -ev\n%s\n%sTYPED\n", c.line, strings.Join(c.typed, "\n"), nextLook)
		}
		s.WriteString("so_far\n")
	}
	return s.String()
}
