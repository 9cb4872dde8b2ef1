package tokenwell_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

// life is a test in bindings/service_accounts/life.json.
type life struct {
	Name, Level string
	Steps       []step
}

type step struct {
	Call, Level, Secret, Outcome, Network string
	Attributes                            json.RawMessage
	Hours                                 int
	IDOfSecret                            string `json:"id_of_secret"`
	Networks, Roles                       []string
	Result, Contains, Lacks               any
	Count                                 *int
	Error                                 int
	Save                                  map[string]string
	SaveSecret                            string `json:"save_secret"`
}

func TestTheWholeLifeOfAServiceAccount(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join(repository, "bindings", "service_accounts", "life.json"))
	var lives []life
	if err == nil {
		err = json.Unmarshal(source, &lives)
	}
	if err != nil || len(lives) != 2 {
		t.Fatal(len(lives), err)
	}
	for _, each := range lives {
		t.Run(each.Name, func(t *testing.T) {
			t.Parallel()
			atlas := startEmulator(t)
			client := atlas.client()
			run := running{
				atlas: atlas, level: each.Level, saved: map[string]string{"project": atlas.project}, secrets: map[string]tokenwell.Secret{},
				accounts: map[string]*tokenwell.ServiceAccounts{
					"organization": tokenwell.NewServiceAccounts(client, tokenwell.Organization(atlas.org)),
					"project":      tokenwell.NewServiceAccounts(client, tokenwell.Project(atlas.project)),
				},
			}
			for number, step := range each.Steps {
				if err := run.step(t.Context(), step); err != nil {
					t.Fatalf("step %d, %s: %v", number, step.Call, err)
				}
			}
		})
	}
}

type running struct {
	atlas    *emulator
	level    string
	saved    map[string]string
	secrets  map[string]tokenwell.Secret
	accounts map[string]*tokenwell.ServiceAccounts
}

func (r *running) step(ctx context.Context, step step) error {
	if step.Call == "use" {
		if outcome := r.use(ctx, r.secrets[step.Secret]); outcome != step.Outcome {
			return fmt.Errorf("the secret is %s, and not %s", outcome, step.Outcome)
		}
		return nil
	}
	result, secret, err := r.call(ctx, step)
	if refusal := (*tokenwell.APIError)(nil); errors.As(err, &refusal) && refusal.StatusCode == step.Error {
		return nil
	}
	if err != nil || step.Error != 0 {
		return fmt.Errorf("failed with %v instead of %d", err, step.Error)
	}
	if step.SaveSecret != "" {
		r.secrets[step.SaveSecret] = secret
	}
	encoded, err := json.Marshal(result)
	if err != nil {
		return err
	}
	var found any
	if err := json.Unmarshal(encoded, &found); err != nil {
		return err
	}
	list, _ := found.([]any)
	has := func(expected any) bool {
		for _, one := range list {
			if r.fits(expected, one) {
				return true
			}
		}
		return false
	}
	switch {
	case step.Result != nil && !r.fits(step.Result, found), step.Contains != nil && !has(step.Contains), step.Lacks != nil && has(step.Lacks),
		step.Count != nil && len(list) != *step.Count:
		return fmt.Errorf("got %s", encoded)
	}
	for name, path := range step.Save {
		value := found
		for part := range strings.SplitSeq(path, ".") {
			if index, err := strconv.Atoi(part); err == nil {
				value = value.([]any)[index]
			} else {
				value = value.(map[string]any)[part]
			}
		}
		r.saved[name] = value.(string)
	}
	return nil
}

func (r *running) call(ctx context.Context, step step) (any, tokenwell.Secret, error) {
	level, id := step.Level, r.saved["id"]
	if level == "" {
		level = r.level
	}
	accounts := r.accounts[level]
	result, err := any(nil), error(nil)
	switch step.Call {
	case "create":
		var attributes tokenwell.NewServiceAccount
		if err := json.Unmarshal(step.Attributes, &attributes); err != nil {
			return nil, tokenwell.Secret{}, err
		}
		created, err := accounts.Create(ctx, attributes)
		if err != nil {
			return nil, tokenwell.Secret{}, err
		}
		return map[string]any{"account": created.Account}, created.Secret, nil
	case "create_secret":
		created, err := accounts.CreateSecret(ctx, id, step.Hours)
		if err != nil {
			return nil, tokenwell.Secret{}, err
		}
		return map[string]any{"description": created.Description}, created.Secret, nil
	case "update":
		var change tokenwell.ServiceAccountChange
		if err := json.Unmarshal(step.Attributes, &change); err != nil {
			return nil, tokenwell.Secret{}, err
		}
		result, err = accounts.Update(ctx, id, change)
	case "list":
		result, err = collected(accounts.List(ctx))
	case "get":
		result, err = accounts.Get(ctx, id)
	case "delete":
		err = accounts.Delete(ctx, id)
	case "delete_secret":
		err = accounts.DeleteSecret(ctx, id, r.filled(step.IDOfSecret))
	case "access_list":
		result, err = collected(accounts.AccessList(ctx, id))
	case "add_access":
		result, err = accounts.AddAccess(ctx, id, step.Networks)
	case "delete_access":
		err = accounts.DeleteAccess(ctx, id, step.Network)
	case "projects":
		result, err = collected(accounts.Projects(ctx, id))
	case "invite":
		result, err = accounts.Invite(ctx, id, step.Roles)
	default:
		err = errors.New("no such call")
	}
	return result, tokenwell.Secret{}, err
}

func collected[T any](list iter.Seq2[*T, error]) ([]*T, error) {
	all := []*T{}
	for one, err := range list {
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// use gets a token as the account, and sends one request with it.
func (r *running) use(ctx context.Context, secret tokenwell.Secret) string {
	client, err := tokenwell.New(tokenwell.WithBaseURL(r.atlas.base), tokenwell.WithClientID(r.saved["id"]), tokenwell.WithClientSecret(secret.Value()))
	if err != nil {
		return err.Error()
	}
	defer client.Close()
	response, err := client.Request(ctx, getOrgs())
	switch {
	case errors.Is(err, tokenwell.ErrCredentialRejected):
		return "rejected"
	case err != nil:
		return err.Error()
	case response.StatusCode == 200:
		return "accepted"
	}
	return "refused"
}

func (r *running) filled(value string) string {
	if name, found := strings.CutPrefix(value, "$"); found {
		return r.saved[name]
	}
	return value
}

// fits reports whether found has all that is expected. A star is any string.
func (r *running) fits(expected, found any) bool {
	switch expected := expected.(type) {
	case map[string]any:
		members, isObject := found.(map[string]any)
		for name, value := range expected {
			if !r.fits(value, members[name]) {
				return false
			}
		}
		return isObject
	case []any:
		list, isList := found.([]any)
		if !isList || len(list) != len(expected) {
			return false
		}
		for index := range list {
			if !r.fits(expected[index], list[index]) {
				return false
			}
		}
		return true
	case string:
		value, isString := found.(string)
		return isString && value != "" && (expected == "*" || value == r.filled(expected))
	}
	return reflect.DeepEqual(expected, found)
}
