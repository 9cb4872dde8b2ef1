package tokenwell_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

func TestI21ATokenPrintsRedactedWithEveryVerbAndFlag(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	token := mustToken(t, client)
	type holder struct {
		byPointer *tokenwell.Token
		byValue   tokenwell.Token
		Shown     tokenwell.Token
	}
	shapes := map[string]any{
		"pointer": token, "value": *token, "holder": holder{token, *token, *token}, "pointer to holder": &holder{token, *token, *token},
		"slice": []*tokenwell.Token{token}, "values": []tokenwell.Token{*token}, "map": map[string]tokenwell.Token{"t": *token}, "interface": []any{*token, token},
	}

	for name, shape := range shapes {
		for verb := 'A'; verb <= 'z'; verb++ {
			for _, flag := range []string{"", "+", "#", "-", " ", "0", "3.2", "+#"} {
				shown := fmt.Sprintf("%"+flag+string(verb), shape)
				if leaks(shown, token.Value()) {
					t.Fatalf("%%%s%c of the %s shows the token", flag, verb, name)
				}
			}
		}
	}
	if shown := fmt.Sprint(token); !strings.Contains(shown, "[redacted]") || token.String() != shown || token.GoString() != shown {
		t.Errorf("prints as %q", shown)
	}
}

func TestI21ATokenIsRedactedByEveryEncoderAndLogger(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	token := mustToken(t, atlas.client())

	asJSON, err := json.Marshal(map[string]any{"value": *token, "pointer": token})
	if err != nil {
		t.Fatal(err)
	}
	asXML, xmlErr := xml.Marshal(token)
	var asGob bytes.Buffer
	gobErr := gob.NewEncoder(&asGob).Encode(token)
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("got", "token", token, "value", *token)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("got", "token", token, "value", *token)

	if string(asJSON) != `{"pointer":"[redacted]","value":"[redacted]"}` {
		t.Errorf("JSON: %s", asJSON)
	}
	for name, shown := range map[string]string{"XML": string(asXML), "gob": asGob.String(), "log": logged.String()} {
		if leaks(shown, token.Value()) {
			t.Errorf("%s shows the token (errors %v, %v)", name, xmlErr, gobErr)
		}
	}
	if strings.Count(logged.String(), "[redacted]") != 4 {
		t.Errorf("logged %s", logged.String())
	}
}

func TestI21AClientAndItsOptionsPrintNoSecret(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	token := mustToken(t, client)
	option := tokenwell.WithClientSecret(atlas.secret)

	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		shown := fmt.Sprintf(verb+verb+verb, client, option, struct{ c *tokenwell.Client }{client})
		if leaks(shown, atlas.secret) || leaks(shown, token.Value()) {
			t.Errorf("%s shows a secret", verb)
		}
	}
}

func TestTheZeroTokenIsEmptyAndPrints(t *testing.T) {
	t.Parallel()
	var token tokenwell.Token

	if token.Value() != "" || token.Authorization() != "" || token.Scope() != "" || !token.ExpiresAt().IsZero() || !strings.Contains(fmt.Sprint(token), "[redacted]") {
		t.Errorf("%v", token)
	}
}

// leaks reports whether shown contains the secret as a string, in hexadecimal or as a list of
// bytes.
func leaks(shown, secret string) bool {
	bytes := fmt.Sprint([]byte(secret))
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("% x", secret), strings.Trim(bytes, "[]")} {
		if strings.Contains(shown, form) {
			return true
		}
	}
	return false
}
