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
// The package links the tokenwell library with cgo. The package itself contains types, object
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
// A call into C occupies an operating system thread while it waits. A get waits only before the
// first token, after an invalidation, or after the token has expired. At most 256 goroutines of a
// client wait inside the library at the same time, so a burst uses at most 256 threads. Other
// goroutines queue in Go, where waiting uses no thread, and return when their context is done. Time
// in the queue counts against the deadline of a context, but not against the timeout setting, which
// starts with the call.
//
// # Secrets
//
// Every string form of a [Token] is [redacted], including those of fmt, JSON and slog. Only
// [Token.Value] and [Token.Authorization] return the secret. The Go copy of a token cannot be wiped
// from memory, because the garbage collector may have copied it.
//
// Start reading at [New]. The settings are in options.go, the errors in errors.go, the
// http.RoundTripper in transport.go, the calls into C in library.go and the waiting of callers in
// waiting.go.
package tokenwell
