//go:build cgo

package tokenwell

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

const redacted = "[redacted]"

// Token is an immutable access token. It remains usable after its client is closed.
//
// Every string form of a token is redacted. Only [Token.Value] and [Token.Authorization] return the
// secret. To compare tokens, compare their values.
type Token struct {
	// A function, because code that prints by reflection does not inspect closures. So a Token does
	// not show its secret in an unexported field, where fmt cannot call Format, or in a debugging
	// dump.
	reveal func() *content
}

type content struct {
	authorization string
	value         string
	scope         string
	expiresAt     time.Time
	generation    uint64
}

// Value returns the access token as the server issued it. It is opaque: do not parse it.
func (t Token) Value() string { return t.read().value }

// Authorization returns the value of the Authorization header: "Bearer …".
func (t Token) Authorization() string { return t.read().authorization }

// ExpiresAt returns the time at which the token expires, by the wall clock.
func (t Token) ExpiresAt() time.Time { return t.read().expiresAt }

// Scope returns the scope in the server's reply, or an empty string if the reply had no scope.
func (t Token) Scope() string { return t.read().scope }

// Generation returns the client's generation when this token became current; see
// [Client.Generation].
func (t Token) Generation() uint64 { return t.read().generation }

// String returns the scope and the expiry; the value is redacted.
func (t Token) String() string {
	return fmt.Sprintf("tokenwell.Token{value: %s, scope: %q, expires: %s}", redacted, t.Scope(), t.ExpiresAt().UTC().Format(time.RFC3339))
}

// GoString returns the same as String.
func (t Token) GoString() string { return t.String() }

// Format writes the result of String for every verb.
func (t Token) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, t.String()) }

// MarshalJSON returns "[redacted]".
func (t Token) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns [redacted].
func (t Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns the scope and the expiry; the value is redacted.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(slog.String("value", redacted), slog.String("scope", t.Scope()), slog.Time("expires_at", t.ExpiresAt()))
}

// read returns empty content for the zero Token.
func (t Token) read() *content {
	if t.reveal == nil {
		return &content{}
	}
	return t.reveal()
}
