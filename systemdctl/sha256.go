package systemdctl

import (
	"bytes"
	"os/exec"
	"strings"
)

// sha256Digits is the length of a checksum in the records of the first versions,
// which sha256sum(1) could check.
const sha256Digits = 64

// fromSHA256 returns the checksum of a file that an early version installed. If
// the file has changed since, it returns the old checksum, which equals no
// other. It asks sha256sum(1), because crypto/sha256 would add 150 KB to the
// program.
func fromSHA256(sum, path string) string {
	content, err := ReadRegular(path)
	if err != nil {
		return sum
	}
	cmd := exec.Command("sha256sum")
	cmd.Stdin = bytes.NewReader(content)
	if out, err := cmd.Output(); err != nil || !strings.HasPrefix(string(out), sum) {
		return sum
	}
	return checksum(content)
}
