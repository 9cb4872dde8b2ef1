// Package mongodriver lets a [tokenwell.Client] deliver the access tokens with which
// go.mongodb.org/mongo-driver/v2 logs in to a cluster (MONGODB-OIDC, Workload Identity Federation).
//
// The tokens must be those of the identity provider that the cluster trusts: set it with
// [tokenwell.WithTokenURL], and what it requires with [tokenwell.WithScope] or
// [tokenwell.WithAudience]. The token of an Atlas Service Account is for the Atlas Admin API, and a
// cluster rejects it.
//
// It is a separate module, so that the package tokenwell has no dependencies.
package mongodriver

import (
	"context"
	"sync/atomic"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// OIDCCallback returns a callback for options.Credential:
//
//	options.Client().SetAuth(options.Credential{
//		AuthMechanism:       "MONGODB-OIDC",
//		OIDCMachineCallback: mongodriver.OIDCCallback(client),
//	})
//
// The driver keeps the token and calls the callback again only after the server rejected it. If the
// client would then return the same token, the callback invalidates it first, so that the driver gets
// another one. Create one callback for each mongo.Client: a callback that is shared would treat the
// first call of the second mongo.Client as a rejection.
//
// A driver reports the rejection of its very first token to the program, and calls the callback again
// for the next login. So if another process got the token and it was revoked since, the first
// operation of a mongo.Client fails, and the second one succeeds.
//
// The context of the call limits the wait for a token. The errors are those of
// [tokenwell.Client.Token]; the error of the driver wraps them.
func OIDCCallback(client *tokenwell.Client) options.OIDCCallback {
	var returned atomic.Pointer[tokenwell.Token]
	return func(ctx context.Context, _ *options.OIDCArgs) (*options.OIDCCredential, error) {
		token, err := client.Token(ctx)
		if err != nil {
			return nil, err
		}
		if last := returned.Load(); last != nil && last.Value() == token.Value() {
			if err := client.Invalidate(ctx, last); err != nil {
				return nil, err
			}
			if token, err = client.Token(ctx); err != nil {
				return nil, err
			}
		}
		returned.Store(token)
		expiresAt := token.ExpiresAt()
		return &options.OIDCCredential{AccessToken: token.Value(), ExpiresAt: &expiresAt}, nil
	}
}
