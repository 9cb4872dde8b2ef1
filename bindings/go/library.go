package tokenwell

/*
#cgo linux CFLAGS: -D_GNU_SOURCE
#cgo tokenwell_dynamic pkg-config: tokenwell
#cgo tokenwell_dynamic CFLAGS: -DTOKENWELL_GO_DYNAMIC
#cgo tokenwell_dynamic,linux LDFLAGS: -ldl
#cgo musl CFLAGS: -DTOKENWELL_GO_MUSL
#cgo noescape tokenwell_token_value
#cgo nocallback tokenwell_token_value
#cgo noescape tokenwell_token_authorization
#cgo nocallback tokenwell_token_authorization
#cgo noescape tokenwell_token_scope
#cgo nocallback tokenwell_token_scope
#include "library.h"
#ifndef _WIN32
#include <dlfcn.h>
#endif

// Returns the path of the shared library, or NULL if it is unknown or linked statically.
static const char *tokenwell_go_loaded_from(void) {
#if defined(TOKENWELL_GO_DYNAMIC) && !defined(_WIN32)
	Dl_info info;
	void *symbol = dlsym(RTLD_DEFAULT, "tokenwell_abi_version");
	return symbol != NULL && dladdr(symbol, &info) != 0 ? info.dli_fname : NULL;
#else
	return NULL;
#endif
}

#ifdef TOKENWELL_GO_DYNAMIC
enum { tokenwell_go_is_static = 0 };
#else
enum { tokenwell_go_is_static = 1 };
#endif
*/
import "C"

import (
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// This file contains all calls into C, each in one Go function. The rest of the package is plain
// Go.

const abiVersion = 1

// LibraryVersion returns the version of the library.
func LibraryVersion() string { return C.GoString(C.tokenwell_version()) }

// checkLibrary returns an error if the library has another ABI version, or is older than the header
// that this package was compiled with. It checks only once.
var checkLibrary = sync.OnceValue(func() error {
	found, version := uint32(C.tokenwell_abi_version()), LibraryVersion()
	if found == abiVersion && !isOlder(version, C.TOKENWELL_VERSION) {
		return nil
	}
	problem := &LibraryError{
		WantABI:        abiVersion,
		FoundABI:       found,
		WantVersion:    C.TOKENWELL_VERSION,
		LibraryVersion: version,
		Static:         C.tokenwell_go_is_static != 0,
	}
	if from := C.tokenwell_go_loaded_from(); from != nil {
		problem.LoadedFrom = C.GoString(from)
	}
	return problem
})

// isOlder compares two versions of three numbers. A version that is not of this form is not older.
func isOlder(version, than string) bool {
	numbers, others := strings.Split(version, "."), strings.Split(than, ".")
	if len(numbers) != 3 || len(others) != 3 {
		return false
	}
	for index := range numbers {
		number, err := strconv.Atoi(numbers[index])
		other, otherErr := strconv.Atoi(others[index])
		if err != nil || otherErr != nil || number != other {
			return err == nil && otherErr == nil && number < other
		}
	}
	return false
}

func statusName(code Code) string {
	return C.GoString(C.tokenwell_status_name(C.tokenwell_status(code)))
}

// configuration collects the settings for one call of [New].
type configuration struct{ handle *C.tokenwell_config }

func newConfiguration() (*configuration, error) {
	var created *C.tokenwell_config
	var problem *C.tokenwell_error
	status := C.tokenwell_config_new(&created, &problem)
	if err := takeError(status, problem); err != nil {
		return nil, err
	}
	return &configuration{handle: created}, nil
}

func (to *configuration) set(name, value string) error {
	var problem *C.tokenwell_error
	namePointer, nameLen := cString(name)
	valuePointer, valueLen := cString(value)
	status := C.tokenwell_config_set(to.handle, namePointer, nameLen, valuePointer, valueLen, &problem)
	return takeError(status, problem)
}

// checkBaseURL returns nil if the library accepts this base URL.
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
	return takeError(status, problem)
}

