package tokenwell

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// callsAtOnce bounds the threads that a client's waiting callers occupy. The Go runtime ends a program that has 10,000 threads.
const callsAtOnce = 256

// afterDeadline is how long a caller whose deadline passed still waits for the library, which has the same deadline and says in its own words what the time was spent on.
const afterDeadline = 100 * time.Millisecond

// within makes one call that may wait, for no longer than the context lives. A call that nobody waits for any more ends by itself, and what it brings is dropped with it.
func within[T any](ctx context.Context, c *Client, call func(deadlineMS uint64) (T, error)) (T, error) {
	var none T
	if err := c.made(); err != nil {
		return none, err
	}
	if ctx.Err() != nil {
		return none, contextError(ctx)
	}
	select {
	case c.calls <- struct{}{}:
	case <-ctx.Done():
		return none, contextError(ctx)
	}
	if ctx.Done() == nil {
		return run(ctx, c, call)
	}

	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		value, err := run(ctx, c, call)
		answered <- answer{value, err}
	}()
	select {
	case got := <-answered:
		return got.value, got.err
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		select {
		case got := <-answered:
			return got.value, got.err
		case <-time.After(afterDeadline):
		}
	}
	return none, contextError(ctx)
}

// run makes the call on this goroutine and gives its place back.
func run[T any](ctx context.Context, c *Client, call func(deadlineMS uint64) (T, error)) (T, error) {
	defer runtime.KeepAlive(c)
	defer func() { <-c.calls }()
	var deadlineMS uint64
	if deadline, ok := ctx.Deadline(); ok {
		// Zero would mean "the configured timeout".
		deadlineMS = max(1, ceilMilliseconds(time.Until(deadline)))
	}
	return call(deadlineMS)
}
