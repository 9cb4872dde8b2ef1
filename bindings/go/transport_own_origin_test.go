package tokenwell_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
	starting "github.com/tokenwell/tokenwell/bindings/go/internal/emulator"
)

const orgs = "/api/atlas/v2/orgs"

var repository = filepath.Join("..", "..")

// ownOrigin starts an emulator and returns it with a client, and an http.Client whose transport got
// no origin.
func ownOrigin(t *testing.T) (starting.Account, *tokenwell.Client, *http.Client) {
	t.Helper()
	account := starting.Start(t, repository)
	client, err := tokenwell.New(
		tokenwell.WithBaseURL(account.BaseURL), tokenwell.WithClientID(account.ClientID), tokenwell.WithClientSecret(account.ClientSecret),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return account, client, &http.Client{Transport: client.RoundTripper(nil, "")}
}

// call sends a request to the Admin API and returns the status and the body of the reply.
func call(t *testing.T, program *http.Client, method, url string, body io.Reader) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/vnd.atlas.2024-08-05+json")
	request.Header.Set("Content-Type", "application/vnd.atlas.2024-08-05+json")
	response, err := program.Do(request)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, string(reply)
}

func TestWithoutAnOriginTheTokenGoesToTheClientsOwnOriginOnly(t *testing.T) {
	t.Parallel()
	account, _, program := ownOrigin(t)
	elsewhere := startResource(t, func(string, int) int { return http.StatusOK })

	status, reply := call(t, program, "GET", account.BaseURL+orgs, nil)
	call(t, program, "GET", elsewhere.URL, nil)

	if status != http.StatusOK || !strings.Contains(reply, `"totalCount"`) {
		t.Errorf("%d %s", status, reply)
	}
	if len(elsewhere.headers) != 1 || elsewhere.headers[0] != "" {
		t.Errorf("another origin saw %d requests, or the token", len(elsewhere.headers))
	}
}

func TestI7WithoutAnOriginARedirectToAnotherOriginIsSentWithoutTheToken(t *testing.T) {
	t.Parallel()
	account, _, program := ownOrigin(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		elsewhere := startResource(t, func(string, int) int { return http.StatusUnauthorized })
		account.Fault(t, map[string]any{"path": orgs, "redirect": elsewhere.URL, "redirect_status": status})

		call(t, program, "POST", account.BaseURL+orgs, strings.NewReader("body"))

		if len(elsewhere.headers) != 1 || elsewhere.headers[0] != "" {
			t.Errorf("%d: another origin saw %d requests, or the token", status, len(elsewhere.headers))
		}
	}
	if counted := account.Counters(t); counted.TokenRequests != 1 {
		t.Errorf("a 401 from another origin caused %d token requests", counted.TokenRequests-1)
	}
}

