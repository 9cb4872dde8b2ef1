package tokenwell

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// RoundTripper returns a transport that adds the Authorization header to requests for one origin, and to no others: the scheme, host and port of
// origin ("https://cloud.mongodb.com") must be exactly the request's. Requests for other places, a redirect's among them, pass through as they are.
//
// A request that is answered with 401 is sent once more with a new token, if its body can be had again (no body, or GetBody set). A token that was
// refused as soon as it was new is not replaced again for a minute: a server that refuses every token must not cost one for each request.
//
// base does the sending, [http.DefaultTransport] if it is nil. The origin must be what [WithBaseURL] takes: https, or http on this machine; with any other
// every request fails.
func (c *Client) RoundTripper(base http.RoundTripper, origin string) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	pinned, err := parseOrigin(origin)
	return &transport{client: c, base: base, pinned: pinned, unusable: err}
}

type transport struct {
	client   *Client
	base     http.RoundTripper
	pinned   place
	unusable error
	inVain   atomic.Pointer[refusal]
}

// refusal remembers a token that was refused although it was new.
type refusal struct {
	generation uint64
	at         time.Time
}

const refusalHolds = time.Minute

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.unusable != nil {
		closeBody(request)
		return nil, t.unusable
	}
	if !t.pinned.isTargetOf(request) {
		return t.base.RoundTrip(request)
	}

	token, err := t.client.Token(request.Context())
	if err != nil {
		closeBody(request)
		return nil, err
	}
	response, err := t.send(request, request.Body, token)
	if err != nil || response.StatusCode != http.StatusUnauthorized || t.wasInVain(token) {
		return response, err
	}

	if err := t.client.Invalidate(request.Context(), token); err != nil {
		return response, nil
	}
	body, replayable := bodyAgain(request)
	if !replayable {
		return response, nil
	}
	fresh, err := t.client.Token(request.Context())
	if err != nil {
		// The server's 401 is an answer; why there is no new token the next request will say.
		if body != nil {
			_ = body.Close()
		}
		return response, nil
	}
	discard(response)
	response, err = t.send(request, body, fresh)
	if err == nil && response.StatusCode == http.StatusUnauthorized {
		t.inVain.Store(&refusal{generation: fresh.Generation(), at: time.Now()})
	}
	return response, err
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the base.
func (t *transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// send works on a copy: a RoundTripper may not change its request, and the caller's must not come to hold the token.
func (t *transport) send(request *http.Request, body io.ReadCloser, token *Token) (*http.Response, error) {
	copied := request.Clone(request.Context())
	copied.Body = body
	if copied.Header == nil {
		copied.Header = make(http.Header)
	}
	copied.Header.Set("Authorization", token.Authorization())
	response, err := t.base.RoundTrip(copied)
	if response != nil {
		// Programs log response.Request.
		response.Request = request
	}
	return response, err
}

func (t *transport) wasInVain(token *Token) bool {
	last := t.inVain.Load()
	return last != nil && last.generation == token.Generation() && time.Since(last.at) < refusalHolds
}

// place is a scheme, a lower-case host and a port that is always named.
type place struct{ scheme, host, port string }

// parseOrigin takes what the library would take as a base URL: it is the library that knows where a secret may be sent.
func parseOrigin(origin string) (place, error) {
	const hint = `Give it as "https://cloud.mongodb.com".`
	if err := checkBaseURL(origin); err != nil {
		var problem *Error
		if errors.As(err, &problem) {
			err = newError(problem.Code, "the origin cannot be used: "+strings.Replace(problem.Message, "base_url: ", "", 1), hint)
		}
		return place{}, err
	}
	parsed, err := url.Parse(origin)
	if err == nil {
		if pinned, ok := placeOf(parsed.Scheme, parsed.Host); ok {
			return pinned, nil
		}
	}
	// The parser's error repeats what it was given, so it is not shown.
	return place{}, invalidArgument("the origin is not read by net/url as it is by the library", hint)
}

// isTargetOf compares what net/http will connect to. Whatever is unusual is not the pinned place.
func (p place) isTargetOf(request *http.Request) bool {
	target := request.URL
	if target == nil || target.User != nil || target.Opaque != "" {
		return false
	}
	asked, ok := placeOf(target.Scheme, target.Host)
	if !ok || asked != p {
		return false
	}
	if request.Host == "" {
		return true
	}
	// The Host header may name another site on the same server.
	named, ok := placeOf(target.Scheme, request.Host)
	return ok && named == p
}

func placeOf(scheme, authority string) (place, bool) {
	for i := range len(authority) {
		// Only what a host name or an address and a port are made of: no blank, no control, no '@', '%', '\' or letter beyond ASCII.
		if c := authority[i]; !isAlphanumeric(c) && !strings.ContainsRune("-._:[]", rune(c)) {
			return place{}, false
		}
	}
	parsed := url.URL{Host: authority}
	made := place{scheme: scheme, host: strings.ToLower(parsed.Hostname()), port: parsed.Port()}
	if made.port == "" {
		made.port = map[string]string{"https": "443", "http": "80"}[scheme]
	}
	// Whatever Hostname and Port left out would be compared by nobody. Brackets belong to IPv6 addresses alone.
	name := parsed.Hostname()
	bare := name
	if strings.Contains(name, ":") {
		bare = "[" + name + "]"
	}
	whole := authority == bare || (parsed.Port() != "" && authority == bare+":"+parsed.Port())
	return made, made.host != "" && made.port != "" && (scheme == "https" || scheme == "http") && whole
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func bodyAgain(request *http.Request) (io.ReadCloser, bool) {
	if request.Body == nil || request.Body == http.NoBody {
		return request.Body, true
	}
	if request.GetBody == nil {
		return nil, false
	}
	body, err := request.GetBody()
	return body, err == nil
}

// discard reads a short rest, so that the connection can be used again.
func discard(response *http.Response) {
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
	_ = response.Body.Close()
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}
