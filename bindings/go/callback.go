package tokenwell

// #include <stdint.h>
import "C"

import "runtime/cgo"

// This file contains all functions that the library calls, on threads that Go did not create. The
// names of their symbols contain the major version of the module, so that a program can link two
// versions. C code may only be declared in this file, because cgo compiles it twice.

// waiter is the place where one goroutine waits for one operation.
type waiter struct {
	ended  chan struct{}
	handle cgo.Handle
}

// unusedWaiters keeps waiters that the library did not need, because a call was complete
// immediately. It holds few: one for each call that can be at that point at the same time.
var unusedWaiters = make(chan waiter, 64)

// newWaiter returns a waiter for one call. If the library begins an operation, it releases the
// waiter after the end. Otherwise the caller calls unused.
func newWaiter() waiter {
	select {
	case by := <-unusedWaiters:
		return by
	default:
		ended := make(chan struct{})
		return waiter{ended: ended, handle: cgo.NewHandle(ended)}
	}
}

func (w waiter) unused() {
	select {
	case unusedWaiters <- w:
	default:
		w.handle.Delete()
	}
}

//export tokenwell_go_v0_ended
func tokenwell_go_v0_ended(handle C.uintptr_t) {
	collectGarbage()
	close(cgo.Handle(handle).Value().(chan struct{}))
}

//export tokenwell_go_v0_released
func tokenwell_go_v0_released(handle C.uintptr_t) {
	collectGarbage()
	cgo.Handle(handle).Delete()
}
