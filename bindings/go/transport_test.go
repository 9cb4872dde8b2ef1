package tokenwell_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

// recorder is a base transport that records requests and sends nothing.
type recorder struct{ seen []*http.Request }

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.seen = append(r.seen, request)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: request}, nil
}

// resource is a resource server that records requests and replies with the configured status.
type resource struct {
	*httptest.Server
	mutex   sync.Mutex
	headers []string
	bodies  []string
}

func startResource(t *testing.T, status func(authorization string, count int) int) *resource {
	made := &resource{}
	made.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		made.mutex.Lock()
		made.headers = append(made.headers, r.Header.Get("Authorization"))
		made.bodies = append(made.bodies, string(body))
		count := len(made.headers)
		made.mutex.Unlock()
		w.WriteHeader(status(r.Header.Get("Authorization"), count))
		_, _ = io.WriteString(w, "answer")
	}))
	t.Cleanup(made.Close)
	return made
}

func TestI5TheTokenGoesToThePinnedOriginOnly(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	base := &recorder{}
	transport := atlas.client().RoundTripper(base, "https://cloud.mongodb.com")
	lookAlikes := []string{
		"http://cloud.mongodb.com/", "https://cloud.mongodb.com:80/", "https://cloud.mongodb.com:444/", "https://cloud.mongodb.com:8443/", "http://cloud.mongodb.com:443/",
		"https://cloud.mongodb.com.evil.example/", "https://evil.example/cloud.mongodb.com", "https://evil.example/?https://cloud.mongodb.com", "https://evil.example/#cloud.mongodb.com",
		"https://evilcloud.mongodb.com/", "https://evil-cloud.mongodb.com/", "https://a.cloud.mongodb.com/", "https://cloud.mongodb.com-evil.example/", "https://cloud-mongodb.com/",
		"https://cloudxmongodb.com/", "https://cloud.mongodb.co/", "https://cloud.mongodb.comm/", "https://cloud.mongodb.com./", "https://.cloud.mongodb.com/",
		"https://cloud..mongodb.com/", "https://mongodb.com/", "https://www.mongodb.com/", "https://cloud.mongodbgov.com/", "https://loud.mongodb.com/", "https://cloud/",
		"https://cloud.mongodb.com@evil.example/", "https://user:pass@cloud.mongodb.com/", "https://user@cloud.mongodb.com/", "https://cloud.mongodb.com:443@evil.example/",
		"https://evil.example:443/", "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://xn--cloud-mongodb.com/", "https://cl0ud.mongodb.com/",
		"https://cloud.m0ngodb.com/", "https://cloud.rnongodb.com/", "https://c1oud.mongodb.com/", "https://cloud.mongodb.com:0443/", "https://cloud.mongodb.com:65535/",
		"https://ｃｌｏｕｄ.mongodb.com/", "https://cloud。mongodb.com/", "https://сloud.mongodb.com/", "https://cloud.mongodb.ⅽom/", "https://cloud.mongodb.com\u200b/",
		"https://cloud%2Emongodb.com/", "https://cloud.mongodb.com%2eevil.example/", "https://%63loud.mongodb.com/", "//cloud.mongodb.com/", "ftp://cloud.mongodb.com/", "wss://cloud.mongodb.com/",
		"cloud.mongodb.com", "https:cloud.mongodb.com", "https:///cloud.mongodb.com", "https://",
	}
	// URLs that a program can build but url.Parse never returns.
	byHand := []*url.URL{
		{Scheme: "https", Host: "cloud.mongodb.com\\evil.example"}, {Scheme: "https", Host: "evil.example\\cloud.mongodb.com"}, {Scheme: "https", Host: "cloud.mongodb.com\t"},
		{Scheme: "https", Host: "cloud.mongodb.com\n.evil.example"}, {Scheme: "https", Host: "cloud.mongodb.com\r"}, {Scheme: "https", Host: "cloud.mongodb.com\x00.evil.example"},
		{Scheme: "https", Host: " cloud.mongodb.com"}, {Scheme: "https", Host: "cloud.mongodb.com#evil.example"}, {Scheme: "https", Host: "cloud.mongodb.com?evil.example"},
		{Scheme: "https", Host: "cloud.mongodb.com/evil.example"}, {Scheme: "https", Host: "evil.example@cloud.mongodb.com"}, {Scheme: "https", Host: "[cloud.mongodb.com]x"},
		{Scheme: "https", Host: "cloud.mongodb.com:443:443"}, {Scheme: "https", Host: "cloud.mongodb.com:https"}, {Scheme: "https", Host: "cloud.mongodb.com", Opaque: "//evil.example/"},
		{Scheme: "HTTPS", Host: "cloud.mongodb.com"}, {Scheme: "", Host: "cloud.mongodb.com"}, {Scheme: "https", Host: ""}, {Scheme: "https", Host: "[cloud.mongodb.com]"},
		{Scheme: "https", Host: "cloud.mongodb.com\u212a"}, {Scheme: "https", Host: "cloud.mongodb.com:４４３"}, {},
	}
	for _, raw := range lookAlikes {
		// A URL that url.Parse rejects never becomes a request.
		if parsed, err := url.Parse(raw); err == nil {
			byHand = append(byHand, parsed)
		}
	}
	if len(byHand) < 60 {
		t.Fatalf("only %d look-alikes are left", len(byHand))
	}

	for _, target := range byHand {
		if _, err := transport.RoundTrip(&http.Request{Method: "GET", URL: target, Header: http.Header{}}); err != nil {
			t.Fatal(err)
		}
	}

	for _, request := range base.seen {
		if got := request.Header.Get("Authorization"); got != "" {
			t.Errorf("the token went to %#v", request.URL)
		}
	}
	if len(base.seen) != len(byHand) {
		t.Errorf("%d of %d requests were passed on", len(base.seen), len(byHand))
	}
	if atlas.counters().Connections != 0 {
		t.Error("a token was requested for them")
	}
}

