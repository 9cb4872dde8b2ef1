package oauth2_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
	"github.com/tokenwell/tokenwell/bindings/go/internal/emulator"
	"github.com/tokenwell/tokenwell/bindings/go/oauth2"
	xoauth2 "golang.org/x/oauth2"
)

func TestMain(m *testing.M) {
	// Tests must not share tokens through the cache.
	os.Setenv("TOKENWELL_CACHE", "off")
	os.Exit(m.Run())
}

var (
	repository = filepath.Join("..", "..", "..")
	background = context.Background()
)

const orgs = "/api/atlas/v2/orgs"

func start(t *testing.T, more ...tokenwell.Option) (emulator.Account, *tokenwell.Client) {
	t.Helper()
	account := emulator.Start(t, repository)
	client, err := tokenwell.New(append([]tokenwell.Option{
		tokenwell.WithBaseURL(account.BaseURL), tokenwell.WithClientID(account.ClientID), tokenwell.WithClientSecret(account.ClientSecret),
	}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return account, client
}

func mustToken(t *testing.T, from xoauth2.TokenSource) *xoauth2.Token {
	t.Helper()
	token, err := from.Token()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// get sends a request to the Admin API and returns the status and the body of the reply.
func get(t *testing.T, program *http.Client, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/vnd.atlas.2024-08-05+json")
	response, err := program.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(reply)
}

func TestAClientSendsARequestOnceMoreAfterItsTokenWasRevoked(t *testing.T) {
	t.Parallel()
	account, client := start(t)
	program := oauth2.NewClient(background, client)

	statusBefore, before := get(t, program, account.BaseURL+orgs)
	account.Revoke(t, mustToken(t, oauth2.TokenSource(background, client)).AccessToken)
	statusAfter, after := get(t, program, account.BaseURL+orgs)

	if statusBefore != http.StatusOK || statusAfter != http.StatusOK || before != after || !strings.Contains(after, `"results"`) {
		t.Errorf("%d %s, then %d %s", statusBefore, before, statusAfter, after)
	}
	if counted := account.Counters(t); counted.APIRequests != 3 || counted.TokenRequests != 2 {
		t.Errorf("%+v", counted)
	}
}

func TestAClientSendsTheTokenToNoOtherOrigin(t *testing.T) {
	t.Parallel()
	account, client := start(t)
	var received []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		received = append(received, r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	account.Fault(t, map[string]any{"path": orgs, "redirect": elsewhere.URL})
	program := oauth2.NewClient(background, client)

	get(t, program, elsewhere.URL)
	get(t, program, account.BaseURL+orgs)

	if len(received) != 2 || received[0] != "" || received[1] != "" {
		t.Errorf("another origin saw %d requests, or the token", len(received))
	}
}

func TestAClientHasTheSettingsOfTheHTTPClientInTheContext(t *testing.T) {
	t.Parallel()
	account, client := start(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var sent atomic.Int32
	stop := errors.New("no redirect")
	own := &http.Client{
		Transport: roundTripper(func(request *http.Request) (*http.Response, error) {
			sent.Add(1)
			return http.DefaultTransport.RoundTrip(request)
		}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return stop },
		Jar:           jar,
		Timeout:       time.Minute,
	}

	program := oauth2.NewClient(context.WithValue(background, xoauth2.HTTPClient, own), client)
	status, _ := get(t, program, account.BaseURL+orgs)

	if status != http.StatusOK || sent.Load() != 1 {
		t.Errorf("%d, %d requests through the transport of the context", status, sent.Load())
	}
	if program.Jar != jar || program.Timeout != time.Minute || program.CheckRedirect(nil, nil) != stop {
		t.Errorf("%+v", program)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func TestATokenSourceReturnsTheCurrentTokenAndKeepsNone(t *testing.T) {
	t.Parallel()
	account, client := start(t)
	source := oauth2.TokenSource(background, client)

	first, same := mustToken(t, source), mustToken(t, source)
	if err := client.InvalidateValue(background, first.AccessToken); err != nil {
		t.Fatal(err)
	}
	second := mustToken(t, source)

	if first.AccessToken != same.AccessToken || first.AccessToken == second.AccessToken {
		t.Error("a token was replaced too early, or kept after it was invalidated")
	}
	if !first.Valid() || first.Type() != "Bearer" || first.RefreshToken != "" {
		t.Errorf("valid: %v, type %s", first.Valid(), first.Type())
	}
	if counted := account.Counters(t); counted.TokenRequests != 2 {
		t.Errorf("%+v", counted)
	}
}

func TestReuseTokenSourceKeepsATokenForOneSecondAtMost(t *testing.T) {
	t.Parallel()
	_, client := start(t)
	start := time.Now()
	reused := xoauth2.ReuseTokenSource(nil, oauth2.TokenSource(background, client))
	first := mustToken(t, reused)
	kept := first.Expiry.Add(-10 * time.Second)
	if err := client.InvalidateValue(background, first.AccessToken); err != nil {
		t.Fatal(err)
	}

	time.Sleep(time.Until(kept))
	second := mustToken(t, reused)

	if late := time.Since(start); kept.Before(start) || kept.After(start.Add(late)) || first.AccessToken == second.AccessToken {
		t.Errorf("kept until %v after the start; the same token after %v: %v", kept.Sub(start), late, first.AccessToken == second.AccessToken)
	}
	if longest := time.Until(second.Expiry); longest > 11*time.Second {
		t.Errorf("kept for %v", longest)
	}
}

func TestATokenThatExpiresEarlierHasItsOwnExpiry(t *testing.T) {
	t.Parallel()
	account := emulator.Start(t, repository, "--token-lifetime", "5")
	client, err := tokenwell.New(
		tokenwell.WithBaseURL(account.BaseURL), tokenwell.WithClientID(account.ClientID), tokenwell.WithClientSecret(account.ClientSecret),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	token := mustToken(t, oauth2.TokenSource(background, client))

	own, err := client.Token(background)
	if err != nil || !token.Expiry.Equal(own.ExpiresAt()) {
		t.Errorf("%v instead of %v, %v", token.Expiry, own.ExpiresAt(), err)
	}
}

func TestATokenSourceCanBeUsedConcurrently(t *testing.T) {
	t.Parallel()
	account, client := start(t)
	source := oauth2.TokenSource(background, client)
	var callers sync.WaitGroup
	for range 100 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			if _, err := source.Token(); err != nil {
				t.Error(err)
			}
		}()
	}

	callers.Wait()

	if counted := account.Counters(t); counted.TokenRequests != 1 {
		t.Errorf("%+v", counted)
	}
}

func TestTheContextOfATokenSourceLimitsTheWait(t *testing.T) {
	t.Parallel()
	account, client := start(t, tokenwell.WithTimeout(10*time.Minute))
	// Longer than the test may take.
	account.Fault(t, map[string]any{"path": "/api/oauth/token", "delay_ms": 600_000, "then_serve": true})
	late, cancelLate := context.WithTimeout(background, 100*time.Millisecond)
	defer cancelLate()
	canceled, cancel := context.WithCancel(background)
	time.AfterFunc(100*time.Millisecond, cancel)

	_, errLate := oauth2.TokenSource(late, client).Token()
	_, errCanceled := oauth2.TokenSource(canceled, client).Token()

	if !errors.Is(errLate, context.DeadlineExceeded) || !errors.Is(errCanceled, context.Canceled) {
		t.Errorf("%v; %v", errLate, errCanceled)
	}
}

func TestTheErrorsAreThoseOfTheClient(t *testing.T) {
	t.Parallel()
	account, client := start(t, tokenwell.WithClientSecret("mdb_sa_sk_wrong"))

	token, errSource := oauth2.TokenSource(background, client).Token()
	_, errClient := oauth2.NewClient(background, client).Get(account.BaseURL + orgs)

	var problem *tokenwell.Error
	if token != nil || !errors.As(errSource, &problem) || problem.OAuthCode != "invalid_client" {
		t.Errorf("%v", errSource)
	}
	if !errors.Is(errClient, tokenwell.ErrCredentialRejected) {
		t.Errorf("%v", errClient)
	}
}

// The two examples that use this module print an answer of the API, before and after the token in
// their shared cache was revoked. The second run sends one request more.
func TestTheExamplesPrintTheOrganizationsBeforeAndAfterTheirTokenWasRevoked(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"oauth2", "atlas_sdk"} {
		account := emulator.Start(t, repository)
		example := account.BuildExample(t, repository, name)

		before := example.Run(t)
		account.Revoke(t, example.Token(t))
		counted := account.Counters(t)
		after := example.Run(t)

		if !strings.HasPrefix(before, account.OrgID+" ") || after != before {
			t.Errorf("%s: %q, then %q", name, before, after)
		}
		if again := account.Counters(t); counted.APIRequests != 1 || again.APIRequests != 3 || again.TokenRequests != 2 {
			t.Errorf("%s: %+v, then %+v", name, counted, again)
		}
	}
}

func ExampleNewClient() {
	client, err := tokenwell.NewFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	api := oauth2.NewClient(context.Background(), client)
	response, err := api.Get(client.BaseURL() + "/api/atlas/v2/orgs")
	if err != nil {
		log.Print(err)
		return
	}
	defer response.Body.Close()
}

func ExampleTokenSource() {
	client, err := tokenwell.NewFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	token, err := oauth2.TokenSource(ctx, client).Token()
	if err != nil {
		log.Print(err)
		return
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, client.BaseURL()+"/api/atlas/v2/orgs", nil)
	if err != nil {
		log.Print(err)
		return
	}
	token.SetAuthHeader(request)
}
