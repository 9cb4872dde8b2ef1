package tokenwell

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

const redacted = "[redacted]"

// Token is an access token. It never changes and outlives its client.
//
// It prints redacted in every form; its text is read by [Token.Value] and [Token.Authorization]. Compare values, not tokens.
type Token struct {
	// Behind a function, because nothing that prints by reflection looks into one: a Token in someone's unexported field,
	// where fmt may not call Format, and in a debugging dump still shows no secret.
	reveal func() *content
}

type content struct {
	authorization string
	value         string
	scope         string
	expiresAt     time.Time
	generation    uint64
}

// Value is the token's text, as the server issued it. Opaque: do not parse it.
func (t Token) Value() string { return t.read().value }

// Authorization is the value for the Authorization header: "Bearer …".
func (t Token) Authorization() string { return t.read().authorization }

// ExpiresAt is when the token ends, by the wall clock.
func (t Token) ExpiresAt() time.Time { return t.read().expiresAt }

// Scope is what the server granted, empty where it did not say.
func (t Token) Scope() string { return t.read().scope }

// Generation is the number of the client's generation that this token began; see [Client.Generation].
func (t Token) Generation() uint64 { return t.read().generation }

// String shows everything but the token.
func (t Token) String() string {
	return fmt.Sprintf("tokenwell.Token{value: %s, scope: %q, expires: %s}", redacted, t.Scope(), t.ExpiresAt().UTC().Format(time.RFC3339))
}

// GoString is String.
func (t Token) GoString() string { return t.String() }

// Format writes String whatever the verb.
func (t Token) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, t.String()) }

// MarshalJSON writes "[redacted]".
func (t Token) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText writes [redacted].
func (t Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue shows everything but the token.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(slog.String("value", redacted), slog.String("scope", t.Scope()), slog.Time("expires_at", t.ExpiresAt()))
}

// read makes the zero Token an empty one instead of a crash.
func (t Token) read() *content {
	if t.reveal == nil {
		return &content{}
	}
	return t.reveal()
}