// lookAlikes returns the library's test table: base URLs, each with the resulting origin or status
// name.
func lookAlikes(t *testing.T) map[string]string {
	t.Helper()
	table, err := os.ReadFile(filepath.Join("..", "..", "src", "config", "look_alikes.json"))
	if err != nil {
		t.Fatal(err)
	}
	var groups []struct{ URLs map[string]string }
	if err := json.Unmarshal(table, &groups); err != nil {
		t.Fatal(err)
	}
	urls := make(map[string]string)
	for _, group := range groups {
		maps.Copy(urls, group.URLs)
	}
	if len(urls) < 60 {
		t.Fatalf("only %d look-alikes", len(urls))
	}
	return urls
}

func TestI5AnOriginIsPinnedAsTheLibraryReadsIt(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	for origin, expected := range lookAlikes(t) {
		base := &recorder{}
		transport := client.RoundTripper(base, origin)
		target := expected
		if !strings.Contains(expected, "://") {
			target = "https://cloud.mongodb.com"
		}
		request, err := http.NewRequest("GET", target, nil)
		if err != nil {
			t.Fatal(err)
		}

		_, err = transport.RoundTrip(request)

		switch expected {
		case "INVALID_ARGUMENT", "REFUSED":
			var problem *tokenwell.Error
			if !errors.As(err, &problem) || problem.Name != expected || len(base.seen) != 0 {
				t.Errorf("%q: %v, and not %s", origin, err, expected)
			}
		default:
			if err != nil || base.seen[0].Header.Get("Authorization") == "" {
				t.Errorf("%q: %v, or no token for %s", origin, err, expected)
			}
		}
	}
}

func TestI5ARequestGetsTheTokenWhereTheLibraryReadsThePinnedOrigin(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	const pinned = "https://cloud.mongodb.com"
	for target, read := range lookAlikes(t) {
		parsed, err := url.Parse(target)
		if err != nil {
			continue // A URL that url.Parse rejects never becomes a request.
		}
		base := &recorder{}

		if _, err := client.RoundTripper(base, pinned).RoundTrip(&http.Request{Method: "GET", URL: parsed, Header: http.Header{}}); err != nil {
			t.Fatal(err)
		}

		// A request may have a path and a fragment, so URLs that the library rejects only for those
		// are skipped.
		plain := parsed.Scheme == "https" && strings.EqualFold(parsed.Host, "cloud.mongodb.com") && parsed.User == nil && parsed.Opaque == ""
		if got := base.seen[0].Header.Get("Authorization") != ""; got != (read == pinned || plain) {
			t.Errorf("%q, which the library reads as %s, got the token: %v", target, read, got)
		}
	}
}

func TestI5TheHostHeaderMayNotNameAnotherSite(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	base := &recorder{}
	transport := atlas.client().RoundTripper(base, "https://cloud.mongodb.com")
	request := httptest.NewRequest("GET", "https://cloud.mongodb.com/", nil)
	request.Host = "evil.example"

	if _, err := transport.RoundTrip(request); err != nil {
		t.Fatal(err)
	}

	if base.seen[0].Header.Get("Authorization") != "" {
		t.Error("the token went to another site of the server")
	}
}

