package laptop

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed recipe/guest
var guestFiles embed.FS

// The places of programs in a laptop.
const (
	labPath = "usr/local/bin/lab"
	// ScenesPath is the program that a laptop runs.
	ScenesPath = "/usr/local/lib/laptop/scenes"
	// BridgePath is the bridge's program before a user installs it.
	BridgePath = "/usr/local/lib/laptop/nm-session-bridge"
	// PackagePath and NewerPackagePath are its Debian packages.
	PackagePath      = "/usr/local/lib/laptop/older.deb"
	NewerPackagePath = "/usr/local/lib/laptop/newer.deb"
)

// Programs are the files that a laptop is given: statically linked programs, and
// two Debian packages of the bridge, the second with a higher version.
type Programs struct {
	Lab, Scenes, Bridge   string
	Package, NewerPackage string
}

// initrd returns the kernel's initial file system. It holds the modules for the
// disk, and a layer of files that the first process puts on the disk.
func initrd(image Image, programs Programs, arguments []string) ([]byte, error) {
	var a archive
	modules, err := os.ReadDir(image.modules())
	if err != nil {
		return nil, err
	}
	for _, module := range modules {
		content, err := os.ReadFile(filepath.Join(image.modules(), module.Name()))
		if err != nil {
			return nil, err
		}
		a.file("modules/"+module.Name(), 0o644, content)
	}
	for _, program := range []struct{ file, place string }{
		{programs.Lab, "init"},
		{programs.Lab, "layer/" + labPath},
		{programs.Scenes, "layer" + ScenesPath},
		{programs.Bridge, "layer" + BridgePath},
		{programs.Package, "layer" + PackagePath},
		{programs.NewerPackage, "layer" + NewerPackagePath},
	} {
		content, err := os.ReadFile(program.file)
		if err != nil {
			return nil, err
		}
		a.file(program.place, 0o755, content)
	}
	a.file("layer/etc/laptop/scenes", 0o644, fmt.Appendf(nil, "ARGUMENTS=%s\n", strings.Join(arguments, " ")))
	if err := addGuest(&a); err != nil {
		return nil, err
	}
	return a.bytes(), nil
}

// addGuest adds the files of recipe/guest, and enables the units among them.
func addGuest(a *archive) error {
	wantedBy := regexp.MustCompile(`(?m)^WantedBy=(.+)$`)
	const root = "recipe/guest"
	return fs.WalkDir(guestFiles, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := guestFiles.ReadFile(name)
		if err != nil {
			return err
		}
		place := "layer" + strings.TrimPrefix(name, root)
		a.file(place, permissions(name, content), content)
		if target := wantedBy.FindSubmatch(content); target != nil {
			link := path.Join(path.Dir(place), string(target[1])+".wants", path.Base(place))
			a.symlink(link, "../"+path.Base(place))
		}
		return nil
	})
}

// permissions returns the mode of a file, which is lost when the file is
// embedded.
func permissions(name string, content []byte) fs.FileMode {
	switch {
	case bytes.HasPrefix(content, []byte("#!")):
		return 0o755
	case strings.HasSuffix(name, ".nmconnection"): // NetworkManager ignores others
		return 0o600
	}
	return 0o644
}
