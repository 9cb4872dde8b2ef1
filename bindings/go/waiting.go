//go:build cgo

package tokenwell

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// deadlineGrace is how long a call waits for the library after the deadline of its context. The
// library has the same deadline, and its error says what the time was spent on.
const deadlineGrace = 100 * time.Millisecond

// begin begins a call of the library. It returns an operation if the result comes later.
type begin[Result any] func(deadlineMS uint64, by waiter) (Result, *operation, error)

// complete begins a call and waits for its result without occupying a thread; result reads that of
// an operation. If the context is done first, it cancels the operation and returns.
func complete[Result any](ctx context.Context, c *Client, call begin[Result], result func(*operation) (Result, error)) (Result, error) {
	var none Result
	if err := c.checkInitialized(); err != nil {
		return none, err
	}
	if ctx.Err() != nil {
		return none, contextError(ctx)
	}
	// The cleanup of an unreachable client would close it, which ends its operations.
	defer runtime.KeepAlive(c)
	by := newWaiter()
	immediate, pending, err := call(deadlineOf(ctx), by)
	if pending == nil {
		by.unused()
		return immediate, err
	}
	defer pending.free()
	if by.waits(ctx) {
		return result(pending)
	}
	pending.cancel()
	return none, contextError(ctx)
}

// waits waits for the end of the operation. It returns false if the context is done first.
func (w waiter) waits(ctx context.Context) bool {
	select {
	case <-w.ended:
		return true
	case <-ctx.Done():
	}
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return false
	}
	select {
	case <-w.ended:
		return true
	case <-time.After(deadlineGrace):
		return false
	}
}

// deadlineOf returns the deadline of a context for the library. Zero means the timeout setting.
func deadlineOf(ctx context.Context) uint64 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(1, ceilMilliseconds(time.Until(deadline)))
}
