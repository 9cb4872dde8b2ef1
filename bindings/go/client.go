//go:build cgo

package tokenwell

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// Client returns access tokens for one account. All methods can be called concurrently, including
// [Client.Close].
//
// The garbage collector frees a client that is no longer reachable, whether it is closed or not.
type Client struct {
	handle     *handle
	generation *uint64
	localCopy  atomic.Pointer[localCopy]
}

// New creates a client. It sends no request.
func New(options ...Option) (*Client, error) {
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	from, err := newConfiguration()
	if err != nil {
		return nil, err
	}
	defer from.free()
	if err := from.copyEnvironment(); err != nil {
		return nil, err
	}
	for _, option := range options {
		if option == nil {
			continue
		}
		if err := option(from); err != nil {
			return nil, err
		}
	}
	created, err := newHandle(from)
	if err != nil {
		return nil, err
	}
	client := &Client{handle: created, generation: created.generation()}
	// The cleanup runs when the client is unreachable. No call is running then, because each call
	// keeps its client reachable.
	runtime.AddCleanup(client, (*handle).free, created)
	return client, nil
}

// NewFromEnv is [New] with [FromEnvironment]. Options override the environment.
func NewFromEnv(options ...Option) (*Client, error) {
	return New(append([]Option{FromEnvironment()}, options...)...)
}

// Token returns a valid token. It sends a token request only if no cached token is fresh.
//
// A deadline of ctx limits the call. Without one, the timeout setting applies.
func (c *Client) Token(ctx context.Context, options ...GetOption) (*Token, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(ctx)
	}
	if len(options) == 0 {
		if copied := c.fromMemory(); copied != nil {
			return copied.token, nil
		}
	}
	return c.get(ctx, options)
}

// Authorization is like [Client.Token] but returns the value of the Authorization header,
// "Bearer …".
func (c *Client) Authorization(ctx context.Context, options ...GetOption) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", contextError(ctx)
	}
	if len(options) == 0 {
		if copied := c.fromMemory(); copied != nil {
			return copied.authorization, nil
		}
	}
	token, err := c.get(ctx, options)
	if err != nil {
		return "", err
	}
	return token.Authorization(), nil
}

// Invalidate drops a token that a server rejected with 401. It does nothing if token is no longer
// the current token.
//
// The client stops returning the token immediately. If another process is writing to the shared
// cache, the call waits for it for about a second. If ctx is done before that, the call returns,
// and the update of the shared cache continues in the background.
func (c *Client) Invalidate(ctx context.Context, token *Token) error {
	if token == nil {
		return invalidArgument("token is nil", "Pass the token that the server rejected.")
	}
	return c.InvalidateValue(ctx, token.Value())
}

// InvalidateValue is like [Client.Invalidate] but takes the value of the token.
func (c *Client) InvalidateValue(ctx context.Context, value string) error {
	_, err := complete(ctx, c, func(deadlineMS uint64, by waiter) (*tokenReference, *operation, error) {
		return c.handle.beginInvalidate(value, deadlineMS, by)
	}, (*operation).result)
	return err
}

// Revoke revokes the current token at the server. If it returns an error, the token is still the
// current one, because the server may still accept it.
func (c *Client) Revoke(ctx context.Context) error {
	_, err := complete(ctx, c, func(deadlineMS uint64, by waiter) (*tokenReference, *operation, error) {
		return c.handle.beginRevoke(deadlineMS, by)
	}, (*operation).result)
	return err
}

// Stats contains counts since the client was created. Gets that are answered from the local copy of
// the token are not counted.
type Stats struct {
	Hits            uint64 // gets answered from the library's memory
	Waits           uint64 // gets that waited for a refresh
	Refreshes       uint64 // refreshes started
	Mints           uint64 // token requests that returned a token
	MintFailures    uint64 // refreshes that failed
	StaleServed     uint64 // gets answered with a valid token after a failed refresh
	CooldownAnswers uint64 // gets answered with a remembered error
	Invalidations   uint64 // calls of Invalidate and Revoke that dropped a token
}

// Stats returns the counts of the client.
func (c *Client) Stats() (Stats, error) {
	if err := c.checkInitialized(); err != nil {
		return Stats{}, err
	}
	defer runtime.KeepAlive(c)
	return c.handle.stats()
}

