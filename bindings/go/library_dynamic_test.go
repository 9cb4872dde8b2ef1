//go:build tokenwell_dynamic

package tokenwell_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

// The library is another one than at the build only if it is a shared library.

// All symbols that this package links with, so that the dynamic loader accepts the other library.
const otherLibrary = `
#include <stdint.h>
uint32_t tokenwell_abi_version(void) { return ABI; }
const char *tokenwell_version(void) { return VERSION; }
#define OTHER(name) void tokenwell_##name(void) {}
OTHER(status_name) OTHER(config_new) OTHER(config_set) OTHER(config_use_environment) OTHER(config_free)
OTHER(config_use_variables) OTHER(config_set_variable)
OTHER(client_new) OTHER(client_token_async) OTHER(client_invalidate_async) OTHER(client_revoke_async) OTHER(client_stats) OTHER(client_generation)
OTHER(client_advance_clock) OTHER(client_close) OTHER(client_free) OTHER(client_fresh_for_ms) OTHER(client_base_url) OTHER(client_setting)
OTHER(operation_wait) OTHER(operation_cancel) OTHER(operation_free)
OTHER(token_value) OTHER(token_authorization) OTHER(token_scope) OTHER(token_expires_at_ms) OTHER(token_generation) OTHER(token_free)
OTHER(error_status) OTHER(error_name) OTHER(error_message) OTHER(error_hint) OTHER(error_http_status) OTHER(error_retry_after_ms) OTHER(error_free)
OTHER(error_oauth_code) OTHER(error_is_remembered) OTHER(error_age_ms) OTHER(error_attempts)
`

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
	if err := os.WriteFile(source, []byte(otherLibrary), 0o600); err != nil {
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
