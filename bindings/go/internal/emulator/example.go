package emulator

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Example is a program of examples/go. All its runs share one cache of tokens.
type Example struct {
	path        string
	environment []string
	root        string
}

// BuildExample builds a program of examples/go that uses the account; root is the relative path of
// the repository.
func (a Account) BuildExample(t testing.TB, root, name string) Example {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = filepath.Join(root, "examples", "go", name)
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the example is not built: %v\n%s", err, output)
	}
	// The library creates the directory, so that nobody else can read it.
	cache := filepath.Join(t.TempDir(), "cache")
	return Example{path: path, root: root, environment: append(os.Environ(),
		"MONGODB_ATLAS_BASE_URL="+a.BaseURL, "MONGODB_ATLAS_CLIENT_ID="+a.ClientID, "MONGODB_ATLAS_CLIENT_SECRET="+a.ClientSecret,
		"TOKENWELL_CACHE=on", "TOKENWELL_CACHE_DIR="+cache,
	)}
}

// Run runs the program with more variables and returns its standard output.
func (e Example) Run(t testing.TB, variables ...string) string {
	t.Helper()
	return e.output(t, exec.Command(e.path), variables...)
}

// Token returns the token in the cache that the runs share.
func (e Example) Token(t testing.TB) string {
	t.Helper()
	return strings.TrimSpace(e.output(t, exec.Command(program(e.root), "token")))
}

func (e Example) output(t testing.TB, command *exec.Cmd, variables ...string) string {
	t.Helper()
	command.Env = append(e.environment, variables...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command.Args, err, stderr.String())
	}
	return string(output)
}
