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
type begin func(deadlineMS uint64, by waiter) (*tokenReference, *operation, error)

// complete begins a call and waits for its result without occupying a thread. If the context is done
// first, it cancels the operation and returns.
func (c *Client) complete(ctx context.Context, call begin) (*tokenReference, error) {
	if err := c.checkInitialized(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	// The cleanup of an unreachable client would close it, which ends its operations.
	defer runtime.KeepAlive(c)
	by := newWaiter()
	token, pending, err := call(deadlineOf(ctx), by)
	if pending == nil {
		by.unused()
		return token, err
	}
	defer pending.free()
	if by.waits(ctx) {
		return pending.result()
	}
	pending.cancel()
	return nil, contextError(ctx)
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
