package tokenwell_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

func getOrgs() tokenwell.APIRequest { return tokenwell.APIRequest{Method: "GET", Path: orgs} }

// hangs is a fault: no test waits for this reply.
func hangs() map[string]any {
	return map[string]any{"path": orgs, "delay_ms": 120_000, "then_serve": true}
}

func (e *emulator) waitForAPIRequests(count int) {
	e.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		var counted struct {
			APIRequests int `json:"api_requests"`
		}
		e.get("/_emulator/counters", &counted)
		if counted.APIRequests >= count {
			return
		}
		if time.Now().After(end) {
			e.t.Fatalf("%d API requests instead of %d", counted.APIRequests, count)
		}
	}
}

func TestARequestReturnsTheResponse(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	request := tokenwell.APIRequest{
		Method: "GET", Path: orgs, Version: "2025-03-12", Query: url.Values{"pageNum": {"1"}, "itemsPerPage": {"5"}, "tag": {"a b", "c"}},
	}

	response, err := client.Request(t.Context(), request)

	if err != nil {
		t.Fatal(err)
	}
	var page struct {
		TotalCount int `json:"totalCount"`
	}
	if err := json.Unmarshal(response.Body, &page); err != nil || response.StatusCode != 200 || page.TotalCount != 1 {
		t.Errorf("%d %s, %v", response.StatusCode, response.Body, err)
	}
	if kind := response.Header.Get("content-type"); !strings.HasPrefix(kind, "application/vnd.atlas.") {
		t.Errorf("Content-Type %q", kind)
	}
	var sent struct {
		Query   string            `json:"query"`
		Headers map[string]string `json:"headers"`
	}
	atlas.get("/_emulator/last_request?path="+orgs, &sent)
	if sent.Query != "itemsPerPage=5&pageNum=1&tag=a+b&tag=c" || sent.Headers["accept"] != "application/vnd.atlas.2025-03-12+json" {
		t.Errorf("sent %+v", sent)
	}
}

func TestAnErrorOfTheAPIIsAResponseThatPrintsWithoutItsBody(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	atlas.faults(map[string]any{"path": orgs, "status": 429, "headers": map[string]any{"Retry-After": "7", "X-Two": []string{"a", "b"}}, "body": map[string]any{"secret": "canary"}})
	request := tokenwell.APIRequest{Method: "POST", Path: orgs + "?q=canary", Body: []byte(`{"secret":"canary"}`)}

	response, err := client.Request(t.Context(), request)

	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 429 || string(response.Body) != `{"secret":"canary"}` {
		t.Errorf("%d %s", response.StatusCode, response.Body)
	}
	if response.Header.Get("Retry-After") != "7" || strings.Join(response.Header.Values("X-Two"), " ") != "a b" {
		t.Errorf("%v", response.Header)
	}
	var shown bytes.Buffer
	slog.New(slog.NewJSONHandler(&shown, nil)).Info("got", "response", response, "value", *response, "request", request)
	encoded, _ := json.Marshal(response)
	shown.Write(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		fmt.Fprintf(&shown, verb+verb+verb, response, *response, request)
	}
	if strings.Contains(shown.String(), "canary") || strings.Contains(shown.String(), "63616e617279") {
		t.Error(shown.String())
	}
}

func TestAWrongRequestIsNamedAndNothingIsSent(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	for _, wrong := range []struct {
		request tokenwell.APIRequest
		is      error
		named   string
	}{
		{tokenwell.APIRequest{Method: "GET", Path: "https://evil.example/"}, tokenwell.ErrRefused, "path"},
		{tokenwell.APIRequest{Method: "GET", Path: "/a/../b"}, tokenwell.ErrRefused, "path"},
		{tokenwell.APIRequest{}, tokenwell.ErrInvalidArgument, "method"},
		{tokenwell.APIRequest{Method: "GET"}, tokenwell.ErrInvalidArgument, "path"},
		{tokenwell.APIRequest{Method: "GET", Path: "/\xff"}, tokenwell.ErrInvalidArgument, "path"},
		{tokenwell.APIRequest{Method: "GET", Path: "/", Version: "2025/03"}, tokenwell.ErrInvalidArgument, "version"},
		{tokenwell.APIRequest{Method: "GET", Path: "/", Query: url.Values{"": {"a"}}}, tokenwell.ErrInvalidArgument, "name"},
		{tokenwell.APIRequest{Method: "POST", Path: "/", Body: []byte{}}, tokenwell.ErrInvalidArgument, "body"},
		{tokenwell.APIRequest{Method: "GET", Path: "/", MaxBody: -1}, tokenwell.ErrInvalidArgument, "MaxBody"},
	} {
		if _, err := client.Request(t.Context(), wrong.request); !errors.Is(err, wrong.is) || !strings.Contains(err.Error(), wrong.named) {
			t.Errorf("%v: %v", wrong.request, err)
		}
	}
	if counted := atlas.counters(); counted.Connections != 0 {
		t.Errorf("%+v", counted)
	}
	var none tokenwell.Client
	if _, err := none.Request(t.Context(), getOrgs()); !errors.Is(err, tokenwell.ErrInvalidArgument) {
		t.Errorf("a zero client: %v", err)
	}
}

func TestARequestEndsWithItsContext(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	atlas.faults(hangs())

	late, cancelLate := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancelLate()
	if _, err := client.Request(late, getOrgs()); !errors.Is(err, tokenwell.ErrDeadline) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := client.Request(ctx, getOrgs())
		ended <- err
	}()
	atlas.waitForAPIRequests(2)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := client.Request(ctx, getOrgs()); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled before the call: %v", err)
	}
}

func TestCloseEndsARequest(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	atlas.faults(hangs())
	ended := make(chan error)
	go func() {
		_, err := client.Request(context.Background(), getOrgs())
		ended <- err
	}()
	atlas.waitForAPIRequests(1)

	if err := client.Close(); err != nil {
		t.Fatal(err)
	}

	if err := <-ended; !errors.Is(err, tokenwell.ErrClosed) {
		t.Error(err)
	}
	if _, err := client.Request(t.Context(), getOrgs()); !errors.Is(err, tokenwell.ErrClosed) {
		t.Error(err)
	}
}

func TestManyGoroutinesSendRequests(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	statuses := make(chan int)
	for range 20 {
		go func() {
			response, err := client.Request(context.Background(), getOrgs())
			if err != nil {
				t.Error(err)
				statuses <- 0
				return
			}
			statuses <- response.StatusCode
		}()
	}
	for range 20 {
		if status := <-statuses; status != 200 {
			t.Errorf("status %d", status)
		}
	}
	if counted := atlas.counters(); counted.TokenRequests != 1 {
		t.Errorf("%+v", counted)
	}
}
