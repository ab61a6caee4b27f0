package laptop

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the recipe
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed recipe/base.sh
var baseRecipe []byte

//go:embed recipe/modules
var kernelModules []byte

//go:embed recipe/power.asl
var powerSupply []byte

// Image is an installed Debian that laptops boot, each with changes of its own.
type Image struct {
	dir string
}

func (i Image) disk() string    { return filepath.Join(i.dir, "root.img") }
func (i Image) kernel() string  { return filepath.Join(i.dir, "vmlinuz") }
func (i Image) modules() string { return filepath.Join(i.dir, "modules") }
func (i Image) power() string   { return filepath.Join(i.dir, "power.aml") }

// OpenImage returns the image of a Debian release, such as "trixie". The image
// is made of Debian's packages, which needs root and the network, and kept in
// the cache until the recipe changes. That takes minutes; progress is told how
// far it is.
func OpenImage(ctx context.Context, release string, progress io.Writer) (Image, error) {
	cache, err := cacheDir()
	if err != nil {
		return Image{}, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Image{}, err
	}
	unlock, err := lock(filepath.Join(cache, release+".lock"))
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	recipe := sha256.New()
	for _, part := range [][]byte{baseRecipe, kernelModules, powerSupply} {
		recipe.Write(part)
	}
	dir := filepath.Join(cache, fmt.Sprintf("%s-%x", release, recipe.Sum(nil)[:8]))
	if _, err := os.Stat(dir); err == nil {
		return Image{dir}, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Image{}, err
	}
	began := time.Now()
	if err := makeImage(ctx, release, dir, progress); err != nil {
		return Image{}, fmt.Errorf("make the image of %s: %w", release, err)
	}
	fmt.Fprintf(progress, "laptop %s: its image was made in %.0f s and is kept in %s\n", release, time.Since(began).Seconds(), dir)
	return Image{dir}, nil
}

// cacheDir is $LAPTOP_CACHE, by default a directory of the user's cache.
func cacheDir() (string, error) {
	if dir := os.Getenv("LAPTOP_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "nm-session-bridge", "laptop"), nil
}

// lock waits until no other process works on the images of a release.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { file.Close() }, nil
}

// makeImage puts a new image in place of all older ones of the release. It
// becomes visible when it is whole.
func makeImage(ctx context.Context, release, dir string, progress io.Writer) error {
	older, err := filepath.Glob(filepath.Join(filepath.Dir(dir), release+"-*"))
	if err != nil {
		return err
	}
	for _, path := range older {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(dir), release+"-unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unfinished)
	for name, content := range map[string][]byte{"base.sh": baseRecipe, "modules": kernelModules, "power.asl": powerSupply} {
		if err := os.WriteFile(filepath.Join(unfinished, name), content, 0o644); err != nil {
			return err
		}
	}
	image := filepath.Join(unfinished, "image")
	if err := isolated(ctx, progress, "/bin/sh", filepath.Join(unfinished, "base.sh"), release, image); err != nil {
		return err
	}
	return os.Rename(image, dir)
}

// isolated runs a command with mounts and processes that end with it, as it
// does with the caller. Its standard output is progress, its standard error
// matters if it fails.
func isolated(ctx context.Context, progress io.Writer, command ...string) error {
	var printed bytes.Buffer
	cmd := exec.CommandContext(ctx, "unshare", append([]string{
		"--mount", "--pid", "--mount-proc", "--fork", "--kill-child", "--",
	}, command...)...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.Stdout, cmd.Stderr = progress, &printed
	if err := runBound(cmd); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, printed.Bytes())
	}
	return nil
}

// runBound runs a command that does not outlive the calling process, however
// that ends.
func runBound(cmd *exec.Cmd) error {
	// The kernel takes the end of the thread that started it for the caller's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.Run()
}
