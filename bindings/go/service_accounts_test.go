package tokenwell_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

const someID = "mdb_sa_id_0123456789abcdef01234567"

func (e *emulator) accounts() (*tokenwell.ServiceAccounts, string) {
	e.t.Helper()
	return tokenwell.NewServiceAccounts(e.client(), tokenwell.Organization(e.org)), "/api/atlas/v2/orgs/" + e.org + "/serviceAccounts"
}

func (e *emulator) apiRequests() int {
	e.t.Helper()
	var counted struct {
		APIRequests int `json:"api_requests"`
	}
	e.get("/_emulator/counters", &counted)
	return counted.APIRequests
}

func aDeployment() tokenwell.NewServiceAccount {
	return tokenwell.NewServiceAccount{Name: "deploy", Description: "Made by a test", Roles: []string{"ORG_MEMBER"}, SecretExpiresAfterHours: 8}
}

// pageOf is a fault: a page with the accounts of these numbers.
func pageOf(path string, total int, numbers ...int) map[string]any {
	results := []any{}
	for _, number := range numbers {
		results = append(results, map[string]any{"clientId": "account_" + strconv.Itoa(number)})
	}
	return map[string]any{"path": path, "times": 1, "body": map[string]any{"results": results, "totalCount": total}}
}

func upTo(end int) (numbers []int) {
	for number := range end {
		numbers = append(numbers, number)
	}
	return numbers
}

func TestANewSecretIsOnlyInItsValue(t *testing.T) {
	t.Parallel()
	accounts, _ := startEmulator(t).accounts()
	created, err := accounts.Create(t.Context(), aDeployment())
	if err != nil {
		t.Fatal(err)
	}
	value := created.Secret.Value()
	if !strings.HasPrefix(value, "mdb_sa_sk_") {
		t.Fatal("not a secret")
	}
	asJSON, err := json.Marshal(created)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("created", "created", created, "secret", created.Secret)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("created", "created", created, "secret", created.Secret)
	shown := []string{string(asJSON), logged.String(), created.Secret.String()}
	for verb := 'A'; verb <= 'z'; verb++ {
		for _, flag := range []string{"", "+", "#", "+#"} {
			shown = append(shown, fmt.Sprintf("%"+flag+string(verb), created), fmt.Sprintf("%"+flag+string(verb), struct{ private tokenwell.Secret }{created.Secret}))
		}
	}
	for _, one := range shown {
		if leaks(one, value) {
			t.Fatalf("shows the secret in %d characters", len(one))
		}
	}
	if !strings.Contains(string(asJSON), `"Secret":"[redacted]"`) || (tokenwell.Secret{}).Value() != "" {
		t.Errorf("%s", asJSON)
	}
}

func TestAnErrorStatusHasTheWordsOfTheAPI(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	accounts, path := atlas.accounts()
	atlas.faults(map[string]any{
		"path": path + "/*", "status": 429, "times": 1, "headers": map[string]any{"Retry-After": "7"},
		"body": map[string]any{"error": 429, "errorCode": "RATE_LIMITED", "detail": "Too\x1b[31m many", "parameters": []int{1}},
	})

	_, err := accounts.Get(t.Context(), someID)

	var refusal *tokenwell.APIError
	if !errors.As(err, &refusal) || refusal.StatusCode != 429 || refusal.RetryAfter != 7*time.Second || !refusal.RetryAfterKnown || len(refusal.Parameters) != 1 {
		t.Fatalf("%#v", err)
	}
	if message := "tokenwell: GET " + path + "/" + someID + ": HTTP status 429: Too\ufffd[31m many [RATE_LIMITED]"; err.Error() != message {
		t.Error(err)
	}
	if atlas.apiRequests() != 1 {
		t.Error("the request was repeated")
	}
	if err := accounts.Delete(t.Context(), someID); !errors.As(err, &refusal) || refusal.StatusCode != 404 || refusal.ErrorCode != "SERVICE_ACCOUNT_NOT_FOUND" {
		t.Error(err)
	}
}

func TestWhatIsNotTheAPIIsAnErrorThatNamesTheField(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	accounts, path := atlas.accounts()
	for _, body := range []any{
		"<html>", []any{}, map[string]any{}, map[string]any{"clientId": 1}, map[string]any{"clientId": "a", "roles": "b"},
		map[string]any{"clientId": "a", "secrets": []any{map[string]any{"secret": "canary"}}},
	} {
		atlas.faults(map[string]any{"path": path + "/*", "times": 1, "status": 200, "body": body})
		_, err := accounts.Get(t.Context(), someID)
		if err == nil || !strings.Contains(err.Error(), "HTTP status 200, but the response is not what the API describes: ") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v: %v", body, err)
		}
	}
	body := map[string]any{"clientId": "a", "secrets": []any{map[string]any{"id": "b"}}}
	atlas.faults(map[string]any{"path": path, "method": "POST", "times": 1, "status": 201, "body": body})
	if _, err := accounts.Create(t.Context(), aDeployment()); err == nil || !strings.HasSuffix(err.Error(), "HTTP status 201, but the response has no secret") {
		t.Error(err)
	}
}

func TestWhatALaterVersionAddsIsKept(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	accounts, path := atlas.accounts()
	body := map[string]any{
		"clientId": someID, "roles": []string{"ORG_OF_2030"}, "color": map[string]any{"hue": 7}, "created": "2030-01-01T00:00:00Z",
		"description": nil, "secrets": []any{map[string]any{"id": "a", "secret": "canary", "kind": "new"}},
	}
	atlas.faults(map[string]any{"path": path + "/*", "status": 200, "body": body})

	account, err := accounts.Get(t.Context(), someID)

	if err != nil || account.CreatedAt != "2030-01-01T00:00:00Z" || account.Roles[0] != "ORG_OF_2030" || account.SystemManaged != nil {
		t.Fatalf("%+v, %v", account, err)
	}
	if len(account.Other) != 1 || string(account.Other["color"]) != `{"hue":7}` || string(account.Secrets[0].Other["kind"]) != `"new"` || len(account.Secrets[0].Other) != 1 {
		t.Errorf("%+v", account)
	}
}

