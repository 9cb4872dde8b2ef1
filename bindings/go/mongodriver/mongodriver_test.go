package mongodriver_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
	"github.com/tokenwell/tokenwell/bindings/go/internal/emulator"
	"github.com/tokenwell/tokenwell/bindings/go/mongodriver"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestMain(m *testing.M) {
	// Tests must not share tokens through the cache.
	os.Setenv("TOKENWELL_CACHE", "off")
	os.Exit(m.Run())
}

var repository = filepath.Join("..", "..", "..")

func start(t *testing.T, more ...tokenwell.Option) (emulator.Account, *tokenwell.Client) {
	t.Helper()
	account := emulator.Start(t, repository)
	client, err := tokenwell.New(append([]tokenwell.Option{
		tokenwell.WithBaseURL(account.BaseURL), tokenwell.WithClientID(account.ClientID), tokenwell.WithClientSecret(account.ClientSecret),
	}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return account, client
}

// connect returns a driver that logs in to the cluster with the callback.
func connect(t *testing.T, to *cluster, callback options.OIDCCallback) *mongo.Client {
	t.Helper()
	driver, err := mongo.Connect(options.Client().ApplyURI(to.uri()).
		SetAuth(options.Credential{AuthMechanism: "MONGODB-OIDC", OIDCMachineCallback: callback}).
		SetServerSelectionTimeout(10 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = driver.Disconnect(context.Background()) })
	return driver
}

func names(driver *mongo.Client) ([]string, error) {
	return driver.ListDatabaseNames(context.Background(), bson.D{})
}

func invalidations(t *testing.T, client *tokenwell.Client) uint64 {
	t.Helper()
	stats, err := client.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return stats.Invalidations
}

func mustCall(t *testing.T, callback options.OIDCCallback) *options.OIDCCredential {
	t.Helper()
	credential, err := callback(context.Background(), &options.OIDCArgs{Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

func TestTheDriverLogsInAgainWithANewTokenAfterTheServerRejectedTheFirst(t *testing.T) {
	t.Parallel()
	account, client := start(t)
	server := startCluster(t, account)
	driver := connect(t, server, mongodriver.OIDCCallback(client))

	before, errBefore := names(driver)
	account.Revoke(t, server.seen()[0])
	after, errAfter := names(driver)

	if errBefore != nil || errAfter != nil || !slices.Equal(before, []string{"inventory"}) || !slices.Equal(after, before) {
		t.Errorf("%v %v, then %v %v", before, errBefore, after, errAfter)
	}
	if logins := server.seen(); len(logins) != 2 || logins[0] == logins[1] {
		t.Errorf("%d logins", len(logins))
	}
	if counted := account.Counters(t); counted.TokenRequests != 2 || invalidations(t, client) != 1 {
		t.Errorf("%d token requests, %d invalidations", counted.TokenRequests, invalidations(t, client))
	}
}

func TestTheSecondLoginSucceedsIfTheVeryFirstTokenIsRejected(t *testing.T) {
	t.Parallel()
	account, client := start(t)
	token, err := client.Token(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	account.Revoke(t, token.Value())
	driver := connect(t, startCluster(t, account), mongodriver.OIDCCallback(client))

	_, errFirst := names(driver)
	second, errSecond := names(driver)

	if errFirst == nil || errSecond != nil || !slices.Equal(second, []string{"inventory"}) {
		t.Errorf("%v, then %v %v", errFirst, second, errSecond)
	}
	if counted := account.Counters(t); counted.TokenRequests != 2 || invalidations(t, client) != 1 {
		t.Errorf("%d token requests, %d invalidations", counted.TokenRequests, invalidations(t, client))
	}
}

func TestARepeatedCallInvalidatesTheTokenThatItReturnedBefore(t *testing.T) {
	t.Parallel()
	account, client := start(t)
	callback := mongodriver.OIDCCallback(client)

	first := mustCall(t, callback)
	second := mustCall(t, callback)

	if first.AccessToken == second.AccessToken || invalidations(t, client) != 1 || account.Counters(t).TokenRequests != 2 {
		t.Errorf("the same token: %v, %d invalidations", first.AccessToken == second.AccessToken, invalidations(t, client))
	}
	token, err := client.Token(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if second.AccessToken != token.Value() || second.ExpiresAt == nil || !second.ExpiresAt.Equal(token.ExpiresAt()) || second.RefreshToken != nil {
		t.Errorf("the credential is not the current token; it expires at %v", second.ExpiresAt)
	}
}

func TestARepeatedCallKeepsATokenThatItDidNotReturnBefore(t *testing.T) {
	t.Parallel()
	account, client := start(t)
	callback := mongodriver.OIDCCallback(client)
	first := mustCall(t, callback)
	if err := client.InvalidateValue(context.Background(), first.AccessToken); err != nil {
		t.Fatal(err)
	}
	replaced, err := client.Token(context.Background())
	if err != nil {
		t.Fatal(err)
	}

	second := mustCall(t, callback)

	if second.AccessToken != replaced.Value() || invalidations(t, client) != 1 || account.Counters(t).TokenRequests != 2 {
		t.Errorf("another token: %v, %d invalidations", second.AccessToken != replaced.Value(), invalidations(t, client))
	}
}

func TestACallThatFailedDoesNotHideTheRejectedToken(t *testing.T) {
	t.Parallel()
	account, client := start(t)
	callback := mongodriver.OIDCCallback(client)
	first := mustCall(t, callback)
	canceled, cancel := context.WithCancel(context.Background())
	cancel()

	_, err := callback(canceled, &options.OIDCArgs{Version: 1})
	second := mustCall(t, callback)

	if !errors.Is(err, context.Canceled) || first.AccessToken == second.AccessToken || account.Counters(t).TokenRequests != 2 {
		t.Errorf("%v, the same token: %v", err, first.AccessToken == second.AccessToken)
	}
}

func TestTheContextLimitsTheWaitForAToken(t *testing.T) {
	t.Parallel()
	account, client := start(t, tokenwell.WithTimeout(10*time.Minute))
	// Longer than the test may take.
	account.Fault(t, map[string]any{"path": "/api/oauth/token", "delay_ms": 600_000, "then_serve": true})
	callback := mongodriver.OIDCCallback(client)
	late, cancelLate := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancelLate()
	canceled, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)

	_, errLate := callback(late, &options.OIDCArgs{Version: 1})
	_, errCanceled := callback(canceled, &options.OIDCArgs{Version: 1})

	if !errors.Is(errLate, context.DeadlineExceeded) || !errors.Is(errCanceled, context.Canceled) {
		t.Errorf("%v; %v", errLate, errCanceled)
	}
}

func TestTheErrorOfTheDriverWrapsThatOfTheToken(t *testing.T) {
	t.Parallel()
	account, client := start(t, tokenwell.WithClientSecret("mdb_sa_sk_wrong"))
	driver := connect(t, startCluster(t, account), mongodriver.OIDCCallback(client))

	_, err := names(driver)

	var problem *tokenwell.Error
	if !errors.Is(err, tokenwell.ErrCredentialRejected) || !errors.As(err, &problem) {
		t.Errorf("%v", err)
	}
}

func TestTheExampleLogsInBeforeAndAfterItsTokenWasRevoked(t *testing.T) {
	t.Parallel()
	account, _ := start(t)
	server := startCluster(t, account)
	example := account.BuildExample(t, repository, "mongodb_oidc")
	uri := "MONGODB_URI=" + server.uri()

	before := example.Run(t, uri)
	account.Revoke(t, server.seen()[0])
	after := example.Run(t, uri)

	if before != "inventory\n" || after != before {
		t.Errorf("%q, then %q", before, after)
	}
	logins := server.seen()
	if last := logins[len(logins)-1]; logins[1] != logins[0] || last == logins[0] || account.Counters(t).TokenRequests != 2 {
		t.Errorf("%d logins, %d token requests", len(logins), account.Counters(t).TokenRequests)
	}
}
