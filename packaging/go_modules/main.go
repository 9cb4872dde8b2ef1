// Command go_modules writes released modules in the layout of a module proxy (https://go.dev/ref/mod#goproxy-protocol):
//
//	go_modules VERSION SECONDS OUTPUT DIRECTORY...
//
// Each directory is a module. A module that requires another one of them comes after it. In the released go.mod it
// requires the same version, and nothing is replaced. SECONDS is the time of the version, since 1970. The files of the
// zip files have no time, so that the same input gives the same bytes.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// limit is the size of a zip file above which the static libraries should become modules of their own. The Go command
// itself allows 500 MB, for all files together.
const limit = 50 << 20

func main() {
	log.SetFlags(0)
	log.SetPrefix("go_modules: ")
	if len(os.Args) < 5 {
		log.Fatal("usage: go_modules VERSION SECONDS OUTPUT DIRECTORY...")
	}
	seconds, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		log.Fatalf("the time of the version must be a number of seconds since 1970: %v", err)
	}
	to := release{version: os.Args[1], time: time.Unix(seconds, 0).UTC(), output: os.Args[3], sums: map[string][]string{}}
	for _, directory := range os.Args[4:] {
		if err := to.add(directory); err != nil {
			log.Fatalf("%s: %v", directory, err)
		}
	}
}

type release struct {
	version string
	time    time.Time
	output  string
	// sums are the lines of go.sum for the modules that were already written, by the path of the module.
	sums map[string][]string
}

func (r *release) add(directory string) error {
	file := filepath.Join(directory, "go.mod")
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	definition, err := modfile.Parse(file, content, nil)
	if err != nil {
		return err
	}
	path := definition.Module.Mod.Path
	if err := module.Check(path, r.version); err != nil {
		return err
	}
	if err := r.requireReleased(definition, directory); err != nil {
		return err
	}
	released, err := definition.Format()
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, released, 0o644); err != nil {
		return err
	}
	return r.write(path, directory, released)
}

// requireReleased changes the requirements, and adds the sums of the required modules to go.sum.
func (r *release) requireReleased(definition *modfile.File, directory string) error {
	// The lists change meanwhile.
	for _, replaced := range slices.Clone(definition.Replace) {
		if _, isReleased := r.sums[replaced.Old.Path]; !isReleased {
			return fmt.Errorf("%s is replaced by %s, which is not released", replaced.Old.Path, replaced.New.Path)
		}
		if err := definition.DropReplace(replaced.Old.Path, replaced.Old.Version); err != nil {
			return err
		}
	}
	var sums []string
	for _, required := range slices.Clone(definition.Require) {
		lines, isReleased := r.sums[required.Mod.Path]
		if !isReleased {
			continue
		}
		if err := definition.AddRequire(required.Mod.Path, r.version); err != nil {
			return err
		}
		sums = append(sums, lines...)
	}
	definition.Cleanup()
	if sums == nil {
		return nil
	}
	file := filepath.Join(directory, "go.sum")
	others, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for line := range strings.Lines(string(others)) {
		sums = append(sums, line)
	}
	slices.Sort(sums)
	return os.WriteFile(file, []byte(strings.Join(sums, "")), 0o644)
}

func (r *release) write(path, directory string, goMod []byte) error {
	escaped, err := module.EscapePath(path)
	if err != nil {
		return err
	}
	place := filepath.Join(r.output, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(place, 0o755); err != nil {
		return err
	}
	var archive bytes.Buffer
	if err := zip.CreateFromDir(&archive, module.Version{Path: path, Version: r.version}, directory); err != nil {
		return err
	}
	if archive.Len() > limit {
		return fmt.Errorf("the module has %d bytes, and at most %d are allowed: release the static libraries in modules of their own", archive.Len(), limit)
	}
	information, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{r.version, r.time})
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		r.version + ".zip":  archive.Bytes(),
		r.version + ".mod":  goMod,
		r.version + ".info": information,
		"list":              []byte(r.version + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(place, name), content, 0o644); err != nil {
			return err
		}
	}
	zipFile := filepath.Join(place, r.version+".zip")
	sum, err := dirhash.HashZip(zipFile, dirhash.Hash1)
	if err != nil {
		return err
	}
	modSum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(goMod)), nil })
	if err != nil {
		return err
	}
	r.sums[path] = []string{
		fmt.Sprintf("%s %s %s\n", path, r.version, sum),
		fmt.Sprintf("%s %s/go.mod %s\n", path, r.version, modSum),
	}
	fmt.Printf("%s %d bytes\n", zipFile, archive.Len())
	return nil
}
