// Command mongodb_oidc lists the databases of a cluster, to which the driver logs in with an access
// token (MONGODB-OIDC). It reads MONGODB_URI, and the account from the environment: a client of the
// identity provider that the cluster trusts.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
	"github.com/tokenwell/tokenwell/bindings/go/mongodriver"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func main() {
	if err := listDatabases(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func listDatabases(ctx context.Context) error {
	client, err := tokenwell.NewFromEnv()
	if err != nil {
		return err
	}
	defer client.Close()

	driver, err := mongo.Connect(options.Client().ApplyURI(os.Getenv("MONGODB_URI")).SetAuth(options.Credential{
		AuthMechanism:       "MONGODB-OIDC",
		OIDCMachineCallback: mongodriver.OIDCCallback(client),
	}))
	if err != nil {
		return err
	}
	defer driver.Disconnect(ctx)

	names, err := driver.ListDatabaseNames(ctx, bson.D{})
	if err != nil {
		// If another process got the token and it was revoked since, the driver gets a new one only
		// for its second login.
		names, err = driver.ListDatabaseNames(ctx, bson.D{})
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		fmt.Println(name)
	}
	return nil
}
