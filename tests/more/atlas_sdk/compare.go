package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"

	"go.mongodb.org/atlas-sdk/v20250312008/admin"
)

// level is an organization or a project: what the SDK reads and creates there, and the flags of the
// command.
type level struct {
	name      string
	flags     []string
	roles     []string
	otherRole string
	list      func(context.Context) (any, error)
	account   func(context.Context, string) (any, error)
	access    func(context.Context, string) (any, error)
	create    func(context.Context) (string, error)
	secret    func(context.Context, string) error
	entries   func(context.Context, string) error
}

// comparison is a run of both on one emulator.
type comparison struct {
	*session
	command                       string
	directory                     string
	isPlanted                     bool
	byCommand, bySDK, comparisons int
	compared                      int
}

// compareWith lets the command and the SDK create accounts at both levels, with several roles, two
// secrets of which one was used, and an access list. Each must read what the other made: the same
// fields with the same values. A planted difference must be found.
func (s *session) compareWith(command string, isPlanted bool) (string, error) {
	directory, err := os.MkdirTemp("", "tokenwell-atlas-sdk-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(directory)
	c := &comparison{session: s, command: command, directory: directory, isPlanted: isPlanted}
	ctx := context.Background()
	for _, level := range []level{s.organizationLevel(), s.projectLevel()} {
		id, err := c.makeByCommand(level)
		if err == nil {
			err = c.equal(ctx, level, id)
		}
		if err == nil {
			// What was changed is read by both too.
			_, err = c.run(level, "sa", "update", id, "--name", "renamed by the command", "--role", level.otherRole, "--yes")
		}
		if err == nil {
			err = c.equal(ctx, level, id)
		}
		if err != nil {
			return "", fmt.Errorf("%s, made by the command: %w", level.name, err)
		}
		c.byCommand++
		if id, err = c.makeBySDK(ctx, level); err == nil {
			err = c.equal(ctx, level, id)
		}
		if err != nil {
			return "", fmt.Errorf("%s, made by the SDK: %w", level.name, err)
		}
		c.bySDK++
	}
	return fmt.Sprintf("%d accounts of the command, %d of the SDK, %d documents with %d values compared, %d different",
		c.byCommand, c.bySDK, c.comparisons, c.compared, len(s.failures)), nil
}

func (c *comparison) makeByCommand(level level) (string, error) {
	first, second := filepath.Join(c.directory, level.name+".first"), filepath.Join(c.directory, level.name+".second")
	arguments := []string{"sa", "create", "made by the command", "--description", "For the SDK", "--expires", "30d", "--to", "file:" + first, "-q"}
	for _, role := range level.roles {
		arguments = append(arguments, "--role", role)
	}
	created, err := c.run(level, arguments...)
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(created))
	if _, err := c.run(level, "sa", "secret", "add", id, "--expires", "8h", "--to", "file:"+second); err != nil {
		return "", err
	}
	if _, err := c.run(level, "sa", "access", "add", id, "127.0.0.1", "192.0.2.0/24", "2001:db8::/32", "--yes"); err != nil {
		return "", err
	}
	secret, err := os.ReadFile(second)
	if err != nil {
		return "", err
	}
	return id, c.use(id, strings.TrimSpace(string(secret)))
}

func (c *comparison) makeBySDK(ctx context.Context, level level) (string, error) {
	id, err := level.create(ctx)
	if err == nil {
		err = level.secret(ctx, id)
	}
	if err == nil {
		err = level.entries(ctx, id)
	}
	return id, err
}

// use sends a request as the account, so that it has a secret and an entry of the access list that
// were used, and others that never were.
func (c *comparison) use(id, secret string) error {
	command := exec.Command(c.command, "api", "GET", "/api/atlas/v2/orgs")
	command.Env = append(os.Environ(), "MONGODB_ATLAS_CLIENT_ID="+id, "MONGODB_ATLAS_CLIENT_SECRET="+secret)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("no request as the new account: %w: %s", err, output)
	}
	return nil
}

