package tokenwell_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

func TestN15TheStringFormJoinsMessageAndHint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ message, hint, expected string }{
		{"no credential was provided", "Check the setting.", "tokenwell: NOT_CONFIGURED: no credential was provided (Check the setting.)"},
		{"no credential was provided.", "Check the setting.", "tokenwell: NOT_CONFIGURED: no credential was provided (Check the setting.)"},
		{"no credential was provided", "", "tokenwell: NOT_CONFIGURED: no credential was provided"},
		{"no credential was provided.", "", "tokenwell: NOT_CONFIGURED: no credential was provided."},
	} {
		err := &tokenwell.Error{Code: tokenwell.CodeNotConfigured, Name: "NOT_CONFIGURED", Message: c.message, Hint: c.hint}
		if err.Error() != c.expected {
			t.Errorf("%q, expected %q", err.Error(), c.expected)
		}
	}
}

func TestN15TheStringFormOfALibraryErrorIsPunctuated(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]tokenwell.Option{
		"no settings":      nil,
		"unknown setting":  {tokenwell.WithSetting("color", "blue")},
		"invalid setting":  {tokenwell.WithClientID("a\x00")},
		"refused setting":  {tokenwell.WithBaseURL("http://atlas.example")},
		"negative timeout": {tokenwell.WithTimeout(-1)},
	} {
		client, err := tokenwell.New(options...)
		if err == nil {
			_, err = client.Token(t.Context())
			_ = client.Close()
		}
		var problem *tokenwell.Error
		if !errors.As(err, &problem) || problem.Hint == "" || !strings.HasSuffix(problem.Error(), ".)") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, wrong := range []string{"..", ". (", ".;", ".,", "%!", "()"} {
			if strings.Contains(problem.Error(), wrong) {
				t.Errorf("%s: the string form contains %q: %v", name, wrong, err)
			}
		}
	}
}

func TestAnErrorHasTheOAuthCodeOfTheReply(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client(tokenwell.WithClientSecret("mdb_sa_sk_wrong"))

	problem := failedGet(t, client)

	if problem.OAuthCode != "invalid_client" || problem.Attempts != 1 || problem.IsRemembered || problem.Age != 0 {
		t.Errorf("%+v", problem)
	}
}

func TestAnErrorThatIsReturnedAgainIsRemembered(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.stoppedClock()
	atlas.faults(map[string]any{"path": "/api/oauth/token", "status": 429, "headers": map[string]string{"Retry-After": "30"}, "body": "slow down"})

	first := failedGet(t, client)
	atlas.advance(client, 1500*time.Millisecond)
	second := failedGet(t, client)

	if first.IsRemembered || first.Age != 0 || first.Attempts != 1 || first.OAuthCode != "" {
		t.Errorf("first: %+v", first)
	}
	if !second.IsRemembered || second.Age != 1500*time.Millisecond || second.Attempts != 1 {
		t.Errorf("second: %+v", second)
	}
	if counted := atlas.counters(); counted.TokenRequests != 1 {
		t.Errorf("%d token requests", counted.TokenRequests)
	}
}

func TestAnErrorCountsTheRetries(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.stoppedClock(tokenwell.WithTimeout(30 * time.Second))
	atlas.faults(map[string]any{"path": "/api/oauth/token", "status": 503})

	problem := failedGet(t, client)

	if requests := atlas.counters().TokenRequests; problem.Attempts != requests || requests < 2 {
		t.Errorf("%d attempts, %d requests", problem.Attempts, requests)
	}
}

func TestAnErrorWithoutARequestHasNoAttempts(t *testing.T) {
	t.Parallel()
	_, err := tokenwell.New()

	var problem *tokenwell.Error
	if !errors.As(err, &problem) || problem.Attempts != 0 || problem.OAuthCode != "" || problem.IsRemembered || problem.Age != 0 {
		t.Errorf("%+v", problem)
	}
}

func failedGet(t *testing.T, client *tokenwell.Client) *tokenwell.Error {
	t.Helper()
	_, err := client.Token(context.Background())
	var problem *tokenwell.Error
	if !errors.As(err, &problem) {
		t.Fatalf("not an *Error: %v", err)
	}
	return problem
}
