package tokenwell

import (
	"context"
	"fmt"
	"time"
)

// Code is the stable number of an outcome, the same in every language. Numbers are never reused.
type Code int32

const (
	// CodeInvalidArgument: the call or setting is wrong.
	CodeInvalidArgument Code = 1
	// CodeNotConfigured: there is no usable credential, or settings contradict each other.
	CodeNotConfigured Code = 2
	// CodeCredentialRejected: the server rejected the client; asking again cannot help.
	CodeCredentialRejected Code = 3
	// CodeTokenLimit: the account has as many live tokens as Atlas allows.
	CodeTokenLimit Code = 4
	// CodeRateLimited: the server wants to be left alone for a while.
	CodeRateLimited Code = 5
	// CodeNetwork: the server could not be reached, or the connection broke.
	CodeNetwork Code = 6
	// CodeTLS: the TLS handshake failed.
	CodeTLS Code = 7
	// CodeDeadline: the caller's own time is over.
	CodeDeadline Code = 8
	// CodeServer: the server answered with a 5xx status.
	CodeServer Code = 9
	// CodeProtocol: the server's reply is not a token response.
	CodeProtocol Code = 10
	// CodeRefused: not done for safety's sake.
	CodeRefused Code = 11
	// CodeClosed: the client was closed.
	CodeClosed Code = 12
	// CodeInternal: a bug in tokenwell.
	CodeInternal Code = 13
)

// What errors.Is compares an error with, one for each [Code].
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

// Error is what every failing call returns, but for a context's cancellation and an unusable library ([LibraryError]).
type Error struct {
	// Code is the stable number.
	Code Code
	// Name is the stable name: RATE_LIMITED.
	Name string
	// Message says what happened, to what.
	Message string
	// Hint says what to do about it.
	Hint string
	// HTTPStatus is the status of the server's reply, 0 if there was none.
	HTTPStatus int
	// RetryAfter says for how long it is useless to ask again, where RetryAfterKnown.
	RetryAfter      time.Duration
	RetryAfterKnown bool
}

// Error shows the message and the hint.
func (e *Error) Error() string {
	text := "tokenwell: " + e.Name + ": " + e.Message
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Is makes errors.Is match the sentinel of the error's code, and [context.DeadlineExceeded] where the caller's time was over.
func (e *Error) Is(target error) bool {
	if code, ok := target.(sentinel); ok {
		return Code(code) == e.Code
	}
	return e.Code == CodeDeadline && target == context.DeadlineExceeded
}

// Timeout tells whether the caller's time was over, in the words of [net.Error].
func (e *Error) Timeout() bool { return e.Code == CodeDeadline }

// String is the stable name: RATE_LIMITED.
func (c Code) String() string { return statusName(c) }

type sentinel Code

func (s sentinel) Error() string { return "tokenwell: " + Code(s).String() }

// LibraryError tells that the library that the program was started with cannot serve this package.
type LibraryError struct {
	// WantABI is the interface that this package speaks, FoundABI the library's.
	WantABI, FoundABI uint32
	// LibraryVersion is the loaded library's own version.
	LibraryVersion string
	// LoadedFrom is the file that the system's loader took, empty where the system does not tell.
	LoadedFrom string
}

func (e *LibraryError) Error() string {
	from := e.LoadedFrom
	if from == "" {
		from = "a file that the system does not name"
	}
	return fmt.Sprintf("tokenwell: the program loaded libtokenwell %s from %s, which has ABI version %d, but this package speaks version %d "+
		"(the program was linked through pkg-config's tokenwell.pc; at its start the loader looked in LD_LIBRARY_PATH, the program's own "+
		"run path and the system's directories, and took the first libtokenwell it found: put one with ABI version %d first, or build "+
		"the program again with the package that belongs to the library)",
		e.LibraryVersion, from, e.FoundABI, e.WantABI, e.WantABI)
}

func newError(code Code, message, hint string) *Error {
	return &Error{Code: code, Name: code.String(), Message: message, Hint: hint}
}

func invalidArgument(message, hint string) *Error {
	return newError(CodeInvalidArgument, message, hint)
}

// contextError is nil while the context is alive. A passed deadline looks like the library's own DEADLINE, a cancellation wraps the context's error
// and, where there is one, its cause.
func contextError(ctx context.Context) error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case err == context.DeadlineExceeded:
		return newError(CodeDeadline, "the context's deadline passed before there was an answer", "Allow more time, or try again: the refresh may still finish for the next caller.")
	case context.Cause(ctx) != err:
		return fmt.Errorf("tokenwell: gave up waiting: %w: %w", err, context.Cause(ctx))
	default:
		return fmt.Errorf("tokenwell: gave up waiting: %w", err)
	}
}
