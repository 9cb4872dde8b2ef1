package tokenwell_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

func TestATokenHasItsHeaderAndItsExpiry(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()

	before := time.Now()
	token := mustToken(t, client)
	header, err := client.Authorization(context.Background())

	if err != nil || token.Value() == "" || header != "Bearer "+token.Value() || token.Authorization() != header {
		t.Errorf("the header does not contain the token, or: %v", err)
	}
	if left := token.ExpiresAt().Sub(before); left < 55*time.Minute || left > 61*time.Minute {
		t.Errorf("the token expires after %v, expected about an hour", left)
	}
	if token.Generation() != client.Generation() {
		t.Errorf("generation of the token %d, of the client %d", token.Generation(), client.Generation())
	}
}

func TestAFreshTokenIsReturnedFromTheLocalCopy(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	first := mustToken(t, client)
	before := mustStats(t, client)

	for range 1000 {
		if mustToken(t, client) != first {
			t.Fatal("another token was returned")
		}
	}

	if after := mustStats(t, client); after != before {
		t.Errorf("the library was called: %+v, then %+v", before, after)
	}
}

func TestTheFastPathDoesNotAllocate(t *testing.T) {
	atlas := startEmulator(t)
	client := atlas.client()
	mustToken(t, client)
	ctx := context.Background()

	header := testing.AllocsPerRun(1000, func() { _, _ = client.Authorization(ctx) })
	token := testing.AllocsPerRun(1000, func() { _, _ = client.Token(ctx) })

	if header != 0 || token != 0 {
		t.Errorf("allocations: Authorization %v, Token %v", header, token)
	}
}

func TestAnInvalidatedTokenIsNotReturnedAgain(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	first := mustToken(t, client)
	generation := client.Generation()

	if err := client.Invalidate(context.Background(), first); err != nil {
		t.Fatal(err)
	}
	second := mustToken(t, client)

	if second.Value() == first.Value() {
		t.Error("the invalidated token was returned again")
	}
	if client.Generation() == generation {
		t.Error("the generation did not change")
	}
	if figures := mustStats(t, client); figures.Invalidations != 1 || figures.Mints != 2 {
		t.Errorf("stats %+v", figures)
	}
}

func TestInvalidatingATokenThatIsNotCurrentDropsNothing(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	token := mustToken(t, client)

	if err := client.InvalidateValue(context.Background(), "another"); err != nil {
		t.Fatal(err)
	}

	if mustToken(t, client).Value() != token.Value() || atlas.counters().TokenRequests != 1 {
		t.Error("the current token was dropped")
	}
	if err := client.Invalidate(context.Background(), nil); !errors.Is(err, tokenwell.ErrInvalidArgument) {
		t.Errorf("a nil token: %v", err)
	}
}

func TestAnInvalidationReturnsWhenTheContextIsDone(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	token := mustToken(t, client)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()

	if err := client.Invalidate(ctx, token); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestForceRefreshReplacesTheCurrentToken(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	first := mustToken(t, client)

	forced := mustToken(t, client, tokenwell.ForceRefresh())

	if forced.Value() == first.Value() || mustToken(t, client).Value() != forced.Value() {
		t.Error("the forced token is not the new current one")
	}
}

func TestMinTTLIsRequired(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.stoppedClock()
	first := mustToken(t, client)
	atlas.advance(client, 30*time.Minute)

	enough := mustToken(t, client, tokenwell.MinTTL(29*time.Minute))
	longer := mustToken(t, client, tokenwell.MinTTL(45*time.Minute))

	if enough.Value() != first.Value() {
		t.Error("a token that is valid for long enough was replaced")
	}
	if longer.Value() == first.Value() {
		t.Error("a token that expires too soon was returned")
	}
}

func TestRevokeRevokesTheTokenAtTheServer(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	first := mustToken(t, client)

	if err := client.Revoke(context.Background()); err != nil {
		t.Fatal(err)
	}

	if counted := atlas.counters(); counted.RevokeRequests != 1 || counted.LiveTokens != 0 {
		t.Errorf("counters %+v", counted)
	}
	if mustToken(t, client).Value() == first.Value() {
		t.Error("the revoked token was returned again")
	}
}

func TestAnErrorHasAllFieldsOfTheLibrarysError(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.stoppedClock()
	atlas.faults(map[string]any{"path": "/api/oauth/token", "status": 429, "headers": map[string]string{"Retry-After": "30"}, "body": "slow down"})

	_, err := client.Token(context.Background())

	var problem *tokenwell.Error
	if !errors.As(err, &problem) {
		t.Fatalf("not an *Error: %v", err)
	}
	if problem.Code != tokenwell.CodeRateLimited || problem.Name != "RATE_LIMITED" || problem.Code.String() != "RATE_LIMITED" || problem.HTTPStatus != 429 {
		t.Errorf("%+v", problem)
	}
	if !problem.RetryAfterKnown || problem.RetryAfter < 30*time.Second || problem.RetryAfter > 40*time.Second {
		t.Errorf("retry after %v, known %v", problem.RetryAfter, problem.RetryAfterKnown)
	}
	if problem.Message == "" || problem.Hint == "" || !strings.Contains(err.Error(), problem.Message) || !strings.Contains(err.Error(), problem.Hint) {
		t.Errorf("Error() shows too little: %q", err.Error())
	}
}

func TestErrorsMatchTheSentinelOfTheirCodeAndNoOther(t *testing.T) {
	t.Parallel()
	sentinels := map[tokenwell.Code]error{
		tokenwell.CodeInvalidArgument: tokenwell.ErrInvalidArgument, tokenwell.CodeNotConfigured: tokenwell.ErrNotConfigured,
		tokenwell.CodeCredentialRejected: tokenwell.ErrCredentialRejected, tokenwell.CodeTokenLimit: tokenwell.ErrTokenLimit,
		tokenwell.CodeRateLimited: tokenwell.ErrRateLimited, tokenwell.CodeNetwork: tokenwell.ErrNetwork, tokenwell.CodeTLS: tokenwell.ErrTLS,
		tokenwell.CodeDeadline: tokenwell.ErrDeadline, tokenwell.CodeServer: tokenwell.ErrServer, tokenwell.CodeProtocol: tokenwell.ErrProtocol,
		tokenwell.CodeRefused: tokenwell.ErrRefused, tokenwell.CodeClosed: tokenwell.ErrClosed, tokenwell.CodeInternal: tokenwell.ErrInternal,
	}
	if len(sentinels) != 13 {
		t.Fatalf("%d sentinels", len(sentinels))
	}
	for code := range sentinels {
		wrapped := fmt.Errorf("outer: %w", &tokenwell.Error{Code: code})
		for other, sentinel := range sentinels {
			if errors.Is(wrapped, sentinel) != (code == other) {
				t.Errorf("%v against %v", code, sentinel)
			}
		}
		if errors.Is(wrapped, context.DeadlineExceeded) != (code == tokenwell.CodeDeadline) {
			t.Errorf("%v against context.DeadlineExceeded", code)
		}
		if code.String() == "UNKNOWN" {
			t.Errorf("the library does not know code %d", code)
		}
	}
}

func TestAnUnknownSettingIsRejectedByItsName(t *testing.T) {
	t.Parallel()

	_, err := tokenwell.New(tokenwell.WithSetting("no_such_setting", "1"))

	if !errors.Is(err, tokenwell.ErrInvalidArgument) || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("%v", err)
	}
}

