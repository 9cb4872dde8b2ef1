// Command atlas_sdk lists the organizations of the account with the MongoDB Atlas SDK for Go.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
	"github.com/tokenwell/tokenwell/bindings/go/oauth2"
	"go.mongodb.org/atlas-sdk/v20250312008/admin"
)

func main() {
	if err := listOrganizations(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func listOrganizations(ctx context.Context) error {
	client, err := tokenwell.NewFromEnv()
	if err != nil {
		return err
	}
	defer client.Close()

	sdk, err := admin.NewClient(admin.UseHTTPClient(oauth2.NewClient(ctx, client)), admin.UseBaseURL(client.BaseURL()))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	organizations, _, err := sdk.OrganizationsApi.ListOrgs(ctx).Execute()
	if err != nil {
		return err
	}
	for _, organization := range organizations.GetResults() {
		fmt.Println(organization.GetId(), organization.GetName())
	}
	return nil
}
