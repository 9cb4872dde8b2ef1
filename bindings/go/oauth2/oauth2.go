// Package oauth2 connects a [tokenwell.Client] to golang.org/x/oauth2 and to the libraries that use
// it.
//
// For an HTTP API, use [NewClient]: it sends a request once more after a 401. [TokenSource] is for
// libraries that require a token source.
//
// It is a separate module, so that the package tokenwell has no dependencies.
package oauth2

import (
	"context"
	"net/http"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
	"golang.org/x/oauth2"
)

// NewClient returns an http.Client that adds the Authorization header to requests for the client's
// own API. It is for programs that called NewClient of golang.org/x/oauth2, and for the Atlas SDK:
//
//	sdk, err := admin.NewClient(admin.UseHTTPClient(oauth2.NewClient(ctx, client)), admin.UseBaseURL(client.BaseURL()))
//
// Its transport is [tokenwell.Client.RoundTripper], which invalidates a token that the API rejects
// with 401 and sends the request once more. NewClient of golang.org/x/oauth2 does not: it keeps a
// token that was revoked until 10 s before it expires, and sends it to every origin.
//
// The transport, the redirect policy, the cookie jar and the timeout are those of the http.Client in
// ctx under the key HTTPClient of golang.org/x/oauth2, if there is one. That http.Client does not
// send the token requests. ctx is not used later: each request has its own context.
func NewClient(ctx context.Context, client *tokenwell.Client) *http.Client {
	base, ok := ctx.Value(oauth2.HTTPClient).(*http.Client)
	if !ok || base == nil {
		base = &http.Client{}
	}
	return &http.Client{
		Transport:     client.RoundTripper(base.Transport, ""),
		CheckRedirect: base.CheckRedirect,
		Jar:           base.Jar,
		Timeout:       base.Timeout,
	}
}

// TokenSource returns a token source that returns the current token of the client. It can be used
// concurrently. ctx limits every call of Token; the errors are those of [tokenwell.Client.Token].
//
// Do not wrap it in ReuseTokenSource of golang.org/x/oauth2, as NewClient of that package does. The
// client caches the token itself, and drops one that was rejected or revoked; ReuseTokenSource would
// return that token until 10 s before it expires. To limit the damage, the Expiry of a token is at
// most 11 s away, so that ReuseTokenSource keeps it for one second at most.
// [tokenwell.Token.ExpiresAt] returns when the token expires.
//
// A token source is not informed of a 401. When an API has rejected a token, call
// [tokenwell.Client.InvalidateValue] with its AccessToken.
//
// An oauth2.Token contains the secret in a field, and prints it.
func TokenSource(ctx context.Context, client *tokenwell.Client) oauth2.TokenSource {
	return source{ctx: ctx, client: client}
}

type source struct {
	ctx    context.Context
	client *tokenwell.Client
}

const (
	// x/oauth2 treats a token as expired this long before its Expiry.
	expiryDelta = 10 * time.Second
	// A cache of x/oauth2 keeps a token for this long.
	keptFor = time.Second
)

// Token implements oauth2.TokenSource.
func (s source) Token() (*oauth2.Token, error) {
	token, err := s.client.Token(s.ctx)
	if err != nil {
		return nil, err
	}
	expiry := time.Now().Add(expiryDelta + keptFor)
	if token.ExpiresAt().Before(expiry) {
		expiry = token.ExpiresAt()
	}
	return &oauth2.Token{AccessToken: token.Value(), TokenType: "Bearer", Expiry: expiry}, nil
}