// Generation returns a number that changes whenever the current token changes, including by
// [Client.Invalidate], [Client.Revoke] and [Client.Close].
func (c *Client) Generation() uint64 {
	if c.generation == nil {
		return 0
	}
	defer runtime.KeepAlive(c)
	return atomic.LoadUint64(c.generation)
}

// BaseURL returns the base URL of the API for which the client gets tokens, for example
// https://cloud.mongodb.com. It is empty if the server was set with [WithTokenURL].
func (c *Client) BaseURL() string {
	if c.checkInitialized() != nil {
		return ""
	}
	defer runtime.KeepAlive(c)
	return c.handle.baseURL()
}

// Sources returns where the value of each setting came from, by the name of the setting, for example
// "environment variable MONGODB_ATLAS_CLIENT_ID" for client_id. It contains the settings that are in
// effect, and no value of a setting. The map is a copy.
func (c *Client) Sources() map[string]string {
	if c.checkInitialized() != nil {
		return nil
	}
	defer runtime.KeepAlive(c)
	return c.handle.sources()
}

// AdvanceClock advances the clock of a client that was created with [WithManualClock].
func (c *Client) AdvanceClock(by time.Duration) error {
	if err := c.checkInitialized(); err != nil {
		return err
	}
	ms, err := milliseconds("the advance", by)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(c)
	return c.handle.advanceClock(ms)
}

// Close closes the client: waiting and later calls return [ErrClosed]. It can be called more than
// once.
func (c *Client) Close() error {
	if err := c.checkInitialized(); err != nil {
		return err
	}
	defer runtime.KeepAlive(c)
	err := c.handle.close()
	c.localCopy.Store(nil)
	return err
}

// String returns the name of the type and no secret.
func (c *Client) String() string { return "tokenwell.Client" }

// GoString returns the same as String.
func (c *Client) GoString() string { return c.String() }

// localCopy is a token that can be returned without a call of the library while the generation is
// unchanged and the token is fresh by both clocks. If fresh is zero, the library is called every
// time.
type localCopy struct {
	token         *Token
	authorization string
	generation    uint64
	at            time.Time
	wall          int64
	fresh         time.Duration
}

func newLocalCopy(token *Token, at time.Time, fresh time.Duration) *localCopy {
	return &localCopy{token: token, authorization: token.Authorization(), generation: token.Generation(), at: at, wall: at.UnixNano(), fresh: fresh}
}

// fromMemory returns nil if the library has to be called.
func (c *Client) fromMemory() *localCopy {
	copied := c.localCopy.Load()
	if copied == nil || copied.generation != atomic.LoadUint64(c.generation) {
		return nil
	}
	runtime.KeepAlive(c)
	// time.Now reads both clocks: Sub uses the monotonic clock, UnixNano the wall clock.
	now := time.Now()
	if !copied.isFresh(now.Sub(copied.at), time.Duration(now.UnixNano()-copied.wall)) {
		return nil
	}
	return copied
}

// isFresh reports whether the copy can be used, given its age by each clock. A negative age means
// that the wall clock was set back. The copy is then not used, because its real age is unknown.
func (l *localCopy) isFresh(monotonic, wall time.Duration) bool {
	return monotonic < l.fresh && wall >= 0 && wall < l.fresh
}

func (c *Client) get(ctx context.Context, options []GetOption) (*Token, error) {
	request, err := newGet(options)
	if err != nil {
		return nil, err
	}
	got, err := complete(ctx, c, func(deadlineMS uint64, by waiter) (*tokenReference, *operation, error) {
		return c.handle.beginGet(request, deadlineMS, by)
	}, (*operation).result)
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(c)
	defer got.free()
	copied := c.handle.copyOf(got, c.localCopy.Load())
	c.localCopy.Store(copied)
	return copied.token, nil
}

// checkInitialized returns an error for a zero or nil Client, which New did not create.
func (c *Client) checkInitialized() error {
	if c == nil || c.handle == nil {
		return invalidArgument("the client was not created by New", "Create clients with tokenwell.New or tokenwell.NewFromEnv.")
	}
	return nil
}
