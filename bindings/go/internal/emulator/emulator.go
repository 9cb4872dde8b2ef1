// Package emulator starts the Atlas emulator for the tests and benchmarks of this module and of the
// modules in its directory.
package emulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Account is the URL of an emulator and a client that it accepts.
type Account struct{ BaseURL, ClientID, ClientSecret, OrgID, ProjectID string }

// Start runs an emulator in a process of its own that ends with its test. The command is the one
// that TOKENWELL_BIN names, or that of `make library`; root is the relative path of the repository.
// Flags are those of docs/emulator.md.
func Start(t testing.TB, root string, flags ...string) Account {
	t.Helper()
	command := exec.Command(program(root), append([]string{"emulator", "--until-stdin-closes"}, flags...)...)
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
	environment := make(map[string]string)
	for lines := bufio.NewReader(stdout); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the emulator did not become ready: %v; standard error: %q", err, stderr.String())
		}
		if line == "# ready\n" {
			break
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		environment[name] = value
	}
	account := Account{
		BaseURL:      environment["MONGODB_ATLAS_BASE_URL"],
		ClientID:     environment["MONGODB_ATLAS_CLIENT_ID"],
		ClientSecret: environment["MONGODB_ATLAS_CLIENT_SECRET"],
		OrgID:        environment["MONGODB_ATLAS_ORG_ID"],
		ProjectID:    environment["MONGODB_ATLAS_PROJECT_ID"],
	}
	if slices.Contains([]string{account.BaseURL, account.ClientID, account.ClientSecret, account.OrgID, account.ProjectID}, "") {
		t.Fatalf("the emulator printed %d assignments, and not all that are needed", len(environment))
	}
	return account
}

// program returns the path of the command tokenwell.
func program(root string) string {
	if named := os.Getenv("TOKENWELL_BIN"); named != "" {
		return named
	}
	return filepath.Join(root, "dist", "bin", "tokenwell")
}

// Counters are some of the emulator's counters.
type Counters struct {
	TokenRequests int `json:"token_requests"`
	APIRequests   int `json:"api_requests"`
}

// Counters returns how many requests the emulator got.
func (a Account) Counters(t testing.TB) (counted Counters) {
	t.Helper()
	response, err := http.Get(a.BaseURL + "/_emulator/counters")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&counted); err != nil {
		t.Fatal(err)
	}
	return counted
}

// Fault makes the emulator apply one fault, in the form of docs/emulator.md.
func (a Account) Fault(t testing.TB, fault map[string]any) {
	t.Helper()
	body, err := json.Marshal([]any{fault})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodPost, a.BaseURL+"/_emulator/faults", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	send(t, request)
}

// Revoke revokes a token as another process would: the client that holds it does not notice, and the
// API replies with 401.
func (a Account) Revoke(t testing.TB, token string) {
	t.Helper()
	form := url.Values{"token": {token}}.Encode()
	request, err := http.NewRequest(http.MethodPost, a.BaseURL+"/api/oauth/revoke", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(a.ClientID, a.ClientSecret)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	send(t, request)
}

func send(t testing.TB, request *http.Request) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		t.Fatalf("%s: %s", request.URL.Path, response.Status)
	}
}
