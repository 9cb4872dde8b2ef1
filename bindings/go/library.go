package tokenwell

/*
#cgo pkg-config: tokenwell
#cgo linux CFLAGS: -D_GNU_SOURCE
#cgo linux LDFLAGS: -ldl
#include <stdint.h>
#include <tokenwell.h>
#ifndef _WIN32
#include <dlfcn.h>
#endif

#if TOKENWELL_ABI_VERSION != 1
#error "This package speaks ABI version 1 of libtokenwell; the tokenwell.h that pkg-config names is of another. Point PKG_CONFIG_PATH at the library that belongs to this package."
#endif

// The file that the loader took the library from, or NULL.
static const char *tokenwell_go_loaded_from(void) {
#ifdef _WIN32
	return NULL;
#else
	Dl_info info;
	void *symbol = dlsym(RTLD_DEFAULT, "tokenwell_abi_version");
	return symbol != NULL && dladdr(symbol, &info) != 0 ? info.dli_fname : NULL;
#endif
}
*/
import "C"

import (
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Every call into C is in this file, one Go function for each; the rest of the package is plain Go.

const abiVersion = 1

// LibraryVersion is the loaded library's own version.
func LibraryVersion() string { return C.GoString(C.tokenwell_version()) }

// checkLibrary looks once whether the library that the program was started with is the one it was written for.
var checkLibrary = sync.OnceValue(func() error {
	found := uint32(C.tokenwell_abi_version())
	if found == abiVersion {
		return nil
	}
	problem := &LibraryError{WantABI: abiVersion, FoundABI: found, LibraryVersion: LibraryVersion()}
	if from := C.tokenwell_go_loaded_from(); from != nil {
		problem.LoadedFrom = C.GoString(from)
	}
	return problem
})

func statusName(code Code) string {
	return C.GoString(C.tokenwell_status_name(C.tokenwell_status(code)))
}

// configuration collects the settings of one [New].
type configuration struct{ handle *C.tokenwell_config }

func newConfiguration() (*configuration, error) {
	var made *C.tokenwell_config
	var problem *C.tokenwell_error
	status := C.tokenwell_config_new(&made, &problem)
	if err := taken(status, problem); err != nil {
		return nil, err
	}
	return &configuration{handle: made}, nil
}

func (to *configuration) set(name, value string) error {
	var problem *C.tokenwell_error
	nameText, nameLen := text(name)
	valueText, valueLen := text(value)
	status := C.tokenwell_config_set(to.handle, nameText, nameLen, valueText, valueLen, &problem)
	return taken(status, problem)
}

// checkBaseURL is nil where the library would send a secret to this base URL.
func checkBaseURL(value string) error {
	scratch, err := newConfiguration()
	if err != nil {
		return err
	}
	defer scratch.free()
	return scratch.set("base_url", value)
}

func (to *configuration) useEnvironment() error {
	var problem *C.tokenwell_error
	status := C.tokenwell_config_use_environment(to.handle, &problem)
	return taken(status, problem)
}

func (to *configuration) free() { C.tokenwell_config_free(to.handle) }

// handle is the library's client. Its owner keeps it alive during calls and frees it when none can be running.
type handle C.tokenwell_client

func newHandle(from *configuration) (*handle, error) {
	var made *C.tokenwell_client
	var problem *C.tokenwell_error
	status := C.tokenwell_client_new(from.handle, &made, &problem)
	if err := taken(status, problem); err != nil {
		return nil, err
	}
	return (*handle)(made), nil
}

func (h *handle) c() *C.tokenwell_client { return (*C.tokenwell_client)(h) }

// token makes a get. What it returns says for how long the token may be handed out again without asking; last spares copying the same token's text once more.
func (h *handle) token(asked get, deadlineMS uint64, last *kept) (*kept, error) {
	var flags C.uint32_t
	if asked.forceRefresh {
		flags = C.TOKENWELL_FORCE_REFRESH
	}
	var got *C.tokenwell_token
	var problem *C.tokenwell_error
	status := C.tokenwell_client_token(h.c(), C.uint64_t(asked.minTTL), C.uint64_t(deadlineMS), flags, &got, &problem)
	if err := taken(status, problem); err != nil {
		return nil, err
	}
	defer C.tokenwell_token_free(got)

	// Read before the library says for how long, so that the copy's time never ends later than the library meant.
	now := time.Now()
	fresh := saturated(uint64(C.tokenwell_client_fresh_for_ms(h.c(), got)))

	if last != nil && isSame(last.token, got) {
		return newKept(last.token, now, fresh), nil
	}
	return newKept(newToken(got), now, fresh), nil
}

func (h *handle) invalidate(value string) error {
	var problem *C.tokenwell_error
	valueText, valueLen := text(value)
	status := C.tokenwell_client_invalidate(h.c(), valueText, valueLen, &problem)
	return taken(status, problem)
}

func (h *handle) revoke(deadlineMS uint64) error {
	var problem *C.tokenwell_error
	status := C.tokenwell_client_revoke(h.c(), C.uint64_t(deadlineMS), &problem)
	return taken(status, problem)
}

func (h *handle) stats() (Stats, error) {
	var figures C.tokenwell_stats
	var problem *C.tokenwell_error
	status := C.tokenwell_client_stats(h.c(), &figures, C.size_t(unsafe.Sizeof(figures)), &problem)
	if err := taken(status, problem); err != nil {
		return Stats{}, err
	}
	return Stats{
		Hits:            uint64(figures.hits),
		Waits:           uint64(figures.waits),
		Refreshes:       uint64(figures.refreshes),
		Mints:           uint64(figures.mints),
		MintFailures:    uint64(figures.mint_failures),
		StaleServed:     uint64(figures.stale_served),
		CooldownAnswers: uint64(figures.cooldown_answers),
		Invalidations:   uint64(figures.invalidations),
	}, nil
}

func (h *handle) advanceClock(ms uint64) error {
	var problem *C.tokenwell_error
	status := C.tokenwell_client_advance_clock(h.c(), C.uint64_t(ms), &problem)
	return taken(status, problem)
}

func (h *handle) close() error {
	var problem *C.tokenwell_error
	status := C.tokenwell_client_close(h.c(), &problem)
	return taken(status, problem)
}

// generation points at an atomic counter inside the library's client, and is good for as long as that is.
func (h *handle) generation() *uint64 {
	return (*uint64)(unsafe.Pointer(C.tokenwell_client_generation(h.c())))
}

func (h *handle) free() { C.tokenwell_client_free(h.c()) }

// newToken copies, so that a Token needs no freeing.
func newToken(from *C.tokenwell_token) *Token {
	var authorizationLen, valueLen, scopeLen C.size_t
	authorization := C.tokenwell_token_authorization(from, &authorizationLen)
	value := C.tokenwell_token_value(from, &valueLen)
	scope := C.tokenwell_token_scope(from, &scopeLen)
	made := &content{
		authorization: goText(authorization, authorizationLen),
		value:         goText(value, valueLen),
		scope:         goText(scope, scopeLen),
		expiresAt:     time.UnixMilli(int64(C.tokenwell_token_expires_at_ms(from))),
		generation:    uint64(C.tokenwell_token_generation(from)),
	}
	return &Token{reveal: func() *content { return made }}
}

// isSame compares in place. The generation alone does not tell: a token that may not be kept begins none.
func isSame(token *Token, as *C.tokenwell_token) bool {
	var valueLen C.size_t
	value := C.tokenwell_token_value(as, &valueLen)
	return token.Generation() == uint64(C.tokenwell_token_generation(as)) && token.Value() == borrowed(value, valueLen)
}

// taken turns the library's answer into a Go error and frees the library's. It is nil when the call succeeded.
func taken(status C.tokenwell_status, from *C.tokenwell_error) error {
	if status == C.TOKENWELL_STATUS_OK {
		return nil
	}
	if from == nil {
		return newError(Code(status), "the library gave no message", "")
	}
	defer C.tokenwell_error_free(from)
	var messageLen, hintLen C.size_t
	message := C.tokenwell_error_message(from, &messageLen)
	hint := C.tokenwell_error_hint(from, &hintLen)
	made := &Error{
		Code:       Code(C.tokenwell_error_status(from)),
		Name:       C.GoString(C.tokenwell_error_name(from)),
		Message:    goText(message, messageLen),
		Hint:       goText(hint, hintLen),
		HTTPStatus: int(C.tokenwell_error_http_status(from)),
	}
	if ms := int64(C.tokenwell_error_retry_after_ms(from)); ms >= 0 {
		made.RetryAfter, made.RetryAfterKnown = saturated(uint64(ms)), true
	}
	return made
}

// An empty Go string may have no address, and NULL means something else to the library.
var noText = [1]byte{}

// text lends a string's bytes to one call; the library copies what it keeps.
func text(from string) (*C.char, C.size_t) {
	if from == "" {
		return (*C.char)(unsafe.Pointer(&noText[0])), 0
	}
	return (*C.char)(unsafe.Pointer(unsafe.StringData(from))), C.size_t(len(from))
}

// goText copies length bytes, also those after a NUL.
func goText(from *C.char, length C.size_t) string {
	return strings.Clone(borrowed(from, length))
}

// borrowed is a string in the library's memory, good for as long as that is.
func borrowed(from *C.char, length C.size_t) string {
	if from == nil {
		return ""
	}
	return unsafe.String((*byte)(unsafe.Pointer(from)), int(length))
}

// saturated is milliseconds as a duration, or the longest duration where that is less.
func saturated(ms uint64) time.Duration {
	const longest = time.Duration(1<<63 - 1)
	if ms > uint64(longest/time.Millisecond) {
		return longest
	}
	return time.Duration(ms) * time.Millisecond
}