func TestOtherSpellingsOfTheSameOriginGetTheToken(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	base := &recorder{}
	for origin, target := range map[string]string{
		"https://cloud.mongodb.com":      "https://cloud.mongodb.com/api/atlas/v2/orgs?pretty=true#x",
		"https://cloud.mongodb.com/":     "https://cloud.mongodb.com:443/",
		"https://cloud.mongodb.com:443":  "https://CLOUD.mongodb.com/",
		"https://CLOUD.mongodb.com:8443": "https://cloud.mongodb.com:8443/",
		"http://127.0.0.1:8080":          "http://127.0.0.1:8080/",
		"http://localhost":               "http://localhost:80/",
		"http://[::1]:1234":              "http://[::1]:1234/",
	} {
		request, err := http.NewRequest("GET", target, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.RoundTripper(base, origin).RoundTrip(request)
		if err != nil {
			t.Fatalf("%s: %v", origin, err)
		}
		sent := base.seen[len(base.seen)-1]
		if sent.Header.Get("Authorization") != mustToken(t, client).Authorization() {
			t.Errorf("%s did not get the token of %s", target, origin)
		}
		if request.Header.Get("Authorization") != "" || response.Request.Header.Get("Authorization") != "" {
			t.Error("the token is in the caller's request")
		}
	}
}

func TestI6AnUnusableOriginFailsEveryRequestAndSendsNothing(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	for origin, expected := range map[string]error{
		"cloud.mongodb.com":                      tokenwell.ErrInvalidArgument,
		"https://":                               tokenwell.ErrInvalidArgument,
		"https://user:hunter2@cloud.mongodb.com": tokenwell.ErrRefused,
		"https://cloud.mongodb.com/path":         tokenwell.ErrInvalidArgument,
		"https://cloud.mongodb.com?":             tokenwell.ErrInvalidArgument,
		"https://cloud.mongodb.com/?a=hunter2":   tokenwell.ErrInvalidArgument,
		"https://cloud.mongodb.com#":             tokenwell.ErrInvalidArgument,
		"https://cloud.mongodb.com\\@hunter2":    tokenwell.ErrInvalidArgument,
		" https://cloud.mongodb.com":             tokenwell.ErrInvalidArgument,
		"https://cloud.mongodb.com\n":            tokenwell.ErrInvalidArgument,
		"https://cloud.mongodb.com:port":         tokenwell.ErrInvalidArgument,
		"https://сloud.mongodb.com":              tokenwell.ErrInvalidArgument,
		"ftp://cloud.mongodb.com":                tokenwell.ErrInvalidArgument,
		"http://cloud.mongodb.com":               tokenwell.ErrRefused,
		"http://127.0.0.1.evil.example":          tokenwell.ErrRefused,
		"http://localhost.evil.example":          tokenwell.ErrRefused,
	} {
		base := &recorder{}
		body := &closing{Reader: strings.NewReader("body")}
		request, err := http.NewRequest("POST", "https://cloud.mongodb.com/", body)
		if err != nil {
			t.Fatal(err)
		}

		_, err = client.RoundTripper(base, origin).RoundTrip(request)

		if !errors.Is(err, expected) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", origin, err)
		}
		if len(base.seen) != 0 || !body.closed {
			t.Errorf("%q: sent %d requests, body closed %v", origin, len(base.seen), body.closed)
		}
	}
}

func TestI7ARedirectToAnotherOriginIsSentWithoutTheToken(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		elsewhere := startResource(t, func(string, int) int { return http.StatusOK })
		pinned := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		t.Cleanup(pinned.Close)
		program := http.Client{Transport: atlas.client().RoundTripper(nil, pinned.URL)}

		response, err := program.Get(pinned.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()

		if len(elsewhere.headers) != 1 || elsewhere.headers[0] != "" {
			t.Errorf("%d: the other server saw %d requests, with Authorization: %v", status, len(elsewhere.headers), elsewhere.headers[0] != "")
		}
	}
}

func TestI7NoServerOfAChainOfRedirectsGetsTheTokenOfAnother(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	for _, last := range []string{"foreign", "api"} {
		var mutex sync.Mutex
		var received []string
		var urls map[string]string
		start := func(name, firstTarget string) string {
			server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
				mutex.Lock()
				defer mutex.Unlock()
				_, hasToken := request.Header["Authorization"]
				received = append(received, fmt.Sprint(name, request.URL.Path, " ", hasToken))
				if request.URL.Path != "/last" {
					http.Redirect(writer, request, urls[firstTarget], http.StatusTemporaryRedirect)
				}
			}))
			t.Cleanup(server.Close)
			return server.URL
		}
		api, foreign := start("api", "first"), start("foreign", "second")
		urls = map[string]string{"first": foreign + "/first", "second": map[string]string{"api": api, "foreign": foreign}[last] + "/last"}
		program := http.Client{Transport: atlas.client().RoundTripper(nil, api)}

		response, err := program.Get(api + "/")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()

		// A request for the API has the token, whichever server it follows.
		want := []string{"api/ true", "foreign/first false", fmt.Sprint(last, "/last ", last == "api")}
		if !slices.Equal(received, want) {
			t.Errorf("the servers received %v, want %v", received, want)
		}
	}
}

