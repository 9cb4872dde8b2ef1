//go:build cgo

package tokenwell

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// APIRequest describes a request to the Admin API. Its string forms contain neither the query nor
// the body.
type APIRequest struct {
	// Method is GET, POST, PUT, PATCH or DELETE.
	Method string
	// Path is the path on the server of [Client.BaseURL], for example /api/atlas/v2/orgs. A URL, a
	// path that begins with two slashes, and a segment ".." are refused.
	Path string
	// Version is the version of the API, as the date in its media type, for example 2025-03-12. If it
	// is empty, it is 2024-08-05.
	Version string
	// Query contains the parameters, which are sent sorted by name.
	Query url.Values
	// Body is JSON. Nil sends no body.
	Body []byte
	// MaxBody is the largest body of a response that is accepted, in bytes. If it is zero, it is 64
	// MiB.
	MaxBody int64
}

// APIResponse is a response of the Admin API, with any status except a redirect. Its string forms
// contain only the status, because the body may contain a secret.
type APIResponse struct {
	// StatusCode is the HTTP status. 4xx and 5xx are results too: the body says what is wrong.
	StatusCode int
	// Header contains the headers.
	Header http.Header
	// Body is the body, unchanged.
	Body []byte
}

// Request sends a request to the Admin API with a token, and returns its response.
//
// After a 401 the token is invalidated, and the request is sent once more with another one. Nothing
// else is repeated, and redirects are not followed. An error means that there is no token, or no
// complete response: a request that changes something may have taken effect then.
//
// A deadline of ctx limits the call with its waits for tokens. Without one, the timeout setting
// applies. If ctx is done first, the request ends.
func (c *Client) Request(ctx context.Context, request APIRequest) (*APIResponse, error) {
	if request.MaxBody < 0 {
		return nil, invalidArgument("MaxBody is negative", "Set the number of bytes, or zero for 64 MiB.")
	}
	if err := c.checkInitialized(); err != nil {
		return nil, err
	}
	made, err := newAPIRequest(request)
	if err != nil {
		return nil, err
	}
	defer made.free()
	return complete(ctx, c, func(deadlineMS uint64, by waiter) (*APIResponse, *operation, error) {
		pending, err := c.handle.beginRequest(made, deadlineMS, by)
		return nil, pending, err
	}, (*operation).response)
}

// String returns the method and the path.
func (r APIRequest) String() string {
	path, _, _ := strings.Cut(r.Path, "?")
	return "tokenwell.APIRequest{" + r.Method + " " + path + "}"
}

// GoString returns the same as String.
func (r APIRequest) GoString() string { return r.String() }

// Format writes the result of String for every verb.
func (r APIRequest) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, r.String()) }

// LogValue returns the result of String.
func (r APIRequest) LogValue() slog.Value { return slog.StringValue(r.String()) }

// String returns the status.
func (r APIResponse) String() string {
	return "tokenwell.APIResponse{status: " + strconv.Itoa(r.StatusCode) + "}"
}

// GoString returns the same as String.
func (r APIResponse) GoString() string { return r.String() }

// Format writes the result of String for every verb.
func (r APIResponse) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, r.String()) }

// LogValue returns the result of String.
func (r APIResponse) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON returns the result of String: the body is not encoded by accident.
func (r APIResponse) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(r.String())), nil }
