// Command demo is the Go program of the demo: it gets a token, calls the Atlas Admin API with it,
// gets the header 10,000 more times and prints one line of JSON. It reads MONGODB_ATLAS_* from the
// environment.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

const gets = 10_000

type report struct {
	Language     string  `json:"language"`
	APIStatus    int     `json:"api_status"`
	Gets         int     `json:"gets"`
	NsPerGet     float64 `json:"ns_per_get"`
	FirstTokenMs float64 `json:"first_token_ms"`
}

func main() {
	done, err := demo(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(done); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func demo(ctx context.Context) (*report, error) {
	client, err := tokenwell.NewFromEnv()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	done := report{Language: "Go", Gets: gets}

	start := time.Now()
	header, err := client.Authorization(ctx)
	if err != nil {
		return nil, err
	}
	done.FirstTokenMs = rounded(float64(time.Since(start)) / float64(time.Millisecond))

	if done.APIStatus, err = callAPI(ctx, client.BaseURL(), header); err != nil {
		return nil, err
	}

	start = time.Now()
	for range gets {
		if _, err := client.Authorization(ctx); err != nil {
			return nil, err
		}
	}
	done.NsPerGet = rounded(float64(time.Since(start)) / gets)
	return &done, nil
}

// callAPI lists the organizations of the account with net/http and returns the HTTP status.
func callAPI(ctx context.Context, base, header string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/atlas/v2/orgs", nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", header)
	request.Header.Set("Accept", "application/vnd.atlas.2024-08-05+json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// rounded rounds to two decimal places.
func rounded(number float64) float64 { return math.Round(number*100) / 100 }