func TestAListThatChangesWhileItIsReadHasEachAccountOnce(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	accounts, path := atlas.accounts()
	first := upTo(500)
	// An account of the first page was deleted before the second page was read: all others moved by one.
	then := pageOf(path, 501, append(first[1:], 500)...)
	atlas.faults(pageOf(path, 502, first...), pageOf(path, 501, 501), then, pageOf(path, 501, 501), then)

	all, err := collected(accounts.List(t.Context()))

	once := map[string]bool{}
	for _, account := range all {
		once[account.ClientID] = true
	}
	if err != nil || len(all) != 502 || len(once) != 502 || atlas.apiRequests() != 5 {
		t.Errorf("%d accounts, %d different ones, %d requests, %v", len(all), len(once), atlas.apiRequests(), err)
	}
	var sent struct{ Query string }
	atlas.get("/_emulator/last_request?path="+path, &sent)
	if sent.Query != "itemsPerPage=500&pageNum=1" {
		t.Error(sent.Query)
	}
}

func TestNoAccountIsLostIfOneIsAddedAndAnotherRemoved(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	accounts, path := atlas.accounts()
	first := upTo(500)
	// The total stays as it was, and account 500 moved to the first page.
	then := pageOf(path, 501, append(first[1:], 500)...)
	atlas.faults(pageOf(path, 501, first...), pageOf(path, 501, 501), then, then, pageOf(path, 501, 501), then)

	all, err := collected(accounts.List(t.Context()))

	found := map[string]bool{}
	for _, account := range all {
		found[account.ClientID] = true
	}
	if err != nil || len(all) != 502 || len(found) != 502 || !found["account_500"] || atlas.apiRequests() != 6 {
		t.Errorf("%d accounts, %d different ones, %d requests, %v", len(all), len(found), atlas.apiRequests(), err)
	}
}

func TestACreateWhoseReplyIsLostIsNotRepeated(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	accounts, path := atlas.accounts()
	atlas.faults(map[string]any{"path": path, "method": "POST", "close": "reset_after_effect"})

	_, err := accounts.Create(t.Context(), aDeployment())

	if !errors.Is(err, tokenwell.ErrNetwork) || !strings.Contains(err.Error(), "may have") {
		t.Error(err)
	}
	all, err := collected(accounts.List(t.Context()))
	if err != nil || len(all) != 2 || all[1].Name != "deploy" {
		t.Error(len(all), err)
	}
}

func TestAListThatNeverFitsIsAnError(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	accounts, path := atlas.accounts()
	atlas.faults(pageOf(path, 600, upTo(500)...), pageOf(path, 600, upTo(500)...))
	if all, err := collected(accounts.List(t.Context())); err == nil || !strings.HasSuffix(err.Error(), "page 2 has the results of an earlier page") {
		t.Error(len(all), err)
	}
	var pages []map[string]any
	for number := range 10 {
		pages = append(pages, pageOf(path, 600+number, upTo(500)...))
	}
	atlas.faults(pages...)
	if all, err := collected(accounts.List(t.Context())); err == nil || !strings.HasSuffix(err.Error(), "the list changes while it is read") {
		t.Error(len(all), err)
	}
}

func TestAPageIsRequestedWhenItIsNeeded(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	accounts, path := atlas.accounts()
	atlas.faults(pageOf(path, 501, upTo(500)...), pageOf(path, 501, 500))

	for account, err := range accounts.List(t.Context()) {
		if err != nil || account.ClientID != "account_0" {
			t.Fatal(account, err)
		}
		break
	}

	if atlas.apiRequests() != 1 {
		t.Error(atlas.apiRequests())
	}
}

func TestAWrongArgumentIsNamedAndNothingIsSent(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	accounts, _ := atlas.accounts()
	ctx := t.Context()
	project := tokenwell.NewServiceAccounts(atlas.client(), tokenwell.Project(atlas.project))
	got := func(of *tokenwell.ServiceAccounts, id string) error { _, err := of.Get(ctx, id); return err }
	_, list := collected(project.Projects(ctx, someID))
	_, invited := accounts.Invite(ctx, someID, []string{"GROUP_OWNER"})
	for message, err := range map[string]error{
		"organization: `../x` cannot be one":                      got(tokenwell.NewServiceAccounts(atlas.client(), tokenwell.Organization("../x")), someID),
		"level: it is empty":                                      got(tokenwell.NewServiceAccounts(atlas.client(), tokenwell.Level{}), someID),
		"the client was not created by New":                       got(tokenwell.NewServiceAccounts(nil, tokenwell.Project("a")), someID),
		"client_id: an empty string cannot be one":                accounts.Delete(ctx, ""),
		"client_id: `..` cannot be one":                           got(accounts, ".."),
		"client_id: this is a secret":                             got(accounts, "mdb_sa_sk_canary"),
		"secret_id: `a/b` cannot be one":                          accounts.DeleteSecret(ctx, someID, "a/b"),
		"network: an empty string cannot be one":                  accounts.DeleteAccess(ctx, someID, ""),
		"Projects: this needs an organization, and not a project": list,
		"Invite: this needs a project, and not an organization":   invited,
	} {
		if !errors.Is(err, tokenwell.ErrInvalidArgument) || !strings.Contains(err.Error(), message) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", message, err)
		}
	}
	if atlas.counters().TokenRequests != 0 {
		t.Error("something was sent")
	}
}
