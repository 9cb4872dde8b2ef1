package tokenwell_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
	starting "github.com/tokenwell/tokenwell/bindings/go/internal/emulator"
)

func TestMain(m *testing.M) {
	if run, found := scenes[os.Getenv(scene)]; found {
		run()
		os.Exit(0)
	}
	// Tests must not share tokens through the cache.
	os.Setenv("TOKENWELL_CACHE", "off")
	os.Exit(m.Run())
}

// emulator is the Atlas emulator, in a separate process that exits when its test ends.
type emulator struct {
	t       *testing.T
	base    string
	id      string
	secret  string
	org     string
	project string
	control *http.Client
}

func startEmulator(t *testing.T) *emulator {
	t.Helper()
	started := starting.Start(t, repository)
	return &emulator{
		t:       t,
		base:    started.BaseURL,
		id:      started.ClientID,
		secret:  started.ClientSecret,
		org:     started.OrgID,
		project: started.ProjectID,
		control: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

// account returns the options for a client of this emulator.
func (e *emulator) account(more ...tokenwell.Option) []tokenwell.Option {
	return append([]tokenwell.Option{tokenwell.WithBaseURL(e.base), tokenwell.WithClientID(e.id), tokenwell.WithClientSecret(e.secret)}, more...)
}

func (e *emulator) client(more ...tokenwell.Option) *tokenwell.Client {
	e.t.Helper()
	client, err := tokenwell.New(e.account(more...)...)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = client.Close() })
	return client
}

// stoppedClock stops the emulator's clock and returns a client with a manual clock at the same
// time.
func (e *emulator) stoppedClock(more ...tokenwell.Option) *tokenwell.Client {
	e.t.Helper()
	var clock struct {
		Now int64 `json:"now_ms"`
	}
	e.get("/_emulator/clock", &clock)
	e.post("/_emulator/clock", map[string]any{"set_ms": clock.Now})
	return e.client(append([]tokenwell.Option{tokenwell.WithManualClock(time.UnixMilli(clock.Now))}, more...)...)
}

// advance advances both clocks.
func (e *emulator) advance(client *tokenwell.Client, by time.Duration) {
	e.t.Helper()
	e.post("/_emulator/clock", map[string]any{"advance_ms": by.Milliseconds()})
	if err := client.AdvanceClock(by); err != nil {
		e.t.Fatal(err)
	}
}

func (e *emulator) faults(faults ...map[string]any) {
	e.t.Helper()
	if faults == nil {
		faults = []map[string]any{}
	}
	e.post("/_emulator/faults", faults)
}

// slowToken delays the replies to the next token requests.
func (e *emulator) slowToken(delay time.Duration) {
	e.t.Helper()
	e.faults(map[string]any{"path": "/api/oauth/token", "delay_ms": delay.Milliseconds(), "then_serve": true})
}

type counters struct {
	Connections    int `json:"connections"`
	TokenRequests  int `json:"token_requests"`
	TokensMinted   int `json:"tokens_minted"`
	RevokeRequests int `json:"revoke_requests"`
	LiveTokens     int `json:"live_tokens"`
}

func (e *emulator) counters() (counted counters) {
	e.t.Helper()
	e.get("/_emulator/counters", &counted)
	return counted
}

type sentRequest struct {
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func (e *emulator) lastTokenRequest() (sent sentRequest) {
	e.t.Helper()
	e.get("/_emulator/last_request?path=/api/oauth/token", &sent)
	return sent
}

func (e *emulator) get(path string, into any) {
	e.t.Helper()
	response, err := e.control.Get(e.base + path)
	if err != nil {
		e.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil || response.StatusCode != http.StatusOK {
		e.t.Fatalf("GET %s: %s, %v", path, response.Status, err)
	}
}

func (e *emulator) post(path string, what any) {
	e.t.Helper()
	body, err := json.Marshal(what)
	if err != nil {
		e.t.Fatal(err)
	}
	response, err := e.control.Post(e.base+path, "application/json", bytes.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		answer, _ := io.ReadAll(response.Body)
		e.t.Fatalf("POST %s: %s %s", path, response.Status, answer)
	}
}

func mustToken(t *testing.T, client *tokenwell.Client, options ...tokenwell.GetOption) *tokenwell.Token {
	t.Helper()
	token, err := client.Token(context.Background(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func mustStats(t *testing.T, client *tokenwell.Client) tokenwell.Stats {
	t.Helper()
	figures, err := client.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return figures
}

// eventually waits for an event that normally happens soon. It waits long enough for a busy
// machine.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("did not happen within a minute: %s", what)
		}
	}
}