// useVariables makes the library use the variables of setVariable instead of the environment.
func (to *configuration) useVariables() error {
	var problem *C.tokenwell_error
	status := C.tokenwell_config_use_variables(to.handle, &problem)
	return takeError(status, problem)
}

func (to *configuration) setVariable(name, value string) error {
	var problem *C.tokenwell_error
	namePointer, nameLen := cString(name)
	valuePointer, valueLen := cString(value)
	status := C.tokenwell_config_set_variable(to.handle, namePointer, nameLen, valuePointer, valueLen, &problem)
	return takeError(status, problem)
}

func (to *configuration) free() { C.tokenwell_config_free(to.handle) }

// handle is the library's client. Its owner keeps it alive during calls and frees it when no call
// can be running.
type handle C.tokenwell_client

func newHandle(from *configuration) (*handle, error) {
	var created *C.tokenwell_client
	var problem *C.tokenwell_error
	status := C.tokenwell_client_new(from.handle, &created, &problem)
	if err := takeError(status, problem); err != nil {
		return nil, err
	}
	return (*handle)(created), nil
}

func (h *handle) c() *C.tokenwell_client { return (*C.tokenwell_client)(h) }

// tokenReference is a reference to a token of the library. Its owner frees it.
type tokenReference C.tokenwell_token

func (t *tokenReference) free() { C.tokenwell_token_free((*C.tokenwell_token)(t)) }

// copyOf returns a token and for how long it can be returned without another call of the library.
// If it is the token that is already in last, its strings are not copied again.
func (h *handle) copyOf(reference *tokenReference, last *localCopy) *localCopy {
	got := (*C.tokenwell_token)(reference)
	// The clock is read before the call, so that the copy is never used for longer than the library
	// allows.
	now := time.Now()
	fresh := saturated(uint64(C.tokenwell_client_fresh_for_ms(h.c(), got)))

	if last != nil && isSame(last.token, got) {
		return newLocalCopy(last.token, now, fresh)
	}
	return newLocalCopy(newToken(got), now, fresh)
}

func (h *handle) stats() (Stats, error) {
	var counts C.tokenwell_stats
	var problem *C.tokenwell_error
	status := C.tokenwell_client_stats(h.c(), &counts, C.size_t(unsafe.Sizeof(counts)), &problem)
	if err := takeError(status, problem); err != nil {
		return Stats{}, err
	}
	return Stats{
		Hits:            uint64(counts.hits),
		Waits:           uint64(counts.waits),
		Refreshes:       uint64(counts.refreshes),
		Mints:           uint64(counts.mints),
		MintFailures:    uint64(counts.mint_failures),
		StaleServed:     uint64(counts.stale_served),
		CooldownAnswers: uint64(counts.cooldown_answers),
		Invalidations:   uint64(counts.invalidations),
	}, nil
}

func (h *handle) advanceClock(ms uint64) error {
	var problem *C.tokenwell_error
	status := C.tokenwell_client_advance_clock(h.c(), C.uint64_t(ms), &problem)
	return takeError(status, problem)
}

func (h *handle) close() error {
	var problem *C.tokenwell_error
	status := C.tokenwell_client_close(h.c(), &problem)
	return takeError(status, problem)
}

func (h *handle) baseURL() string {
	var length C.size_t
	url := C.tokenwell_client_base_url(h.c(), &length)
	return goString(url, length)
}

func (h *handle) sources() map[string]string {
	sources := make(map[string]string)
	for index := C.size_t(0); ; index++ {
		var source *C.char
		name := C.tokenwell_client_setting(h.c(), index, &source)
		if name == nil {
			return sources
		}
		sources[C.GoString(name)] = C.GoString(source)
	}
}

// generation returns a pointer to an atomic counter inside the library's client. It is valid until
// the client is freed.
func (h *handle) generation() *uint64 {
	return (*uint64)(unsafe.Pointer(C.tokenwell_client_generation(h.c())))
}

