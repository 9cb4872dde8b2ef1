package tokenwell_test

import (
	"errors"
	"strings"
	"testing"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

func TestN15TheStringFormJoinsMessageAndHint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ message, hint, expected string }{
		{"no credential was provided", "Check the setting.", "tokenwell: NOT_CONFIGURED: no credential was provided (Check the setting.)"},
		{"no credential was provided.", "Check the setting.", "tokenwell: NOT_CONFIGURED: no credential was provided (Check the setting.)"},
		{"no credential was provided", "", "tokenwell: NOT_CONFIGURED: no credential was provided"},
		{"no credential was provided.", "", "tokenwell: NOT_CONFIGURED: no credential was provided."},
	} {
		err := &tokenwell.Error{Code: tokenwell.CodeNotConfigured, Name: "NOT_CONFIGURED", Message: c.message, Hint: c.hint}
		if err.Error() != c.expected {
			t.Errorf("%q, expected %q", err.Error(), c.expected)
		}
	}
}

func TestN15TheStringFormOfALibraryErrorIsPunctuated(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]tokenwell.Option{
		"no settings":      nil,
		"unknown setting":  {tokenwell.WithSetting("color", "blue")},
		"invalid setting":  {tokenwell.WithClientID("a\x00")},
		"refused setting":  {tokenwell.WithBaseURL("http://atlas.example")},
		"negative timeout": {tokenwell.WithTimeout(-1)},
	} {
		client, err := tokenwell.New(options...)
		if err == nil {
			_, err = client.Token(t.Context())
			_ = client.Close()
		}
		var problem *tokenwell.Error
		if !errors.As(err, &problem) || problem.Hint == "" || !strings.HasSuffix(problem.Error(), ".)") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, wrong := range []string{"..", ". (", ".;", ".,", "%!", "()"} {
			if strings.Contains(problem.Error(), wrong) {
				t.Errorf("%s: the string form contains %q: %v", name, wrong, err)
			}
		}
	}
}
