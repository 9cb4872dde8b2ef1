package tokenwell

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// maxConcurrentCalls limits the threads that the waiting calls of one client occupy. The Go runtime
// aborts a program that has 10,000 threads.
const maxConcurrentCalls = 256

// deadlineGrace is how long a call waits for the library after the deadline of its context. The
// library has the same deadline, and its error says what the time was spent on.
const deadlineGrace = 100 * time.Millisecond

// callWithContext makes a call that may block, and returns when the context is done. A call that is
// abandoned in this way continues in the background, and its result is discarded.
func callWithContext[T any](ctx context.Context, c *Client, call func(deadlineMS uint64) (T, error)) (T, error) {
	var none T
	if err := c.checkInitialized(); err != nil {
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
		case <-time.After(deadlineGrace):
		}
	}
	return none, contextError(ctx)
}

// run makes the call on this goroutine and then releases its slot in c.calls.
func run[T any](ctx context.Context, c *Client, call func(deadlineMS uint64) (T, error)) (T, error) {
	defer runtime.KeepAlive(c)
	defer func() { <-c.calls }()
	var deadlineMS uint64
	if deadline, ok := ctx.Deadline(); ok {
		// Zero would mean the timeout setting.
		deadlineMS = max(1, ceilMilliseconds(time.Until(deadline)))
	}
	return call(deadlineMS)
}
