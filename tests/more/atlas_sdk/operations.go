package main

import (
	"context"

	"go.mongodb.org/atlas-sdk/v20250312008/admin"
)

// run performs the 22 operations of the service account API, those that create twice where there is
// more to see.
func (s *session) run() error {
	for _, part := range []func(context.Context) error{s.ofOrganization, s.ofProject} {
		if err := part(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) ofOrganization(ctx context.Context) error {
	list, response, err := s.api.ListOrgServiceAccounts(ctx, s.org).Execute()
	if _, err = received(s, "ListOrgServiceAccounts", list, response, err); err != nil {
		return err
	}
	request := admin.NewOrgServiceAccountRequest("Made by the SDK", "sdk org", []string{"ORG_MEMBER"}, 8)
	account, response, err := s.api.CreateOrgServiceAccount(ctx, s.org, request).Execute()
	if account, err = received(s, "CreateOrgServiceAccount", account, response, err); err != nil {
		return err
	}
	id := account.GetClientId()
	shown, response, err := s.api.GetOrgServiceAccount(ctx, s.org, id).Execute()
	if _, err = received(s, "GetOrgServiceAccount", shown, response, err); err != nil {
		return err
	}
	update := admin.OrgServiceAccountUpdateRequest{Name: admin.PtrString("renamed")}
	updated, response, err := s.api.UpdateOrgServiceAccount(ctx, id, s.org, &update).Execute()
	if _, err = received(s, "UpdateOrgServiceAccount", updated, response, err); err != nil {
		return err
	}
	secret, response, err := s.api.CreateOrgSecret(ctx, s.org, id, admin.NewServiceAccountSecretRequest(8)).Execute()
	if secret, err = received(s, "CreateOrgSecret", secret, response, err); err != nil {
		return err
	}
	if secret.GetSecret() == "" {
		return errNoSecret
	}
	response, err = s.api.DeleteOrgSecret(ctx, id, secret.GetId(), s.org).Execute()
	if err = s.deleted("DeleteOrgSecret", response, err); err != nil {
		return err
	}
	entries := []admin.ServiceAccountIPAccessListEntry{{IpAddress: admin.PtrString("192.0.2.1")}, {CidrBlock: admin.PtrString("2001:db8::/32")}}
	added, response, err := s.api.CreateOrgAccessList(ctx, s.org, id, &entries).Execute()
	if _, err = received(s, "CreateOrgAccessList", added, response, err); err != nil {
		return err
	}
	access, response, err := s.api.ListOrgAccessList(ctx, s.org, id).Execute()
	if _, err = received(s, "ListOrgAccessList", access, response, err); err != nil {
		return err
	}
	response, err = s.api.DeleteOrgAccessEntry(ctx, s.org, id, "2001:db8::/32").Execute()
	if err = s.deleted("DeleteOrgAccessEntry", response, err); err != nil {
		return err
	}
	invited, response, err := s.api.InviteGroupServiceAccount(ctx, id, s.project, admin.NewGroupServiceAccountRoleAssignment([]string{"GROUP_READ_ONLY"})).Execute()
	if _, err = received(s, "InviteGroupServiceAccount", invited, response, err); err != nil {
		return err
	}
	projects, response, err := s.api.GetServiceAccountGroups(ctx, s.org, id).Execute()
	if _, err = received(s, "GetServiceAccountGroups", projects, response, err); err != nil {
		return err
	}
	response, err = s.api.DeleteOrgServiceAccount(ctx, id, s.org).Execute()
	return s.deleted("DeleteOrgServiceAccount", response, err)
}

func (s *session) ofProject(ctx context.Context) error {
	request := admin.NewGroupServiceAccountRequest("Made by the SDK", "sdk project", []string{"GROUP_OWNER"}, 8)
	account, response, err := s.api.CreateGroupServiceAccount(ctx, s.project, request).Execute()
	if account, err = received(s, "CreateGroupServiceAccount", account, response, err); err != nil {
		return err
	}
	id := account.GetClientId()
	list, response, err := s.api.ListGroupServiceAccounts(ctx, s.project).Execute()
	if _, err = received(s, "ListGroupServiceAccounts", list, response, err); err != nil {
		return err
	}
	shown, response, err := s.api.GetGroupServiceAccount(ctx, s.project, id).Execute()
	if _, err = received(s, "GetGroupServiceAccount", shown, response, err); err != nil {
		return err
	}
	update := admin.GroupServiceAccountUpdateRequest{Description: admin.PtrString("Changed by the SDK")}
	updated, response, err := s.api.UpdateGroupServiceAccount(ctx, id, s.project, &update).Execute()
	if _, err = received(s, "UpdateGroupServiceAccount", updated, response, err); err != nil {
		return err
	}
	secret, response, err := s.api.CreateGroupSecret(ctx, s.project, id, admin.NewServiceAccountSecretRequest(8)).Execute()
	if secret, err = received(s, "CreateGroupSecret", secret, response, err); err != nil {
		return err
	}
	response, err = s.api.DeleteGroupSecret(ctx, id, secret.GetId(), s.project).Execute()
	if err = s.deleted("DeleteGroupSecret", response, err); err != nil {
		return err
	}
	entries := []admin.ServiceAccountIPAccessListEntry{{CidrBlock: admin.PtrString("192.0.2.0/24")}, {IpAddress: admin.PtrString("2001:db8::1")}}
	added, response, err := s.api.CreateAccessList(ctx, s.project, id, &entries).Execute()
	if _, err = received(s, "CreateAccessList", added, response, err); err != nil {
		return err
	}
	access, response, err := s.api.ListAccessList(ctx, s.project, id).Execute()
	if _, err = received(s, "ListAccessList", access, response, err); err != nil {
		return err
	}
	response, err = s.api.DeleteGroupAccessEntry(ctx, s.project, id, "192.0.2.0/24").Execute()
	if err = s.deleted("DeleteGroupAccessEntry", response, err); err != nil {
		return err
	}
	response, err = s.api.DeleteGroupServiceAccount(ctx, id, s.project).Execute()
	return s.deleted("DeleteGroupServiceAccount", response, err)
}
