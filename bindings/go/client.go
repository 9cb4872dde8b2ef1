package tokenwell

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// Client holds the tokens of one account. Any number of goroutines may use it at once, also while it is being closed.
//
// A client that is no longer used is freed by the garbage collector, closed or not.
type Client struct {
	handle     *handle
	generation *uint64
	kept       atomic.Pointer[kept]
	calls      chan struct{}
}

// New makes a client. It sends nothing.
func New(options ...Option) (*Client, error) {
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	from, err := newConfiguration()
	if err != nil {
		return nil, err
	}
	defer from.free()
	for _, option := range options {
		if option == nil {
			continue
		}
		if err := option(from); err != nil {
			return nil, err
		}
	}
	made, err := newHandle(from)
	if err != nil {
		return nil, err
	}
	client := &Client{handle: made, generation: made.generation(), calls: make(chan struct{}, callsAtOnce)}
	// Runs when nothing can reach the client any more, so no call can be running: each call keeps its client alive.
	runtime.AddCleanup(client, (*handle).free, made)
	return client, nil
}

// NewFromEnv is [New] with [FromEnvironment]; options go before the environment.
func NewFromEnv(options ...Option) (*Client, error) {
	return New(append([]Option{FromEnvironment()}, options...)...)
}

// Token returns a live token, a new one if there is none.
func (c *Client) Token(ctx context.Context, options ...GetOption) (*Token, error) {
	if err := ctx.Err(); err != nil {
		return nil, contextError(ctx)
	}
	if len(options) == 0 {
		if kept := c.fromMemory(); kept != nil {
			return kept.token, nil
		}
	}
	return c.ask(ctx, options)
}

// Authorization returns the value for the Authorization header: "Bearer …".
func (c *Client) Authorization(ctx context.Context, options ...GetOption) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", contextError(ctx)
	}
	if len(options) == 0 {
		if kept := c.fromMemory(); kept != nil {
			return kept.authorization, nil
		}
	}
	token, err := c.ask(ctx, options)
	if err != nil {
		return "", err
	}
	return token.Authorization(), nil
}

// Invalidate drops this very token, after a server has answered it with 401. If the client already has another one, nothing happens.
//
// It is dropped here at once; while another process writes to the shared cache the call waits for it, for a second or so. If the context ends
// meanwhile the rest goes on.
func (c *Client) Invalidate(ctx context.Context, token *Token) error {
	if token == nil {
		return invalidArgument("token is nil", "Give the token that was refused.")
	}
	return c.InvalidateValue(ctx, token.Value())
}

// InvalidateValue is [Client.Invalidate] for a caller that has only the token's text.
func (c *Client) InvalidateValue(ctx context.Context, value string) error {
	_, err := within(ctx, c, func(uint64) (struct{}, error) { return struct{}{}, c.handle.invalidate(value) })
	return err
}

// Revoke tells the server to forget the current token, and drops it here whatever the server answers.
func (c *Client) Revoke(ctx context.Context) error {
	_, err := within(ctx, c, func(deadlineMS uint64) (struct{}, error) { return struct{}{}, c.handle.revoke(deadlineMS) })
	return err
}

// Stats are counts since the client was made. Gets that were answered from Go's own memory are not among the hits.
type Stats struct {
	Hits            uint64 // gets answered from the library's memory
	Waits           uint64 // gets that waited for a refresh
	Refreshes       uint64 // refreshes begun
	Mints           uint64 // token requests that brought a token
	MintFailures    uint64 // refreshes that ended in an error
	StaleServed     uint64 // gets answered with a live token after a failed refresh
	CooldownAnswers uint64 // gets answered with a remembered error
	Invalidations   uint64 // invalidations that dropped a token
}

// Stats returns the client's figures.
func (c *Client) Stats() (Stats, error) {
	if err := c.made(); err != nil {
		return Stats{}, err
	}
	defer runtime.KeepAlive(c)
	return c.handle.stats()
}

// Generation is a number that changes whenever the current token does, also on [Client.Invalidate], [Client.Revoke] and [Client.Close].
func (c *Client) Generation() uint64 {
	if c.generation == nil {
		return 0
	}
	defer runtime.KeepAlive(c)
	return atomic.LoadUint64(c.generation)
}

// AdvanceClock moves the clock of a client made with [WithManualClock].
func (c *Client) AdvanceClock(by time.Duration) error {
	if err := c.made(); err != nil {
		return err
	}
	ms, err := milliseconds("the advance", by)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(c)
	return c.handle.advanceClock(ms)
}

// Close ends the client: later calls, and calls that wait now, get [ErrClosed]. It may be called any number of times, from any goroutine.
func (c *Client) Close() error {
	if err := c.made(); err != nil {
		return err
	}
	defer runtime.KeepAlive(c)
	err := c.handle.close()
	c.kept.Store(nil)
	return err
}

// String names the type: a client shows nothing of what it holds.
func (c *Client) String() string { return "tokenwell.Client" }

// GoString is String.
func (c *Client) GoString() string { return c.String() }

// kept is a token that may be handed out again without asking the library, for as long as the generation stands and neither clock says that its time
// is over. A token that is fresh for no time at all is asked for each time.
type kept struct {
	token         *Token
	authorization string
	generation    uint64
	at            time.Time
	wall          int64
	fresh         time.Duration
}

func newKept(token *Token, at time.Time, fresh time.Duration) *kept {
	return &kept{token: token, authorization: token.Authorization(), generation: token.Generation(), at: at, wall: at.UnixNano(), fresh: fresh}
}

// fromMemory is nil when the library has to be asked.
func (c *Client) fromMemory() *kept {
	kept := c.kept.Load()
	if kept == nil || kept.generation != atomic.LoadUint64(c.generation) {
		return nil
	}
	runtime.KeepAlive(c)
	// One reading of the time has both clocks: Sub takes the monotonic one, UnixNano the wall clock.
	now := time.Now()
	if !kept.isFresh(now.Sub(kept.at), time.Duration(now.UnixNano()-kept.wall)) {
		return nil
	}
	return kept
}

// isFresh takes the time since the token was kept by the monotonic and by the wall clock. A wall clock that was set back says nothing, so it ends the copy.
func (k *kept) isFresh(monotonic, wall time.Duration) bool {
	return monotonic < k.fresh && wall >= 0 && wall < k.fresh
}

func (c *Client) ask(ctx context.Context, options []GetOption) (*Token, error) {
	asked, err := newGet(options)
	if err != nil {
		return nil, err
	}
	return within(ctx, c, func(deadlineMS uint64) (*Token, error) {
		kept, err := c.handle.token(asked, deadlineMS, c.kept.Load())
		if err != nil {
			return nil, err
		}
		c.kept.Store(kept)
		return kept.token, nil
	})
}

// made tells the zero Client from one that New made.
func (c *Client) made() error {
	if c == nil || c.handle == nil {
		return invalidArgument("the client was not made by New", "Make clients with tokenwell.New or tokenwell.NewFromEnv.")
	}
	return nil
}
