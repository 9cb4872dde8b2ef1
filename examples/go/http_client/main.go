// Command http_client lists the organizations of the account with net/http.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
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
	api := http.Client{Transport: client.RoundTripper(nil, ""), Timeout: 30 * time.Second}

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
