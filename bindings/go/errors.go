//go:build cgo

package tokenwell

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Code is the stable number of a kind of error, the same in every language. Numbers are never
// reused.
type Code int32

const (
	// CodeInvalidArgument means that an argument or a setting is invalid.
	CodeInvalidArgument Code = 1
	// CodeNotConfigured means that there is no usable credential, or that settings contradict each
	// other.
	CodeNotConfigured Code = 2
	// CodeCredentialRejected means that the server rejected the client credentials. A retry cannot
	// succeed.
	CodeCredentialRejected Code = 3
	// CodeTokenLimit means that the account has the maximum number of valid tokens.
	CodeTokenLimit Code = 4
	// CodeRateLimited means that the server limits token requests. Retry after Error.RetryAfter.
	CodeRateLimited Code = 5
	// CodeNetwork means that the server could not be reached, or that the connection was lost.
	CodeNetwork Code = 6
	// CodeTLS means that the TLS handshake failed.
	CodeTLS Code = 7
	// CodeDeadline means that the deadline of the call was exceeded.
	CodeDeadline Code = 8
	// CodeServer means that the server replied with a 5xx status.
	CodeServer Code = 9
	// CodeProtocol means that the server's reply is not a token response.
	CodeProtocol Code = 10
	// CodeRefused means that the operation is unsafe and was refused.
	CodeRefused Code = 11
	// CodeClosed means that the client is closed.
	CodeClosed Code = 12
	// CodeInternal means that there is a bug in tokenwell.
	CodeInternal Code = 13
)

// These are the targets for [errors.Is]: each matches every [Error] with its [Code].
var (
	ErrInvalidArgument    error = sentinel(CodeInvalidArgument)
	ErrNotConfigured      error = sentinel(CodeNotConfigured)
	ErrCredentialRejected error = sentinel(CodeCredentialRejected)
	ErrTokenLimit         error = sentinel(CodeTokenLimit)
	ErrRateLimited        error = sentinel(CodeRateLimited)
	ErrNetwork            error = sentinel(CodeNetwork)
	ErrTLS                error = sentinel(CodeTLS)
	ErrDeadline           error = sentinel(CodeDeadline)
	ErrServer             error = sentinel(CodeServer)
	ErrProtocol           error = sentinel(CodeProtocol)
	ErrRefused            error = sentinel(CodeRefused)
	ErrClosed             error = sentinel(CodeClosed)
	ErrInternal           error = sentinel(CodeInternal)
)

// Error is the error of a failed call. Two failures have other types: a canceled context, and an
// unusable library ([LibraryError]).
type Error struct {
	// Code is the stable number.
	Code Code
	// Name is the stable name, for example RATE_LIMITED.
	Name string
	// Message says what happened, and to what.
	Message string
	// Hint says what to do about it, in full sentences. It may be empty.
	Hint string
	// HTTPStatus is the HTTP status of the server's reply, or 0 if there was no reply.
	HTTPStatus int
	// RetryAfter is the time before a new attempt can succeed. It is only set if RetryAfterKnown is
	// true.
	RetryAfter      time.Duration
	RetryAfterKnown bool
	// OAuthCode is the error code in the server's reply (RFC 6749 section 5.2), for example
	// invalid_client. It is empty if the reply had none.
	OAuthCode string
	// IsRemembered reports whether this is the error of an earlier call, which is returned during a
	// cooldown. No request was sent for this call.
	IsRemembered bool
	// Age is how long ago a remembered error occurred. It is zero for a new error.
	Age time.Duration
	// Attempts is how many requests the failure took, including retries. It is zero if the failure
	// is not that of a request.
	Attempts int
}

// Error returns the name, the message and, in parentheses, the hint.
func (e *Error) Error() string {
	prefix := "tokenwell: " + e.Name + ": "
	if e.Hint == "" {
		return prefix + e.Message
	}
	return prefix + strings.TrimSuffix(e.Message, ".") + " (" + e.Hint + ")"
}

// Is reports whether target is the sentinel of the error's code. An error with [CodeDeadline] also
// matches [context.DeadlineExceeded].
func (e *Error) Is(target error) bool {
	if code, ok := target.(sentinel); ok {
		return Code(code) == e.Code
	}
	return e.Code == CodeDeadline && target == context.DeadlineExceeded
}

// Timeout reports whether the deadline of the call was exceeded. It is the method of [net.Error].
func (e *Error) Timeout() bool { return e.Code == CodeDeadline }

// String returns the stable name, for example RATE_LIMITED.
func (c Code) String() string { return statusName(c) }

type sentinel Code

func (s sentinel) Error() string { return "tokenwell: " + Code(s).String() }

// LibraryError reports that the library is not compatible with this package.
type LibraryError struct {
	// WantABI is the ABI version that this package requires. FoundABI is the version of the
	// library.
	WantABI, FoundABI uint32
	// WantVersion is the version of libtokenwell that this package was compiled for. LibraryVersion
	// is the version of the library.
	WantVersion, LibraryVersion string
	// Static reports whether the library is a part of the program. Otherwise it is a shared library
	// (build tag tokenwell_dynamic).
	Static bool
	// LoadedFrom is the path of the shared library, or empty if it is unknown.
	LoadedFrom string
}

// Error describes the two versions and how another library is used.
func (e *LibraryError) Error() string {
	from := ", loaded from " + e.LoadedFrom
	hint := "The dynamic loader uses the first libtokenwell that it finds in LD_LIBRARY_PATH, the program's run path and the system's " +
		"library directories. Make it find a library that matches, or rebuild the program with the Go package that matches " +
		"the library. The build finds the library through tokenwell.pc and pkg-config."
	if e.LoadedFrom == "" {
		from = ", loaded from an unknown path"
	}
	if e.Static {
		from = ", which is a part of this program"
		hint = "The program contains the static libraries of two versions of tokenwell, and the linker used the other one. Find them with " +
			"`go list -m all` and in CGO_LDFLAGS, and keep one. If there is only one, the files of the module do not belong together: " +
			"run `go mod verify`, and `go mod vendor` if the module is vendored."
	}
	return fmt.Sprintf("tokenwell: libtokenwell %s%s, has ABI version %d, but this package requires libtokenwell %s or newer with ABI version %d (%s)",
		e.LibraryVersion, from, e.FoundABI, e.WantVersion, e.WantABI, hint)
}

func newError(code Code, message, hint string) *Error {
	return &Error{Code: code, Name: code.String(), Message: message, Hint: hint}
}

func invalidArgument(message, hint string) *Error {
	return newError(CodeInvalidArgument, message, hint)
}

// contextError returns nil if the context is not done. An exceeded deadline becomes the same error
// as the library's own CodeDeadline. A cancellation becomes an error that wraps the context's error
// and its cause, if it has one.
func contextError(ctx context.Context) error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case err == context.DeadlineExceeded:
		return newError(CodeDeadline, "deadline exceeded: the context expired before the call completed",
			"Allow more time, or try again: a refresh in progress continues in the background.")
	case context.Cause(ctx) != err:
		return fmt.Errorf("tokenwell: context done while waiting: %w: %w", err, context.Cause(ctx))
	default:
		return fmt.Errorf("tokenwell: context done while waiting: %w", err)
	}
}
