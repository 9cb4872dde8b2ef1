package emulatortest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokenwell/tokenwell/bindings/go/emulatortest"
)

func mint(t *testing.T, emulator *emulatortest.Emulator) (*http.Response, string) {
	t.Helper()
	form := strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode())
	request, err := http.NewRequest(http.MethodPost, emulator.URL+"/api/oauth/token", form)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(emulator.ClientID, emulator.ClientSecret)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	_ = json.NewDecoder(response.Body).Decode(&body)
	return response, body.AccessToken
}

func TestAnEmulatorServesAndIsControlled(t *testing.T) {
	emulator := emulatortest.Start(t)

	if response, token := mint(t, emulator); response.StatusCode != http.StatusOK || token == "" {
		t.Fatalf("no token: %s", response.Status)
	}
	if got := emulator.Counters(); got.TokenRequests != 1 || got.TokensMinted != 1 || got.LiveTokens != 1 {
		t.Errorf("counters: %+v", got)
	}
	if method := emulator.LastRequest("/api/oauth/token")["method"]; method != "POST" {
		t.Errorf("the last request: %v", method)
	}
	emulator.Faults(map[string]any{"path": "/api/oauth/token", "times": 1, "status": 503})
	if response, _ := mint(t, emulator); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the fault: %s", response.Status)
	}
	emulator.Configure(map[string]any{"token_lifetime_s": 60})
	before := emulator.Now()
	emulator.Advance(2 * time.Hour)
	if passed := emulator.Now().Sub(before); passed < 2*time.Hour || emulator.Counters().LiveTokens != 0 {
		t.Errorf("the clock: %s, %+v", passed, emulator.Counters())
	}
	emulator.Reset()
	if got := emulator.Counters(); got != (emulatortest.Counters{}) {
		t.Errorf("counters after the reset: %+v", got)
	}
}

func TestTheEnvironmentIsThatOfTheEmulatorOnly(t *testing.T) {
	t.Setenv("TOKENWELL_BASE_URL", "https://live.example")
	t.Setenv("MCLI_CLIENT_ID", "live")
	emulator := emulatortest.Start(t)

	emulator.Setenv(t)

	if os.Getenv("TOKENWELL_BASE_URL") != "" || os.Getenv("MCLI_CLIENT_ID") != "" {
		t.Error("a variable of another account is left")
	}
	if os.Getenv("MONGODB_ATLAS_BASE_URL") != emulator.URL || os.Getenv("TOKENWELL_CACHE_DIR") == "" {
		t.Errorf("variables: %v", emulator.Environ())
	}
	if len(emulator.Environ()) < 6 || emulator.OrgID == "" || emulator.ProjectID == "" {
		t.Errorf("variables: %v", emulator.Environ())
	}
}

func TestTwoEmulatorsAreIndependentAndTLSWorks(t *testing.T) {
	plain := emulatortest.Start(t)
	secure := emulatortest.Start(t, "--tls", "--ca-file", filepath.Join(t.TempDir(), "ca.pem"))

	mint(t, plain)

	if !strings.HasPrefix(secure.URL, "https://") || secure.Counters().TokenRequests != 0 || plain.Counters().TokenRequests != 1 {
		t.Errorf("%s: %+v, %s: %+v", plain.URL, plain.Counters(), secure.URL, secure.Counters())
	}
}

// TestFailing fails on purpose, in a process that TestAFailureIsOneClearMessage starts.
func TestFailing(t *testing.T) {
	switch os.Getenv("TEST_FAILURE") {
	case "":
		t.Skip("another test runs this one")
	case "control":
		emulatortest.Start(t).Configure(map[string]any{"no_such_setting": 1})
	case "flag":
		emulatortest.Start(t, "--no-such-flag")
	default:
		emulatortest.Start(t)
	}
}

func TestAFailureIsOneClearMessage(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range []struct{ failure, variable, said string }{
		{"missing", "PATH=/nonexistent", "install it, or name it in TOKENWELL_BIN"},
		{"named", "TOKENWELL_BIN=/nonexistent/tokenwell", "TOKENWELL_BIN names no program"},
		{"control", "", "no_such_setting"},
		{"flag", "", "--no-such-flag"},
	} {
		command := exec.Command(self, "-test.run", "^TestFailing$")
		command.Env = append(os.Environ(), "TEST_FAILURE="+example.failure)
		if example.failure == "missing" {
			command.Env = append(command.Env, "TOKENWELL_BIN=")
		}
		if example.variable != "" {
			command.Env = append(command.Env, example.variable)
		}
		output, err := command.CombinedOutput()
		if err == nil || strings.Count(string(output), "emulatortest: ") != 1 || !strings.Contains(string(output), example.said) {
			t.Errorf("%s: %v: %s", example.failure, err, output)
		}
	}
}

func ExampleStart() {
	var t *testing.T // the parameter of a test

	test := func(t *testing.T) {
		emulator := emulatortest.Start(t)
		emulator.Setenv(t)
		emulator.Advance(time.Hour)
		fmt.Println(emulator.Counters().TokenRequests)
	}
	_, _ = t, test
}
