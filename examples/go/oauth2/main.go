// Command oauth2 lists the organizations of the account with an http.Client that replaces the one of
// golang.org/x/oauth2.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
	"github.com/tokenwell/tokenwell/bindings/go/oauth2"
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
	api := oauth2.NewClient(ctx, client)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, client.BaseURL()+"/api/atlas/v2/orgs", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/vnd.atlas.2024-08-05+json")
	response, err := api.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the API replied with %s", response.Status)
	}

	var organizations struct {
		Results []struct{ ID, Name string }
	}
	if err := json.NewDecoder(response.Body).Decode(&organizations); err != nil {
		return err
	}
	for _, organization := range organizations.Results {
		fmt.Println(organization.ID, organization.Name)
	}
	return nil
}
