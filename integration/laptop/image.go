package laptop

import (
	"bytes"
	"context"
	_ "embed" // the recipe
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bound"
	"github.com/nm-session-bridge/nm-session-bridge/integration/cache"
)

//go:embed recipe/base.sh
var baseRecipe []byte

//go:embed recipe/modules
var kernelModules []byte

//go:embed recipe/power.asl
var powerSupply []byte

// Image is an installed Debian that laptops boot. Each laptop keeps its changes
// to itself.
type Image struct {
	dir     string
	release func()
}

func (i Image) disk() string    { return filepath.Join(i.dir, "root.img") }
func (i Image) kernel() string  { return filepath.Join(i.dir, "vmlinuz") }
func (i Image) modules() string { return filepath.Join(i.dir, "modules") }
func (i Image) power() string   { return filepath.Join(i.dir, "power.aml") }

// Close allows the image to be removed when a newer one is made.
func (i Image) Close() { i.release() }

// desktopPackages are a compositor with a background, a screen locker, a keyboard
// for programs and a camera for the screen.
const desktopPackages = "sway,swaybg,swaylock,wtype,grim"

// OpenImage returns the image of a Debian release, such as "trixie", with or
// without a desktop, which makes it larger. OpenImage makes the image from
// Debian's packages, which takes minutes and needs root and the network. It keeps
// the image in the cache until the recipe changes, and reports to progress.
func OpenImage(ctx context.Context, release string, desktop bool, progress io.Writer) (Image, error) {
	parent, err := cacheDir()
	if err != nil {
		return Image{}, err
	}
	name, packages := release, ""
	if desktop {
		name, packages = release+"+desktop", desktopPackages
	}
	image := cache.Entry{
		Parent: parent, Name: name, Recipe: slices.Concat(baseRecipe, kernelModules, powerSupply, []byte(packages)),
		Make: func(ctx context.Context, dir string) error {
			return makeImage(ctx, release, packages, dir, progress)
		},
	}
	dir, letGo, err := image.Open(ctx)
	if err != nil {
		return Image{}, fmt.Errorf("cannot make the image of %s: %w", release, err)
	}
	return Image{dir, letGo}, nil
}

// cacheDir returns $LAPTOP_CACHE, or by default a directory of the user's
// cache.
func cacheDir() (string, error) {
	if dir := os.Getenv("LAPTOP_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	return cache.Dir("laptop")
}

func makeImage(ctx context.Context, release, packages, dir string, progress io.Writer) error {
	began := time.Now()
	recipe, err := os.MkdirTemp("", "laptop-recipe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(recipe)
	for name, content := range map[string][]byte{"base.sh": baseRecipe, "modules": kernelModules, "power.asl": powerSupply} {
		if err := os.WriteFile(filepath.Join(recipe, name), content, 0o644); err != nil {
			return err
		}
	}
	var printed bytes.Buffer
	cmd := bound.Isolated(ctx, "/bin/sh", filepath.Join(recipe, "base.sh"), release, dir, packages)
	cmd.Stdout, cmd.Stderr = progress, &printed
	if err := bound.Run(cmd); err != nil {
		return fmt.Errorf("%w: %s", err, printed.Bytes())
	}
	fmt.Fprintf(progress, "laptop %s: its image was made in %.0f s\n", release, time.Since(began).Seconds())
	return nil
}