func (h *handle) free() { C.tokenwell_client_free(h.c()) }

// newToken copies the strings, so that a Token does not have to be freed.
func newToken(from *C.tokenwell_token) *Token {
	var authorizationLen, valueLen, scopeLen C.size_t
	authorization := C.tokenwell_token_authorization(from, &authorizationLen)
	value := C.tokenwell_token_value(from, &valueLen)
	scope := C.tokenwell_token_scope(from, &scopeLen)
	created := &content{
		authorization: goString(authorization, authorizationLen),
		value:         goString(value, valueLen),
		scope:         goString(scope, scopeLen),
		expiresAt:     time.UnixMilli(int64(C.tokenwell_token_expires_at_ms(from))),
		generation:    uint64(C.tokenwell_token_generation(from)),
	}
	return &Token{reveal: func() *content { return created }}
}

// isSame compares without copying. Comparing generations is not enough: a token that may not be
// cached does not start a new generation.
func isSame(token *Token, as *C.tokenwell_token) bool {
	var valueLen C.size_t
	value := C.tokenwell_token_value(as, &valueLen)
	return token.Generation() == uint64(C.tokenwell_token_generation(as)) && token.Value() == borrowed(value, valueLen)
}

// takeError converts the error of a call to a Go error and frees it. It returns nil if the call
// succeeded.
func takeError(status C.tokenwell_status, from *C.tokenwell_error) error {
	if status == C.TOKENWELL_STATUS_OK {
		return nil
	}
	if from == nil {
		return newError(Code(status), "the call failed, and the library returned no message", "")
	}
	defer C.tokenwell_error_free(from)
	var messageLen, hintLen, oauthCodeLen C.size_t
	message := C.tokenwell_error_message(from, &messageLen)
	hint := C.tokenwell_error_hint(from, &hintLen)
	oauthCode := C.tokenwell_error_oauth_code(from, &oauthCodeLen)
	created := &Error{
		Code:         Code(C.tokenwell_error_status(from)),
		Name:         C.GoString(C.tokenwell_error_name(from)),
		Message:      goString(message, messageLen),
		Hint:         goString(hint, hintLen),
		HTTPStatus:   int(C.tokenwell_error_http_status(from)),
		OAuthCode:    goString(oauthCode, oauthCodeLen),
		IsRemembered: C.tokenwell_error_is_remembered(from) != 0,
		Attempts:     int(C.tokenwell_error_attempts(from)),
	}
	if ms := int64(C.tokenwell_error_age_ms(from)); ms > 0 {
		created.Age = saturated(uint64(ms))
	}
	if ms := int64(C.tokenwell_error_retry_after_ms(from)); ms >= 0 {
		created.RetryAfter, created.RetryAfterKnown = saturated(uint64(ms)), true
	}
	return created
}

// emptyString provides an address for the empty string. An empty Go string may have none, and the
// library does not treat NULL as an empty string.
var emptyString = [1]byte{}

// cString returns the address and the length of a string, for one call. The library copies what it
// keeps.
func cString(from string) (*C.char, C.size_t) {
	if from == "" {
		return (*C.char)(unsafe.Pointer(&emptyString[0])), 0
	}
	return (*C.char)(unsafe.Pointer(unsafe.StringData(from))), C.size_t(len(from))
}

// goString copies length bytes, including any NUL.
func goString(from *C.char, length C.size_t) string {
	return strings.Clone(borrowed(from, length))
}

// borrowed returns a string in the library's memory. It is valid until the object that owns it is
// freed.
func borrowed(from *C.char, length C.size_t) string {
	if from == nil {
		return ""
	}
	return unsafe.String((*byte)(unsafe.Pointer(from)), int(length))
}

// saturated converts milliseconds to a duration, limited to the longest duration.
func saturated(ms uint64) time.Duration {
	const longest = time.Duration(1<<63 - 1)
	if ms > uint64(longest/time.Millisecond) {
		return longest
	}
	return time.Duration(ms) * time.Millisecond
}