func TestWithoutAnOriginAndWithoutABaseURLNothingIsSent(t *testing.T) {
	t.Parallel()
	generic, err := tokenwell.New(
		tokenwell.WithTokenURL("https://login.example.com/token"), tokenwell.WithClientID("id"), tokenwell.WithClientSecret("secret"),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer generic.Close()
	for name, client := range map[string]*tokenwell.Client{"token_url": generic, "tokenwell.New": {}} {
		base := &recorder{}
		body := &closing{Reader: strings.NewReader("body")}

		_, err := client.RoundTripper(base, "").RoundTrip(httptest.NewRequest("POST", "https://login.example.com/", body))

		if !errors.Is(err, tokenwell.ErrInvalidArgument) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if len(base.seen) != 0 || !body.closed {
			t.Errorf("%s: sent %d requests, body closed: %v", name, len(base.seen), body.closed)
		}
	}
}

func TestARevokedTokenIsReplacedAndTheWholeRequestIsSentOnceMore(t *testing.T) {
	t.Parallel()
	account, client, program := ownOrigin(t)
	account.Revoke(t, mustToken(t, client).Value())
	before := account.Counters(t)

	// The body must arrive complete, or the API would not create the account.
	status, reply := call(t, program, "POST", account.BaseURL+orgs+"/"+account.OrgID+"/serviceAccounts",
		strings.NewReader(`{"name":"replayed","description":"the second request has the body","roles":["ORG_MEMBER"],"secretExpiresAfterHours":8}`))

	if status != http.StatusCreated || !strings.Contains(reply, `"replayed"`) {
		t.Errorf("%d %s", status, reply)
	}
	after := account.Counters(t)
	if after.APIRequests-before.APIRequests != 2 || after.TokenRequests-before.TokenRequests != 1 {
		t.Errorf("%+v, then %+v", before, after)
	}
	if stats := mustStats(t, client); stats.Invalidations != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestTheExamplePrintsTheOrganizationsBeforeAndAfterItsTokenWasRevoked(t *testing.T) {
	t.Parallel()
	account := starting.Start(t, repository)
	example := account.BuildExample(t, repository, "http_client")

	before := example.Run(t)
	account.Revoke(t, example.Token(t))
	counted := account.Counters(t)
	after := example.Run(t)

	if !strings.HasPrefix(before, account.OrgID+" ") || after != before {
		t.Errorf("%q, then %q", before, after)
	}
	if again := account.Counters(t); counted.APIRequests != 1 || again.APIRequests != 3 || again.TokenRequests != 2 {
		t.Errorf("%+v, then %+v", counted, again)
	}
}

func TestRequestsThatGet401TogetherInvalidateOnce(t *testing.T) {
	t.Parallel()
	account, client, program := ownOrigin(t)
	account.Revoke(t, mustToken(t, client).Value())
	const count = 24
	var succeeded atomic.Int32

	inParallel(count, func() {
		if status, _ := call(t, program, "GET", account.BaseURL+orgs, nil); status == http.StatusOK {
			succeeded.Add(1)
		}
	})

	stats := mustStats(t, client)
	if succeeded.Load() != count || stats.Invalidations != 1 || account.Counters(t).TokenRequests != 2 {
		t.Errorf("%d of %d succeeded, %d token requests, %+v", succeeded.Load(), count, account.Counters(t).TokenRequests, stats)
	}
}

func TestARequestWithItsOwnAuthorizationIsLeftAlone(t *testing.T) {
	t.Parallel()
	account, client, _ := ownOrigin(t)
	transport := client.RoundTripper(nil, "")
	for _, name := range []string{"Authorization", "authorization", "AUTHORIZATION"} {
		request, err := http.NewRequest("GET", account.BaseURL+orgs, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header[name] = []string{"Bearer of-the-program"}

		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()

		if response.StatusCode != http.StatusUnauthorized || request.Header[name][0] != "Bearer of-the-program" {
			t.Errorf("%s: %s", name, response.Status)
		}
	}
	if counted := account.Counters(t); counted.APIRequests != 3 || counted.TokenRequests != 0 {
		t.Errorf("%+v", counted)
	}
}

func TestA403IsReturnedAndTheTokenIsKept(t *testing.T) {
	t.Parallel()
	account, client, program := ownOrigin(t)
	account.Fault(t, map[string]any{"path": orgs, "status": 403})

	status, _ := call(t, program, "GET", account.BaseURL+orgs, nil)

	counted, stats := account.Counters(t), mustStats(t, client)
	if status != http.StatusForbidden || counted.APIRequests != 1 || counted.TokenRequests != 1 || stats.Invalidations != 0 {
		t.Errorf("%d, %+v, %+v", status, counted, stats)
	}
}

func TestABodyIsCompleteAfterARedirectAndA401(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, r.URL.Path+" "+string(body))
		switch {
		case r.Header.Get("Authorization") == "":
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/first":
			http.Redirect(w, r, "/second", http.StatusTemporaryRedirect)
		case len(bodies) == 2:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	program := http.Client{Transport: client.RoundTripper(nil, server.URL)}

	status, _ := call(t, &program, "POST", server.URL+"/first", strings.NewReader("the body"))

	if seen := strings.Join(bodies, ", "); status != http.StatusOK || seen != "/first the body, /second the body, /second the body" {
		t.Errorf("%d: %s", status, seen)
	}
}

func TestABodyThatGetBodyCannotReturnAgainIsNotSentAgain(t *testing.T) {
	t.Parallel()
	account, client, program := ownOrigin(t)
	account.Fault(t, map[string]any{"path": orgs, "status": 401, "times": 1})
	request, err := http.NewRequest("POST", account.BaseURL+orgs, strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	request.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("the file is gone") }

	response, err := program.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()

	counted, stats := account.Counters(t), mustStats(t, client)
	if response.StatusCode != http.StatusUnauthorized || counted.APIRequests != 1 || stats.Invalidations != 1 {
		t.Errorf("%s, %+v, %+v", response.Status, counted, stats)
	}
}

func TestTheErrorOfARequestWrapsThatOfTheToken(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	program := http.Client{Transport: atlas.client(tokenwell.WithClientSecret("mdb_sa_sk_wrong")).RoundTripper(nil, "")}

	_, err := program.Get(atlas.base + orgs)

	var problem *tokenwell.Error
	if !errors.Is(err, tokenwell.ErrCredentialRejected) || !errors.As(err, &problem) || problem.OAuthCode != "invalid_client" {
		t.Errorf("%v", err)
	}
}
