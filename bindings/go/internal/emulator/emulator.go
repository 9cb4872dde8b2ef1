// Package emulator starts the Atlas emulator for the tests and benchmarks of this module.
package emulator

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Account is the URL of an emulator and a client that it accepts.
type Account struct{ BaseURL, ClientID, ClientSecret string }

// Start runs an emulator in a process of its own that ends with its test. The command is the one
// that TOKENWELL_BIN names, or that of `make library`; root is the way from the test's folder to
// the repository.
func Start(t testing.TB, root string) Account {
	t.Helper()
	program := os.Getenv("TOKENWELL_BIN")
	if program == "" {
		program = filepath.Join(root, "dist", "bin", "tokenwell")
	}
	command := exec.Command(program, "emulator", "--until-stdin-closes")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("the emulator does not start (build it with `make library`, or name it in TOKENWELL_BIN): %v", err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		_ = command.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the emulator did not print its first line: %v; standard error: %q", err, stderr.String())
	}
	environment := make(map[string]string)
	for _, assignment := range strings.Fields(line) {
		name, value, _ := strings.Cut(assignment, "=")
		environment[name] = value
	}
	account := Account{environment["MONGODB_ATLAS_BASE_URL"], environment["MONGODB_ATLAS_CLIENT_ID"], environment["MONGODB_ATLAS_CLIENT_SECRET"]}
	if account.BaseURL == "" || account.ClientID == "" || account.ClientSecret == "" {
		t.Fatalf("the emulator's first line lacks an assignment: %d fields", len(environment))
	}
	return account
}