func (c *comparison) run(level level, arguments ...string) ([]byte, error) {
	var stderr bytes.Buffer
	command := exec.Command(c.command, append(arguments, level.flags...)...)
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("tokenwell %s: %w: %s", strings.Join(arguments, " "), err, stderr.String())
	}
	return output, nil
}

// equal compares what the command prints with what the SDK reads: the account, its secrets, its
// access list, and all accounts of the level.
func (c *comparison) equal(ctx context.Context, level level, id string) error {
	if c.isPlanted {
		c.isPlanted = false
		if err := c.plantDifference(id); err != nil {
			return err
		}
	}
	account, err := level.account(ctx, id)
	if err != nil {
		return fmt.Errorf("the SDK does not read %s: %w: %s", id, err, c.recorder.body)
	}
	access, err := level.access(ctx, id)
	if err != nil {
		return fmt.Errorf("the SDK does not read the access list of %s: %w: %s", id, err, c.recorder.body)
	}
	all, err := level.list(ctx)
	if err != nil {
		return fmt.Errorf("the SDK does not list the accounts: %w: %s", err, c.recorder.body)
	}
	members, isObject := account.(map[string]any)
	if !isObject {
		return fmt.Errorf("the SDK returned %T", account)
	}
	for _, each := range []struct {
		arguments []string
		expected  any
	}{
		{[]string{"sa", "show", id, "--json"}, account},
		{[]string{"sa", "secret", "list", id, "--json"}, members["secrets"]},
		{[]string{"sa", "access", "list", id, "--json"}, access},
		{[]string{"sa", "list", "--json"}, all},
	} {
		printed, err := c.run(level, each.arguments...)
		if err != nil {
			return err
		}
		var found any
		if err := json.Unmarshal(printed, &found); err != nil {
			return err
		}
		before := len(c.failures)
		c.comparisons++
		c.same(level.name+" "+strings.Join(each.arguments, " "), each.expected, found)
		if len(c.failures) == before && c.compared == 0 {
			return fmt.Errorf("nothing was compared: %s", printed)
		}
	}
	return nil
}

// same reports each difference between what the SDK read and what the command printed.
func (c *comparison) same(path string, sdk, command any) {
	switch sdk := sdk.(type) {
	case map[string]any:
		members, isObject := command.(map[string]any)
		if !isObject {
			c.failures = append(c.failures, fmt.Sprintf("%s: an object in the SDK, %v in the command", path, command))
			return
		}
		for name, value := range sdk {
			found, isThere := members[name]
			if !isThere {
				c.failures = append(c.failures, fmt.Sprintf("%s.%s: %v in the SDK, absent in the command", path, name, value))
				continue
			}
			c.same(path+"."+name, value, found)
		}
		for name, value := range members {
			if _, isThere := sdk[name]; !isThere && !newer[name] {
				c.failures = append(c.failures, fmt.Sprintf("%s.%s: absent in the SDK, %v in the command", path, name, value))
			}
		}
	case []any:
		list, isList := command.([]any)
		if !isList || len(list) != len(sdk) {
			c.failures = append(c.failures, fmt.Sprintf("%s: %d in the SDK, %v in the command", path, len(sdk), command))
			return
		}
		for index := range sdk {
			c.same(fmt.Sprintf("%s[%d]", path, index), sdk[index], list[index])
		}
	default:
		c.compared++
		if !reflect.DeepEqual(sdk, command) {
			c.failures = append(c.failures, fmt.Sprintf("%s: %v in the SDK, %v in the command", path, sdk, command))
		}
	}
}

// plantDifference makes the emulator send one wrong account and one wrong access list, which the SDK
// reads. The command then reads the right ones.
func (c *comparison) plantDifference(id string) error {
	path := "/api/atlas/v2/orgs/" + c.org + "/serviceAccounts/" + id
	media := map[string]any{"Content-Type": "application/vnd.atlas.2024-08-05+json"}
	account := map[string]any{"clientId": id, "name": "another", "description": "For the SDK", "createdAt": "2020-01-01T00:00:00Z", "roles": []string{"ORG_MEMBER"}, "secrets": []any{}}
	return c.faults([]any{
		map[string]any{"path": path, "method": "GET", "times": 1, "body": account, "headers": media},
		map[string]any{"path": path + "/accessList", "method": "GET", "times": 1, "body": map[string]any{"results": []any{}, "totalCount": 0}, "headers": media},
	})
}