func TestNegativeDurationsAreRejectedByTheirName(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.stoppedClock()

	_, timeout := tokenwell.New(tokenwell.WithTimeout(-1))
	_, minTTL := client.Token(context.Background(), tokenwell.MinTTL(-time.Second))
	advance := client.AdvanceClock(-1)

	for name, err := range map[string]error{"timeout": timeout, "min_ttl": minTTL, "advance": advance} {
		if !errors.Is(err, tokenwell.ErrInvalidArgument) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if atlas.counters().Connections != 0 {
		t.Error("something was sent")
	}
}

func TestAMinTTLLongerThanATokensLifetimeIsAnError(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()

	_, err := client.Token(context.Background(), tokenwell.MinTTL(1<<63-1))

	if !errors.Is(err, tokenwell.ErrInvalidArgument) {
		t.Errorf("%v", err)
	}
}

func TestStringsArePassedUnchanged(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a\x00b", "a\nb", ""} {
		_, err := tokenwell.New(tokenwell.WithClientID(id), tokenwell.WithClientSecret("s"))

		var problem *tokenwell.Error
		if !errors.As(err, &problem) {
			t.Errorf("client id %q: %v", id, err)
		}
	}
}

func TestOptionsReachTheServer(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client, err := tokenwell.New(
		tokenwell.WithTokenURL(atlas.base+"/api/oauth/token"), tokenwell.WithRevocationURL(atlas.base+"/api/oauth/revoke"),
		tokenwell.WithClientID(atlas.id), tokenwell.WithClientSecret(atlas.secret), tokenwell.WithAuthMethod(tokenwell.ClientSecretPost),
		tokenwell.WithScope("one two"), tokenwell.WithAudience("api://admin"), tokenwell.WithResource("https://api.example/"), tokenwell.WithTimeout(20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	// Atlas accepts Basic only, so this request may fail. The test checks only what was sent.
	_, _ = client.Token(context.Background())

	body := atlas.lastTokenRequest().Body
	for _, part := range []string{"client_id=" + atlas.id, "scope=one+two", "audience=api%3A%2F%2Fadmin", "resource=https%3A%2F%2Fapi.example%2F"} {
		if !strings.Contains(body, part) {
			t.Errorf("the request lacks %s", part)
		}
	}
}

func TestTheEnvironmentSetsWhatNoOptionSets(t *testing.T) {
	atlas := startEmulator(t)
	t.Setenv("MONGODB_ATLAS_BASE_URL", atlas.base)
	t.Setenv("MONGODB_ATLAS_CLIENT_ID", atlas.id)
	t.Setenv("MONGODB_ATLAS_CLIENT_SECRET", atlas.secret)

	client, err := tokenwell.NewFromEnv(tokenwell.WithTimeout(30 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	if mustToken(t, client).Value() == "" {
		t.Error("no token")
	}
	if _, err := tokenwell.New(); !errors.Is(err, tokenwell.ErrNotConfigured) {
		t.Errorf("New read the environment: %v", err)
	}
}

func TestTheErrorOfTheZeroClientNamesNew(t *testing.T) {
	t.Parallel()
	var client tokenwell.Client

	_, get := client.Token(context.Background())
	_, stats := client.Stats()

	for _, err := range []error{get, stats, client.Close(), client.InvalidateValue(context.Background(), "x"), client.Revoke(context.Background()), client.AdvanceClock(1)} {
		if !errors.Is(err, tokenwell.ErrInvalidArgument) || !strings.Contains(err.Error(), "tokenwell.New") {
			t.Errorf("%v", err)
		}
	}
	if client.Generation() != 0 {
		t.Error("the zero client has a generation")
	}
}

func TestATokenThatMayNotBeCachedIsNotReturnedTwice(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	atlas.post("/_emulator/settings", map[string]any{"expires_in": 0})

	first, second := mustToken(t, client), mustToken(t, client)

	if first.Value() == second.Value() {
		t.Error("the token was cached")
	}
}