func TestARequestIsSentAgainWithANewTokenAfter401(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	refused := mustToken(t, client).Authorization()
	server := startResource(t, func(authorization string, _ int) int {
		if authorization == refused {
			return http.StatusUnauthorized
		}
		return http.StatusOK
	})
	program := http.Client{Transport: client.RoundTripper(nil, server.URL)}

	response, err := program.Post(server.URL, "text/plain", strings.NewReader("the body"))
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(response.Body)
	response.Body.Close()

	if response.StatusCode != http.StatusOK || string(answer) != "answer" {
		t.Errorf("%s %q", response.Status, answer)
	}
	if len(server.headers) != 2 || server.headers[0] != refused || server.headers[1] != mustToken(t, client).Authorization() {
		t.Errorf("the server saw %d requests", len(server.headers))
	}
	if strings.Join(server.bodies, "|") != "the body|the body" {
		t.Errorf("bodies %q", server.bodies)
	}
	if counted := atlas.counters(); counted.TokenRequests != 2 {
		t.Errorf("%+v", counted)
	}
}

func TestABodyThatCannotBeReadAgainIsNotSentAgain(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	first := mustToken(t, client)
	server := startResource(t, func(_ string, count int) int {
		if count == 1 {
			return http.StatusUnauthorized
		}
		return http.StatusOK
	})
	program := http.Client{Transport: client.RoundTripper(nil, server.URL)}

	response, err := program.Post(server.URL, "text/plain", io.NopCloser(strings.NewReader("once")))
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(response.Body)
	response.Body.Close()

	if response.StatusCode != http.StatusUnauthorized || string(answer) != "answer" || len(server.headers) != 1 {
		t.Errorf("%s %q after %d requests", response.Status, answer, len(server.headers))
	}
	if mustToken(t, client).Value() == first.Value() {
		t.Error("the rejected token was not dropped")
	}
}

func TestAServerThatRejectsEveryTokenDoesNotCauseATokenRequestEachTime(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	server := startResource(t, func(string, int) int { return http.StatusUnauthorized })
	program := http.Client{Transport: atlas.client().RoundTripper(nil, server.URL)}

	for range 5 {
		response, err := program.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Error(response.Status)
		}
	}

	if counted := atlas.counters(); counted.TokenRequests != 2 || len(server.headers) != 6 {
		t.Errorf("%d token requests, %d requests to the server", counted.TokenRequests, len(server.headers))
	}
}

func TestWithoutATokenNothingIsSentAndTheBodyIsClosed(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	_ = client.Close()
	base := &recorder{}
	body := &closing{Reader: bytes.NewReader([]byte("body"))}
	request, err := http.NewRequestWithContext(context.Background(), "POST", "https://cloud.mongodb.com/", body)
	if err != nil {
		t.Fatal(err)
	}

	_, err = client.RoundTripper(base, "https://cloud.mongodb.com").RoundTrip(request)

	if !errors.Is(err, tokenwell.ErrClosed) || len(base.seen) != 0 || !body.closed {
		t.Errorf("%v, %d requests sent, body closed: %v", err, len(base.seen), body.closed)
	}
}

func TestTheAPIAcceptsTheTransport(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	program := http.Client{Transport: atlas.client().RoundTripper(nil, atlas.base)}
	request, err := http.NewRequest("GET", atlas.base+"/api/atlas/v2/orgs", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/vnd.atlas.2024-08-05+json")

	response, err := program.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()

	if response.StatusCode != http.StatusOK {
		t.Error(response.Status)
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

func TestARequestEndsWithItsContextWhileItWaitsForAToken(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	api := startResource(t, func(string, int) int { return http.StatusOK })
	client := atlas.client(tokenwell.WithTimeout(10 * time.Minute))
	// Longer than the test may take.
	atlas.slowToken(10 * time.Minute)
	program := http.Client{Transport: client.RoundTripper(nil, api.URL)}
	limited := http.Client{Transport: client.RoundTripper(nil, api.URL), Timeout: 100 * time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, api.URL, nil)
	if err != nil {
		t.Fatal(err)
	}

	_, canceled := program.Do(request)
	_, late := limited.Get(api.URL)

	if !errors.Is(canceled, context.Canceled) {
		t.Errorf("%v", canceled)
	}
	if !errors.Is(late, context.DeadlineExceeded) {
		t.Errorf("%v", late)
	}
	if len(api.headers) != 0 {
		t.Error("a request without a token was sent")
	}
}