// asJSON returns a model of the SDK as its JSON is.
func asJSON[M any](model M, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(model)
	if err != nil {
		return nil, err
	}
	var document any
	return document, json.Unmarshal(encoded, &document)
}

func bothKinds() *[]admin.ServiceAccountIPAccessListEntry {
	return &[]admin.ServiceAccountIPAccessListEntry{{IpAddress: admin.PtrString("192.0.2.7")}, {CidrBlock: admin.PtrString("2001:db8:1::/48")}}
}

func (s *session) organizationLevel() level {
	return level{
		name: "organization", flags: []string{"--org", s.org}, roles: []string{"ORG_GROUP_CREATOR", "ORG_READ_ONLY"}, otherRole: "ORG_MEMBER",
		list: func(ctx context.Context) (any, error) {
			page, _, err := s.api.ListOrgServiceAccounts(ctx, s.org).Execute()
			return asJSON(page.GetResults(), err)
		},
		account: func(ctx context.Context, id string) (any, error) {
			account, _, err := s.api.GetOrgServiceAccount(ctx, s.org, id).Execute()
			return asJSON(account, err)
		},
		access: func(ctx context.Context, id string) (any, error) {
			page, _, err := s.api.ListOrgAccessList(ctx, s.org, id).Execute()
			return asJSON(page.GetResults(), err)
		},
		create: func(ctx context.Context) (string, error) {
			request := admin.NewOrgServiceAccountRequest("Made by the SDK", "sdk org", []string{"ORG_BILLING_ADMIN", "ORG_MEMBER"}, 100)
			account, _, err := s.api.CreateOrgServiceAccount(ctx, s.org, request).Execute()
			return account.GetClientId(), err
		},
		secret: func(ctx context.Context, id string) error {
			_, _, err := s.api.CreateOrgSecret(ctx, s.org, id, admin.NewServiceAccountSecretRequest(8)).Execute()
			return err
		},
		entries: func(ctx context.Context, id string) error {
			_, _, err := s.api.CreateOrgAccessList(ctx, s.org, id, bothKinds()).Execute()
			return err
		},
	}
}

func (s *session) projectLevel() level {
	return level{
		name: "project", flags: []string{"--project", s.project}, roles: []string{"GROUP_DATA_ACCESS_READ_ONLY", "GROUP_READ_ONLY"}, otherRole: "GROUP_OWNER",
		list: func(ctx context.Context) (any, error) {
			page, _, err := s.api.ListGroupServiceAccounts(ctx, s.project).Execute()
			return asJSON(page.GetResults(), err)
		},
		account: func(ctx context.Context, id string) (any, error) {
			account, _, err := s.api.GetGroupServiceAccount(ctx, s.project, id).Execute()
			return asJSON(account, err)
		},
		access: func(ctx context.Context, id string) (any, error) {
			page, _, err := s.api.ListAccessList(ctx, s.project, id).Execute()
			return asJSON(page.GetResults(), err)
		},
		create: func(ctx context.Context) (string, error) {
			request := admin.NewGroupServiceAccountRequest("Made by the SDK", "sdk project", []string{"GROUP_OWNER", "GROUP_READ_ONLY"}, 100)
			account, _, err := s.api.CreateGroupServiceAccount(ctx, s.project, request).Execute()
			return account.GetClientId(), err
		},
		secret: func(ctx context.Context, id string) error {
			_, _, err := s.api.CreateGroupSecret(ctx, s.project, id, admin.NewServiceAccountSecretRequest(8)).Execute()
			return err
		},
		entries: func(ctx context.Context, id string) error {
			_, _, err := s.api.CreateAccessList(ctx, s.project, id, bothKinds()).Execute()
			return err
		},
	}
}
