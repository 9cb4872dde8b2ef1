// Package tokenwell provides OAuth 2.0 bearer tokens for MongoDB Atlas Service Accounts and for
// clients of other authorization servers.
//
// A [Client] belongs to one account and can be used by any number of goroutines. It caches the
// current token, refreshes it before it expires, and sends one token request for all callers that
// wait:
//
//	client, err := tokenwell.NewFromEnv()
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	header, err := client.Authorization(ctx)
//
// The package links the tokenwell library with cgo. A released module contains it as a static library
// for Linux with glibc on x86-64. With the build tag tokenwell_dynamic, the package links the shared
// library that pkg-config finds. The package itself contains types, object
// lifetimes, contexts, an http.RoundTripper and a local copy of the current token. While that token
// is current and fresh, a get without options returns the local copy without a lock, an allocation
// or a call into C. [Client.Stats] does not count these gets.
//
// # Waiting and contexts
//
// The deadline of a context becomes the deadline of the call. Without one, the timeout setting
// applies. If the context is done first, the call returns an error that wraps the context's error.
// The token request continues for other callers.
//
// A get waits only before the first token, after an invalidation, or after the token has expired. A
// goroutine that waits occupies no operating system thread, and their number is not limited. Each
// takes about 6 KB, most of which is its stack. While gets wait, the library has two threads, and up
// to two more for each client that refreshes its token; at other times it has none.
//
// # Environment
//
// [New] passes the variables of [os.Environ] to the library, which does not read the environment
// itself. So os.Setenv can be called at any time, also in another goroutine. A variable that C code
// of the program sets with setenv is not used.
//
// # Exit
//
// A call that gets a new token returns when the token is saved for other processes, or 200 ms later.
// A program that exits immediately therefore leaves its token to the next process. os.Exit, a panic,
// a signal and syscall.Exec need no preparation, also while calls wait.
//
// # Secrets
//
// Every string form of a [Token] is [redacted], including those of fmt, JSON and slog. Only
// [Token.Value] and [Token.Authorization] return the secret. The Go copy of a token cannot be wiped
// from memory, because the garbage collector may have copied it.
//
// Start reading at [New]. The settings are in options.go, the errors in errors.go, the
// http.RoundTripper in transport.go and the waiting of callers in waiting.go. The calls into C are in
// library.go and operation.go, the calls from C in callback.go. Which library is linked is decided in
// library.h and native_linux_amd64.go.
package tokenwell
