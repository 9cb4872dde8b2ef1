// Package emulatortest runs an emulator of MongoDB Atlas for a test.
//
//	func TestSync(t *testing.T) {
//		emulator := emulatortest.Start(t)
//		emulator.Setenv(t)
//		emulator.Faults(map[string]any{"path": "/api/oauth/token", "times": 1, "status": 503})
//		…
//	}
//
// The emulator is the command tokenwell, which is installed separately: the program that the variable
// TOKENWELL_BIN names, or the one on PATH. A test fails if there is none. The page docs/emulator.md of
// tokenwell describes the flags, the settings and the faults.
package emulatortest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// startTime is how long the emulator may take to start, which normally takes some milliseconds.
const startTime = time.Minute

// Emulator is a running emulator, which ends with its test.
type Emulator struct {
	// URL is the base URL of the API and of the token endpoint.
	URL string
	// ClientID and ClientSecret are the credential of a service account.
	ClientID, ClientSecret string
	// OrgID is the organization of the account, and ProjectID one of its projects, if it has one.
	OrgID, ProjectID string

	t           testing.TB
	client      *http.Client
	environment map[string]string
}

// Start starts an emulator on a free port. Flags are those of `tokenwell emulator`.
//
// It ends with the test, also if the test process is killed. The methods of the Emulator fail the
// test if the emulator rejects a request.
func Start(t testing.TB, flags ...string) *Emulator {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatalf("emulatortest: %v", err)
	}
	command := exec.Command(path, append([]string{"emulator", "--until-stdin-closes", "--format", "json"}, flags...)...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatalf("emulatortest: %v", err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatalf("emulatortest: %v", err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("emulatortest: cannot start %s: %v", path, err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		_ = command.Wait()
	})
	// Ends the wait below, because the output then ends.
	late := time.AfterFunc(startTime, func() { _ = command.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if !late.Stop() {
		t.Fatalf("emulatortest: `%s emulator` was not ready within %s", path, startTime)
	}
	if err != nil {
		ended := command.Wait()
		t.Fatalf("emulatortest: `%s emulator` did not start (%v): %s", path, ended, strings.TrimSpace(stderr.String()))
	}
	emulator := &Emulator{t: t}
	if err := json.Unmarshal(line, &emulator.environment); err != nil {
		t.Fatalf("emulatortest: `%s emulator` printed no variables: %v", path, err)
	}
	emulator.URL = emulator.environment["MONGODB_ATLAS_BASE_URL"]
	emulator.ClientID = emulator.environment["MONGODB_ATLAS_CLIENT_ID"]
	emulator.ClientSecret = emulator.environment["MONGODB_ATLAS_CLIENT_SECRET"]
	emulator.OrgID = emulator.environment["MONGODB_ATLAS_ORG_ID"]
	emulator.ProjectID = emulator.environment["MONGODB_ATLAS_PROJECT_ID"]
	emulator.client, err = client(emulator.environment["TOKENWELL_CA_FILE"])
	if err != nil {
		t.Fatalf("emulatortest: %v", err)
	}
	return emulator
}

// program returns the path of the command.
func program() (string, error) {
	if named := os.Getenv("TOKENWELL_BIN"); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("TOKENWELL_BIN names no program: %w", err)
		}
		return path, nil
	}
	path, err := exec.LookPath("tokenwell")
	if err != nil {
		return "", errors.New("the tokenwell command is missing: install it, or name it in TOKENWELL_BIN")
	}
	return path, nil
}

// client returns an HTTP client of the emulator. A proxy of the environment is not for loopback.
func client(caFile string) (*http.Client, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s contains no certificate", caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: transport, Timeout: startTime}, nil
}

// Environ returns the variables of a client of the emulator in the form NAME=value, for example for
// [os/exec.Cmd.Env]. One is the cache directory of this emulator.
func (e *Emulator) Environ() []string {
	var all []string
	for name, value := range e.environment {
		all = append(all, name+"="+value)
	}
	return all
}

// Setenv sets the variables of a client of the emulator for the rest of the test, and clears those
// of other accounts: tokenwell's own ones, and those of the Atlas CLI and its predecessor.
func (e *Emulator) Setenv(t testing.TB) {
	t.Helper()
	for _, assignment := range os.Environ() {
		name, _, _ := strings.Cut(assignment, "=")
		if of(name, "MONGODB_ATLAS_", "MCLI_", "TOKENWELL_") && name != "TOKENWELL_BIN" && name != "TOKENWELL_LIBRARY" {
			// An empty variable counts as not set. Setenv restores it after the test.
			t.Setenv(name, "")
		}
	}
	for name, value := range e.environment {
		t.Setenv(name, value)
	}
}

func of(name string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// Counters are what the emulator has counted since its start or the last [Emulator.Reset].
type Counters struct {
	Connections    int `json:"connections"`
	Requests       int `json:"requests"`
	TokenRequests  int `json:"token_requests"`
	TokensMinted   int `json:"tokens_minted"`
	RevokeRequests int `json:"revoke_requests"`
	APIRequests    int `json:"api_requests"`
	LiveTokens     int `json:"live_tokens"`
}

// Counters returns what the emulator has counted.
func (e *Emulator) Counters() (counters Counters) {
	e.t.Helper()
	e.Control(http.MethodGet, "counters", nil, &counters)
	return counters
}

// Reset restores the state after the start: accounts, tokens, clock, settings, faults, counters.
func (e *Emulator) Reset() {
	e.t.Helper()
	e.Control(http.MethodPost, "reset", struct{}{}, nil)
}

// Faults replaces the faults.
func (e *Emulator) Faults(faults ...map[string]any) {
	e.t.Helper()
	if faults == nil {
		faults = []map[string]any{}
	}
	e.Control(http.MethodPost, "faults", faults, nil)
}

// Configure changes settings, for example {"token_lifetime_s": 60}.
func (e *Emulator) Configure(settings map[string]any) {
	e.t.Helper()
	e.Control(http.MethodPost, "settings", settings, nil)
}

// Now returns the time of the emulator's clock.
func (e *Emulator) Now() time.Time {
	e.t.Helper()
	var clock struct {
		NowMS int64 `json:"now_ms"`
	}
	e.Control(http.MethodGet, "clock", nil, &clock)
	return time.UnixMilli(clock.NowMS)
}

// Advance stops the emulator's clock and sets it forward.
func (e *Emulator) Advance(by time.Duration) {
	e.t.Helper()
	e.Control(http.MethodPost, "clock", map[string]int64{"advance_ms": by.Milliseconds()}, nil)
}

// LastRequest returns the last request to a path: its method, headers, body and so on.
func (e *Emulator) LastRequest(path string) (request map[string]any) {
	e.t.Helper()
	e.Control(http.MethodGet, "last_request?path="+url.QueryEscape(path), nil, &request)
	return request
}

// Control sends any request to the control API: name is the path below /_emulator/. The answer is
// decoded into answer, unless that is nil.
func (e *Emulator) Control(method, name string, body, answer any) {
	e.t.Helper()
	if err := e.control(method, name, body, answer); err != nil {
		e.t.Fatalf("emulatortest: %s %s: %v", method, name, err)
	}
}

func (e *Emulator) control(method, name string, body, answer any) error {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequest(method, e.URL+"/_emulator/"+name, content)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	received, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s: %s", response.Status, received)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(received, answer)
}
