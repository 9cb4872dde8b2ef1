package tokenwell_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

func ExampleClient_Authorization() {
	client, err := tokenwell.NewFromEnv() // MONGODB_ATLAS_CLIENT_ID, MONGODB_ATLAS_CLIENT_SECRET
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	header, err := client.Authorization(ctx)
	if err != nil {
		log.Print(err)
		return
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, client.BaseURL()+"/api/atlas/v2/orgs", nil)
	if err != nil {
		log.Print(err)
		return
	}
	request.Header.Set("Authorization", header)
}

func ExampleClient_RoundTripper() {
	client, err := tokenwell.NewFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	api := http.Client{Transport: client.RoundTripper(nil, ""), Timeout: 30 * time.Second}
	response, err := api.Get(client.BaseURL() + "/api/atlas/v2/orgs")
	if err != nil {
		log.Print(err)
		return
	}
	defer response.Body.Close()
}

func ExampleClient_Sources() {
	client, err := tokenwell.New(tokenwell.WithClientID("mdb_sa_id_example"), tokenwell.WithClientSecret("mdb_sa_sk_example"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	fmt.Println(client.BaseURL())
	fmt.Println("client_id:", client.Sources()["client_id"])
	// Output:
	// https://cloud.mongodb.com
	// client_id: option client_id
}

func ExampleError() {
	retry := func(err error) (after time.Duration, worthwhile bool) {
		var problem *tokenwell.Error
		switch {
		case errors.Is(err, tokenwell.ErrCredentialRejected):
			return 0, false
		case errors.As(err, &problem) && problem.RetryAfterKnown:
			return problem.RetryAfter, true
		}
		return 0, false
	}

	fmt.Println(retry(&tokenwell.Error{Code: tokenwell.CodeRateLimited, RetryAfter: 30 * time.Second, RetryAfterKnown: true}))
	fmt.Println(retry(&tokenwell.Error{Code: tokenwell.CodeCredentialRejected}))
	// Output:
	// 30s true
	// 0s false
}
