//go:build tokenwell_dynamic

package tokenwell_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

// The library is another one than at the build only if it is a shared library.

// A library that reports other versions. It gets each function of the header, so that the dynamic loader accepts it.
const otherLibrary = `
#include <stdint.h>
uint32_t tokenwell_abi_version(void) { return ABI; }
const char *tokenwell_version(void) { return VERSION; }
#define OTHER(name) void name(void) {}
`

var declared = regexp.MustCompile(`(?m)^[a-z].*[ *](tokenwell_\w+)\(`)

// otherFunctions returns the definitions of the functions that otherLibrary lacks.
func otherFunctions(t *testing.T) string {
	t.Helper()
	header, err := os.ReadFile("../../include/tokenwell.h")
	if err != nil {
		t.Fatal(err)
	}
	var definitions strings.Builder
	for _, match := range declared.FindAllStringSubmatch(string(header), -1) {
		if name := match[1]; name != "tokenwell_abi_version" && name != "tokenwell_version" {
			fmt.Fprintf(&definitions, "OTHER(%s)\n", name)
		}
	}
	return definitions.String()
}

// buildOtherLibrary returns the path of a shared library that reports these versions.
func buildOtherLibrary(t *testing.T, version string, abi int) string {
	t.Helper()
	folder := t.TempDir()
	source, library := filepath.Join(folder, "other.c"), filepath.Join(folder, "libtokenwell.so.0")
	// The symbols have the version of the real library: without it the loader stops the program.
	versions := filepath.Join(folder, "other.map")
	arguments := []string{"-shared", "-fPIC", "-Wl,-soname,libtokenwell.so.0", "-Wl,--version-script=" + versions}
	if runtime.GOOS == "darwin" {
		library = filepath.Join(folder, "libtokenwell.0.dylib")
		arguments = []string{"-dynamiclib"}
	}
	if err := os.WriteFile(source, []byte(otherLibrary+otherFunctions(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(versions, []byte("TOKENWELL_0 { global: tokenwell_*; local: *; };\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	arguments = append(arguments, fmt.Sprintf("-DABI=%d", abi), fmt.Sprintf("-DVERSION=%q", version), "-o", library, source)
	if output, err := exec.Command("cc", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v: %s", err, output)
	}
	return library
}

func TestALibraryThatDoesNotMatchIsRejectedAndNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version string
		abi     int
	}{
		{"9.9.9", 2},
		{"0.0.1", 1},
	} {
		library := buildOtherLibrary(t, c.version, c.abi)

		said, _ := runScene(t, "library error", "LD_LIBRARY_PATH="+filepath.Dir(library), "DYLD_LIBRARY_PATH="+filepath.Dir(library))

		if !strings.HasPrefix(said, "true true\n") {
			t.Errorf("not a LibraryError both times: %s", said)
		}
		for _, part := range []string{
			"libtokenwell " + c.version, library, fmt.Sprintf("ABI version %d, but", c.abi),
			"requires libtokenwell " + tokenwell.LibraryVersion(), "with ABI version 1", "LD_LIBRARY_PATH", "tokenwell.pc",
		} {
			if !strings.Contains(said, part) {
				t.Errorf("the message lacks %q: %s", part, said)
			}
		}
	}
}
