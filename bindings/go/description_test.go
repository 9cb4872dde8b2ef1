package tokenwell_test

import (
	"strings"
	"testing"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

func TestBaseURLIsThatOfTheAPI(t *testing.T) {
	t.Parallel()
	for expected, options := range map[string][]tokenwell.Option{
		"https://cloud.mongodb.com": nil,
		"https://atlas.example":     {tokenwell.WithBaseURL("https://atlas.example")},
		"":                          {tokenwell.WithTokenURL("https://login.example/token")},
	} {
		client, err := tokenwell.New(append(options, tokenwell.WithClientID("mdb_sa_id_1"), tokenwell.WithClientSecret("secret"))...)
		if err != nil {
			t.Fatal(err)
		}
		if got := client.BaseURL(); got != expected {
			t.Errorf("%q, expected %q", got, expected)
		}
		_ = client.Close()
		if got := client.BaseURL(); got != expected {
			t.Errorf("after Close: %q, expected %q", got, expected)
		}
	}
}

func TestSourcesSayWhereEachSettingCameFrom(t *testing.T) {
	t.Setenv("MONGODB_ATLAS_CLIENT_ID", "mdb_sa_id_of_the_environment")
	t.Setenv("MONGODB_ATLAS_CLIENT_SECRET", "mdb_sa_sk_of_the_environment")
	client, err := tokenwell.NewFromEnv(tokenwell.WithBaseURL("https://atlas.example"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	sources := client.Sources()

	for name, expected := range map[string]string{
		"client_id":     "environment variable MONGODB_ATLAS_CLIENT_ID",
		"client_secret": "environment variable MONGODB_ATLAS_CLIENT_SECRET",
		"base_url":      "option base_url",
		"timeout_ms":    "the default",
		"token_url":     "",
	} {
		if sources[name] != expected {
			t.Errorf("%s: %q, expected %q", name, sources[name], expected)
		}
	}
	for name, source := range sources {
		if strings.Contains(source, "of_the_environment") {
			t.Errorf("the source of %s contains a value", name)
		}
	}
	sources["client_id"] = "changed"
	if client.Sources()["client_id"] == "changed" {
		t.Error("a caller changed the sources of the client")
	}
}

func TestTheZeroClientHasNoDescription(t *testing.T) {
	t.Parallel()
	var client tokenwell.Client
	if client.BaseURL() != "" || len(client.Sources()) != 0 {
		t.Error("the zero client has a base URL or sources")
	}
}
