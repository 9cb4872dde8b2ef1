// Code generated from bindings/service_accounts/operations.json by `make service-accounts`. DO NOT EDIT.

//go:build cgo

package tokenwell

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
)

// Source: the reference of the Atlas Administration API v2, group "Service Accounts", version 2024-08-05
// (https://www.mongodb.com/docs/api/doc/atlas-admin-api-v2/group/endpoint-service-accounts).

const (
	apiVersion      = "2024-08-05"
	apiItemsPerPage = 500
)

var apiPaths = map[string]string{
	"organization": "/api/atlas/v2/orgs/{organization}/serviceAccounts",
	"project":      "/api/atlas/v2/groups/{project}/serviceAccounts",
}

// SecretDescription is a secret of an account, without its value.
type SecretDescription struct {
	// ID is the id of the secret.
	ID string `json:"id"`
	// CreatedAt is when it was created (ISO 8601).
	CreatedAt string `json:"createdAt,omitempty"`
	// ExpiresAt is when it expires (ISO 8601).
	ExpiresAt string `json:"expiresAt,omitempty"`
	// LastUsedAt is when a token was last requested with it. Absent if it was never used.
	LastUsedAt string `json:"lastUsedAt,omitempty"`
	// MaskedSecretValue is the secret with all but its last characters masked.
	MaskedSecretValue string `json:"maskedSecretValue,omitempty"`
	// Other are the fields that this version does not know, unchanged.
	Other map[string]json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps fields that this version does not know in Other.
func (s *SecretDescription) UnmarshalJSON(data []byte) error {
	type fields SecretDescription
	var read fields
	other, err := decodeObject(data, &read, map[string]string{"created": "createdAt"}, "id", "createdAt", "expiresAt", "lastUsedAt", "maskedSecretValue")
	if err != nil {
		return err
	}
	if read.ID == "" {
		return errors.New("id is missing")
	}
	read.Other = other
	*s = SecretDescription(read)
	return nil
}

// ServiceAccount is a service account, as the API describes it at one level.
type ServiceAccount struct {
	// ClientID is the client id: mdb_sa_id_ and 24 hexadecimal digits. No other name of an account is
	// unique.
	ClientID string `json:"clientId"`
	// Name is the name. Names are not unique.
	Name string `json:"name"`
	// Description is the description.
	Description string `json:"description"`
	// CreatedAt is when the account was created (ISO 8601).
	CreatedAt string `json:"createdAt,omitempty"`
	// Roles are the roles at the level of the request. Roles that this version does not know are kept.
	Roles []string `json:"roles"`
	// Secrets are the secrets, without their values. Atlas allows two.
	Secrets []SecretDescription `json:"secrets"`
	// SystemManaged is true if Atlas itself manages the account. Older versions of the API do not
	// report it.
	SystemManaged *bool `json:"systemManaged,omitempty"`
	// Other are the fields that this version does not know, unchanged.
	Other map[string]json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps fields that this version does not know in Other.
func (s *ServiceAccount) UnmarshalJSON(data []byte) error {
	type fields ServiceAccount
	var read fields
	other, err := decodeObject(data, &read, map[string]string{"created": "createdAt"}, "clientId", "name", "description", "createdAt", "roles", "secrets", "systemManaged")
	if err != nil {
		return err
	}
	if read.ClientID == "" {
		return errors.New("clientId is missing")
	}
	read.Other = other
	*s = ServiceAccount(read)
	return nil
}

// AccessListEntry is an entry of the API access list of an account. The list of a project for its
// clusters is another one.
type AccessListEntry struct {
	// CIDRBlock is the network in CIDR notation.
	CIDRBlock string `json:"cidrBlock,omitempty"`
	// IPAddress is the address, if the entry is for one address.
	IPAddress string `json:"ipAddress,omitempty"`
	// CreatedAt is when the entry was added (ISO 8601).
	CreatedAt string `json:"createdAt,omitempty"`
	// LastUsedAt is when a request was last allowed by this entry (ISO 8601).
	LastUsedAt string `json:"lastUsedAt,omitempty"`
	// LastUsedAddress is the address of that request.
	LastUsedAddress string `json:"lastUsedAddress,omitempty"`
	// RequestCount is how many requests the entry has allowed.
	RequestCount *int `json:"requestCount,omitempty"`
	// Other are the fields that this version does not know, unchanged.
	Other map[string]json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps fields that this version does not know in Other.
func (a *AccessListEntry) UnmarshalJSON(data []byte) error {
	type fields AccessListEntry
	var read fields
	other, err := decodeObject(data, &read, map[string]string{"created": "createdAt", "lastUsed": "lastUsedAt", "count": "requestCount"}, "cidrBlock", "ipAddress", "createdAt", "lastUsedAt", "lastUsedAddress", "requestCount")
	if err != nil {
		return err
	}
	read.Other = other
	*a = AccessListEntry(read)
	return nil
}

// ProjectOfAccount is a project in which an account of an organization has roles.
type ProjectOfAccount struct {
	// GroupID is the id of the project.
	GroupID string `json:"groupId"`
	// Other are the fields that this version does not know, unchanged.
	Other map[string]json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps fields that this version does not know in Other.
func (p *ProjectOfAccount) UnmarshalJSON(data []byte) error {
	type fields ProjectOfAccount
	var read fields
	other, err := decodeObject(data, &read, map[string]string{"id": "groupId"}, "groupId")
	if err != nil {
		return err
	}
	if read.GroupID == "" {
		return errors.New("groupId is missing")
	}
	read.Other = other
	*p = ProjectOfAccount(read)
	return nil
}

// CreatedAccount is a new account and its first secret, whose value the API shows only this once.
type CreatedAccount struct {
	// Account is the account. Its secrets have no values.
	Account ServiceAccount
	// Secret is the value of the secret, which is redacted in every string form.
	Secret Secret
}

// CreatedSecret is a new secret, whose value the API shows only this once.
type CreatedSecret struct {
	// Description is the secret without its value.
	Description SecretDescription
	// Secret is the value of the secret, which is redacted in every string form.
	Secret Secret
}

// NewServiceAccount contains the attributes of an account to create.
type NewServiceAccount struct {
	// Name is the name: 1 to 64 letters, digits, spaces and `- _ . , '`.
	Name string `json:"name"`
	// Description is the description: 1 to 250 of the same characters.
	Description string `json:"description"`
	// Roles are the roles, at least one of the level at which the account is created.
	Roles []string `json:"roles"`
	// SecretExpiresAfterHours is the lifetime of its first secret: 8 to 8760 hours. The organization
	// may allow less.
	SecretExpiresAfterHours int `json:"secretExpiresAfterHours"`
}

// ServiceAccountChange contains the attributes of an account to change. An attribute that is not
// set stays as it is.
type ServiceAccountChange struct {
	// Name is the new name.
	Name string `json:"name,omitempty"`
	// Description is the new description.
	Description string `json:"description,omitempty"`
	// Roles are the roles that replace all roles of the account at this level.
	Roles []string `json:"roles,omitempty"`
}

// Create creates an account with one secret. Names are not unique: after an error without a
// response, list the accounts before another attempt, because one may have been created.
//
// Request: POST …/serviceAccounts
func (s *ServiceAccounts) Create(ctx context.Context, account NewServiceAccount) (*CreatedAccount, error) {
	created, secret, err := sendForSecret[ServiceAccount](ctx, s.call("POST", "").with(account))
	if err != nil {
		return nil, err
	}
	return &CreatedAccount{Account: *created, Secret: secret}, nil
}

// List returns all accounts, each once. A page is requested when the accounts before it are used
// up.
//
// Request: GET …/serviceAccounts
func (s *ServiceAccounts) List(ctx context.Context) iter.Seq2[*ServiceAccount, error] {
	return pages[ServiceAccount](ctx, s.call("GET", ""), "clientId")
}

// Get returns one account. Its secrets are listed without their values.
//
// Request: GET …/serviceAccounts/{clientId}
func (s *ServiceAccounts) Get(ctx context.Context, clientID string) (*ServiceAccount, error) {
	return sendFor[ServiceAccount](ctx, s.call("GET", "/{client_id}", "client_id", clientID))
}

// Update changes an account, and returns it as it is then.
//
// Request: PATCH …/serviceAccounts/{clientId}
func (s *ServiceAccounts) Update(ctx context.Context, clientID string, change ServiceAccountChange) (*ServiceAccount, error) {
	return sendFor[ServiceAccount](ctx, s.call("PATCH", "/{client_id}", "client_id", clientID).with(change))
}

// Delete deletes an account of an organization, with its secrets. An account of a project is only
// detached from it, and continues to exist in its organization.
//
// Request: DELETE …/serviceAccounts/{clientId}
func (s *ServiceAccounts) Delete(ctx context.Context, clientID string) error {
	_, err := s.call("DELETE", "/{client_id}", "client_id", clientID).send(ctx)
	return err
}

// CreateSecret creates another secret, with a lifetime of 8 to 8760 hours. An account has at most
// two, and the older one then expires within seven days.
//
// Request: POST …/serviceAccounts/{clientId}/secrets
func (s *ServiceAccounts) CreateSecret(ctx context.Context, clientID string, secretExpiresAfterHours int) (*CreatedSecret, error) {
	created, secret, err := sendForSecret[SecretDescription](ctx, s.call("POST", "/{client_id}/secrets", "client_id", clientID).with(map[string]any{"secretExpiresAfterHours": secretExpiresAfterHours}))
	if err != nil {
		return nil, err
	}
	return &CreatedSecret{Description: *created, Secret: secret}, nil
}

// DeleteSecret deletes a secret.
//
// Request: DELETE …/serviceAccounts/{clientId}/secrets/{secretId}
func (s *ServiceAccounts) DeleteSecret(ctx context.Context, clientID string, secretID string) error {
	_, err := s.call("DELETE", "/{client_id}/secrets/{secret_id}", "client_id", clientID, "secret_id", secretID).send(ctx)
	return err
}

// AccessList returns the API access list of an account. An empty list allows every address, unless
// the organization requires a list.
//
// Request: GET …/serviceAccounts/{clientId}/accessList
func (s *ServiceAccounts) AccessList(ctx context.Context, clientID string) iter.Seq2[*AccessListEntry, error] {
	return pages[AccessListEntry](ctx, s.call("GET", "/{client_id}/accessList", "client_id", clientID), "cidrBlock", "ipAddress")
}

// AddAccess adds addresses and networks to the access list with one request, and returns the list
// as it is then. An entry that exists is no error.
//
// Request: POST …/serviceAccounts/{clientId}/accessList
func (s *ServiceAccounts) AddAccess(ctx context.Context, clientID string, networks []string) ([]AccessListEntry, error) {
	return sendForResults[AccessListEntry](ctx, s.call("POST", "/{client_id}/accessList", "client_id", clientID).query("itemsPerPage", 500).with(accessListEntries(networks)))
}

// DeleteAccess removes an address or a network from the access list.
//
// Request: DELETE …/serviceAccounts/{clientId}/accessList/{ipAddress}
func (s *ServiceAccounts) DeleteAccess(ctx context.Context, clientID string, network string) error {
	_, err := s.call("DELETE", "/{client_id}/accessList/{network}", "client_id", clientID, "network", network).send(ctx)
	return err
}

// Projects returns the projects in which an account of the organization has roles.
//
// Request: GET …/serviceAccounts/{clientId}/groups
func (s *ServiceAccounts) Projects(ctx context.Context, clientID string) iter.Seq2[*ProjectOfAccount, error] {
	return pages[ProjectOfAccount](ctx, s.call("GET", "/{client_id}/groups", "client_id", clientID).only("organization", "Projects"), "groupId")
}

// Invite adds an account of the organization to the project, with these roles there.
//
// Request: POST …/serviceAccounts/{clientId}:invite
func (s *ServiceAccounts) Invite(ctx context.Context, clientID string, roles []string) (*ServiceAccount, error) {
	return sendFor[ServiceAccount](ctx, s.call("POST", "/{client_id}:invite", "client_id", clientID).only("project", "Invite").with(map[string]any{"roles": roles}))
}
