// Command hello gets a token and prints it redacted.
package main

import (
	"context"
	"fmt"
	"log"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

func main() {
	client, err := tokenwell.NewFromEnv() // MONGODB_ATLAS_CLIENT_ID, MONGODB_ATLAS_CLIENT_SECRET
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	token, err := client.Token(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("hello,", token) // prints redacted; token.Authorization() is the header
}
