package tokenwell

/*
#include "library.h"

// callback.go exports these two.
extern void tokenwell_go_v0_ended(uintptr_t waiter);
extern void tokenwell_go_v0_released(uintptr_t waiter);

static void tokenwell_go_ended(void *user_data, tokenwell_operation *operation) {
	(void)operation;
	tokenwell_go_v0_ended((uintptr_t)user_data);
}

static void tokenwell_go_released(void *user_data) { tokenwell_go_v0_released((uintptr_t)user_data); }

// What a call returned. Returned by value: a pointer to a Go variable would move that variable to
// the heap.
typedef struct {
	tokenwell_status status;
	tokenwell_token *token;
	tokenwell_operation *operation;
	tokenwell_error *error;
} tokenwell_go_answer;

// A waiter is an integer, which becomes a pointer only in C: go vet and checkptr reject that in Go.

static tokenwell_go_answer tokenwell_go_token(const tokenwell_client *client, uint64_t min_ttl_ms, uint64_t deadline_ms, uint32_t flags, uintptr_t waiter) {
	tokenwell_go_answer answer = {0};
	answer.status = tokenwell_client_token_async(client, min_ttl_ms, deadline_ms, flags,
		tokenwell_go_ended, (void *)waiter, tokenwell_go_released, &answer.token, &answer.operation, &answer.error);
	return answer;
}

static tokenwell_go_answer tokenwell_go_invalidate(const tokenwell_client *client, const char *value, size_t value_len, uint64_t deadline_ms, uintptr_t waiter) {
	tokenwell_go_answer answer = {0};
	answer.status = tokenwell_client_invalidate_async(client, value, value_len, deadline_ms,
		tokenwell_go_ended, (void *)waiter, tokenwell_go_released, &answer.operation, &answer.error);
	return answer;
}

static tokenwell_go_answer tokenwell_go_revoke(const tokenwell_client *client, uint64_t deadline_ms, uintptr_t waiter) {
	tokenwell_go_answer answer = {0};
	answer.status = tokenwell_client_revoke_async(client, deadline_ms,
		tokenwell_go_ended, (void *)waiter, tokenwell_go_released, &answer.operation, &answer.error);
	return answer;
}

static tokenwell_go_answer tokenwell_go_result(const tokenwell_operation *operation) {
	tokenwell_go_answer answer = {0};
	answer.status = tokenwell_operation_wait(operation, 0, &answer.token, &answer.error);
	return answer;
}
*/
import "C"

import "runtime"

// calls limits how many goroutines are in one of the calls below. None of these blocks, but thousands
// of goroutines may make them at the same time, and the Go runtime creates another thread while a
// call waits for a lock or for a processor. In this queue, they wait without a thread.
var calls = make(chan struct{}, runtime.GOMAXPROCS(0))

func enter() {
	collectGarbage()
	calls <- struct{}{}
}

func leave() { <-calls }

// operation is a call of the library that was begun and whose result comes later. Its owner frees
// it.
type operation C.tokenwell_operation

// The three functions that begin a call return an operation if the waiter is called later. Without
// an operation, the call is complete and the waiter is not called.

func (h *handle) beginGet(request get, deadlineMS uint64, by waiter) (*tokenReference, *operation, error) {
	flags := C.uint32_t(C.TOKENWELL_WAIT_FOR_SAVE)
	if request.forceRefresh {
		flags |= C.TOKENWELL_FORCE_REFRESH
	}
	enter()
	defer leave()
	return taken(C.tokenwell_go_token(h.c(), C.uint64_t(request.minTTL), C.uint64_t(deadlineMS), flags, C.uintptr_t(by.handle)))
}

func (h *handle) beginInvalidate(value string, deadlineMS uint64, by waiter) (*tokenReference, *operation, error) {
	valuePointer, valueLen := cString(value)
	enter()
	defer leave()
	return taken(C.tokenwell_go_invalidate(h.c(), valuePointer, valueLen, C.uint64_t(deadlineMS), C.uintptr_t(by.handle)))
}

func (h *handle) beginRevoke(deadlineMS uint64, by waiter) (*tokenReference, *operation, error) {
	enter()
	defer leave()
	return taken(C.tokenwell_go_revoke(h.c(), C.uint64_t(deadlineMS), C.uintptr_t(by.handle)))
}

func taken(answer C.tokenwell_go_answer) (*tokenReference, *operation, error) {
	if answer.status == C.TOKENWELL_STATUS_PENDING {
		return nil, (*operation)(answer.operation), nil
	}
	return (*tokenReference)(answer.token), nil, takeError(answer.status, answer.error)
}

func (o *operation) c() *C.tokenwell_operation { return (*C.tokenwell_operation)(o) }

// result returns the result of an operation that has ended. The token is nil if the operation is
// not a get.
func (o *operation) result() (*tokenReference, error) {
	enter()
	defer leave()
	answer := C.tokenwell_go_result(o.c())
	return (*tokenReference)(answer.token), takeError(answer.status, answer.error)
}

// cancel ends the operation for this caller only: the work that other callers share continues.
func (o *operation) cancel() {
	enter()
	defer leave()
	C.tokenwell_operation_cancel(o.c())
}

func (o *operation) free() {
	enter()
	defer leave()
	C.tokenwell_operation_free(o.c())
}
