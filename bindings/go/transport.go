//go:build cgo

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

// RoundTripper returns a transport that adds the Authorization header to requests for one origin
// only: the scheme, host and port of the request must be those of origin, such as
// "https://cloud.mongodb.com". Other requests, including those that follow a redirect to another
// origin, are sent unchanged. If origin is empty, it is that of [Client.BaseURL].
//
// A request that already has an Authorization header is sent unchanged too, and the transport does
// not act on the reply.
//
// If the server replies with 401, the transport invalidates the token and sends the request once
// more with a new one. The request must have no body, or a GetBody function; otherwise the caller
// gets the 401, and only the next request has a new token. If the server also rejects the new token,
// the transport does not replace that token for a minute, so that a server that rejects every token
// does not cause a token request for each request.
//
// The context of a request also limits how long it waits for a token. If there is no token, the
// request is not sent, and its error wraps that of [Client.Token].
//
// The requests are sent through base, or [http.DefaultTransport] if base is nil. The origin must be
// a URL that [WithBaseURL] accepts: https, or http to this machine. With any other origin, and
// without one if the client has no base URL, every request returns an error.
func (c *Client) RoundTripper(base http.RoundTripper, origin string) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	if origin == "" {
		origin = c.BaseURL()
	}
	pinned, err := parseOrigin(origin)
	if origin == "" {
		err = c.hasNoOrigin()
	}
	return &transport{client: c, base: base, pinned: pinned, unusable: err}
}

// hasNoOrigin returns why the client has no base URL.
func (c *Client) hasNoOrigin() error {
	if err := c.checkInitialized(); err != nil {
		return err
	}
	return invalidArgument("the transport has no origin, and the client has no base URL, because its server was set with token_url",
		`Pass the origin of the API, such as "https://api.example.com".`)
}

type transport struct {
	client   *Client
	base     http.RoundTripper
	pinned   origin
	unusable error
	rejected atomic.Pointer[rejection]
}

// rejection records that the server rejected a new token.
type rejection struct {
	generation uint64
	at         time.Time
}

const rejectionLifetime = time.Minute

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.unusable != nil {
		closeBody(request)
		return nil, t.unusable
	}
	if !t.pinned.isTargetOf(request) || hasAuthorization(request) {
		return t.base.RoundTrip(request)
	}

	token, err := t.client.Token(request.Context())
	if err != nil {
		closeBody(request)
		return nil, err
	}
	response, err := t.send(request, request.Body, token)
	if err != nil || response.StatusCode != http.StatusUnauthorized || t.wasRejected(token) {
		return response, err
	}

	if err := t.client.Invalidate(request.Context(), token); err != nil {
		return response, nil
	}
	body, replayable := rewoundBody(request)
	if !replayable {
		return response, nil
	}
	fresh, err := t.client.Token(request.Context())
	if err != nil {
		// The caller gets the server's reply. The next request returns the error, if it persists.
		if body != nil {
			_ = body.Close()
		}
		return response, nil
	}
	discard(response)
	response, err = t.send(request, body, fresh)
	if err == nil && response.StatusCode == http.StatusUnauthorized {
		t.rejected.Store(&rejection{generation: fresh.Generation(), at: time.Now()})
	}
	return response, err
}

// CloseIdleConnections is called by http.Client.CloseIdleConnections and calls the base transport.
func (t *transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// send sends a copy: a RoundTripper may not modify its request, and the caller's request must not
// contain the token.
func (t *transport) send(request *http.Request, body io.ReadCloser, token *Token) (*http.Response, error) {
	copied := request.Clone(request.Context())
	copied.Body = body
	if copied.Header == nil {
		copied.Header = make(http.Header)
	}
	copied.Header.Set("Authorization", token.Authorization())
	response, err := t.base.RoundTrip(copied)
	if response != nil {
		// Programs log response.Request, so it must not contain the token.
		response.Request = request
	}
	return response, err
}

func (t *transport) wasRejected(token *Token) bool {
	last := t.rejected.Load()
	return last != nil && last.generation == token.Generation() && time.Since(last.at) < rejectionLifetime
}

// origin is a scheme, a lower-case host and an explicit port.
type origin struct{ scheme, host, port string }

// parseOrigin accepts what the library accepts as a base URL: the library decides where a secret
// may be sent.
func parseOrigin(value string) (origin, error) {
	const hint = `Pass an origin such as "https://cloud.mongodb.com".`
	if err := checkBaseURL(value); err != nil {
		var problem *Error
		if errors.As(err, &problem) {
			err = newError(problem.Code, strings.Replace(problem.Message, "base_url", "origin", 1), hint)
		}
		return origin{}, err
	}
	parsed, err := url.Parse(value)
	if err == nil {
		if pinned, ok := originOf(parsed.Scheme, parsed.Host); ok {
			return pinned, nil
		}
	}
	// The parser's error contains the URL, which may contain a secret, so it is not shown.
	return origin{}, invalidArgument("origin is not parsed by net/url in the same way as by the library", hint)
}

// isTargetOf reports whether net/http would send the request to this origin. It returns false for
// every unusual request.
func (o origin) isTargetOf(request *http.Request) bool {
	address := request.URL
	if address == nil || address.User != nil || address.Opaque != "" {
		return false
	}
	destination, ok := originOf(address.Scheme, address.Host)
	if !ok || destination != o {
		return false
	}
	if request.Host == "" {
		return true
	}
	// The Host header may select another site on the same server.
	named, ok := originOf(address.Scheme, request.Host)
	return ok && named == o
}

func originOf(scheme, authority string) (origin, bool) {
	for i := range len(authority) {
		// Only the characters of a host name, an IP address and a port: no whitespace, no control
		// characters, no '@', '%' or '\', and no characters outside ASCII.
		if c := authority[i]; !isAlphanumeric(c) && !strings.ContainsRune("-._:[]", rune(c)) {
			return origin{}, false
		}
	}
	parsed := url.URL{Host: authority}
	result := origin{scheme: scheme, host: strings.ToLower(parsed.Hostname()), port: parsed.Port()}
	if result.port == "" {
		result.port = map[string]string{"https": "443", "http": "80"}[scheme]
	}
	// Reject an authority with parts that Hostname and Port drop, because those would not be
	// compared. Brackets are valid only around an IPv6 address.
	hostname := parsed.Hostname()
	host := hostname
	if strings.Contains(hostname, ":") {
		host = "[" + hostname + "]"
	}
	whole := authority == host || (parsed.Port() != "" && authority == host+":"+parsed.Port())
	return result, result.host != "" && result.port != "" && (scheme == "https" || scheme == "http") && whole
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// hasAuthorization reports whether the program set the header itself. A program can also set a name
// in another case in the map, and net/http sends that name too.
func hasAuthorization(request *http.Request) bool {
	for name := range request.Header {
		if strings.EqualFold(name, "Authorization") {
			return true
		}
	}
	return false
}

func rewoundBody(request *http.Request) (io.ReadCloser, bool) {
	if request.Body == nil || request.Body == http.NoBody {
		return request.Body, true
	}
	// After a redirect, net/http of Go 1.24 leaves GetBody in the first request only. It is how the
	// body of this request was made.
	first := request
	for first.GetBody == nil && first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	if first.GetBody == nil {
		return nil, false
	}
	body, err := first.GetBody()
	return body, err == nil
}

// discard reads a short rest of the body, so that the connection can be reused.
func discard(response *http.Response) {
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
	_ = response.Body.Close()
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}
