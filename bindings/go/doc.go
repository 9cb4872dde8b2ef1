// Package tokenwell hands out OAuth 2.0 bearer tokens, MongoDB Atlas Service Accounts' first of all.
//
// One [Client] belongs to one account; any number of goroutines may use it. It keeps the current token, renews it before
// it ends and lets everybody who waits share one token request:
//
//	client, err := tokenwell.NewFromEnv()
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	header, err := client.Authorization(ctx)
//
// The work is done by the tokenwell library, which this package links with cgo. Here live types, lifetimes, contexts,
// an http.RoundTripper and the kept string: while the library's current token stands and is fresh, a get without
// options is answered from Go's own memory, without a lock, an allocation or a call into C. [Client.Stats] does not
// see those gets.
//
// # Waiting and contexts
//
// A context's deadline becomes the call's deadline; without one the configured timeout counts. A caller that gives up
// gets an error that wraps the context's, and never spoils the request that others wait for.
//
// A call into C occupies an operating system thread while it waits. Only gets that cannot be answered from memory wait:
// before the first token, after an invalidation, or once a token has died. At most 256 goroutines of a client wait inside
// the library at once, so that a burst costs at most that many threads; the others queue in Go, where waiting costs no
// thread, and give up with their contexts all the same. Time in that queue counts against a context's deadline, but not
// against the configured timeout, which begins with the call.
//
// # Secrets
//
// A [Token] prints as [redacted] in every form: fmt, JSON and slog. Reading it is explicit: [Token.Value] and
// [Token.Authorization]. Go's garbage collector copies and frees memory as it likes, so the Go copy of a token cannot be
// wiped.
//
// Start reading at [New]; options.go has the settings, errors.go the errors, transport.go the http.RoundTripper, and
// library.go every call into C; waiting.go is how callers wait for one.
package tokenwell
