package tokenwell

import (
	"context"
	"runtime/cgo"
	"testing"
	"time"
)

func TestAnExceededDeadlineStillWaitsForTheErrorOfTheLibrary(t *testing.T) {
	t.Parallel()
	late, stop := context.WithTimeout(context.Background(), -time.Second)
	defer stop()
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	soon := waiter{ended: make(chan struct{})}
	time.AfterFunc(deadlineGrace/10, func() { close(soon.ended) })
	never := waiter{ended: make(chan struct{})}

	if !soon.waits(late) {
		t.Error("the error of the library was not waited for")
	}
	if never.waits(late) || never.waits(canceled) {
		t.Error("an operation that has not ended has ended")
	}
}

func TestFewUnusedWaitersAreKept(t *testing.T) {
	t.Parallel()
	waiters := make([]waiter, 3*cap(unusedWaiters))
	for i := range waiters {
		waiters[i] = newWaiter()
	}

	for _, by := range waiters {
		by.unused()
	}

	kept := 0
	for _, by := range waiters {
		if isValid(by.handle) {
			kept++
		}
	}
	if kept > cap(unusedWaiters) {
		t.Errorf("%d of %d waiters are kept", kept, len(waiters))
	}
}

func isValid(handle cgo.Handle) (valid bool) {
	defer func() { valid = recover() == nil }()
	handle.Value()
	return
}
