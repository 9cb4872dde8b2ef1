package tokenwell_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

func TestVariablesOfTheHostCountWithoutFromEnvironment(t *testing.T) {
	t.Setenv("TOKENWELL_CACHE", "off")
	t.Setenv("TOKENWELL_CLIENT_ID", "mdb_sa_id_of_the_environment")

	client, err := tokenwell.New(tokenwell.WithClientID("mdb_sa_id_1"), tokenwell.WithClientSecret("secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	sources := client.Sources()
	if sources["cache"] != "environment variable TOKENWELL_CACHE" || sources["client_id"] != "option client_id" {
		t.Errorf("%v", sources)
	}
}

func TestAVariableThatWasSetAtRunTimeIsUsed(t *testing.T) {
	t.Setenv("TOKENWELL_CLIENT_ID", "mdb_sa_id_first")
	t.Setenv("TOKENWELL_CLIENT_SECRET", "secret")
	t.Setenv("TOKENWELL_TIMEOUT_MS", "soon")

	_, err := tokenwell.NewFromEnv()
	os.Unsetenv("TOKENWELL_TIMEOUT_MS")
	client, after := tokenwell.NewFromEnv()

	if !errors.Is(err, tokenwell.ErrInvalidArgument) || !strings.Contains(err.Error(), "TOKENWELL_TIMEOUT_MS") {
		t.Errorf("with the variable: %v", err)
	}
	if after != nil {
		t.Fatalf("without it: %v", after)
	}
	defer client.Close()
	if source := client.Sources()["client_id"]; source != "environment variable TOKENWELL_CLIENT_ID" {
		t.Errorf("%q", source)
	}
}

func TestTheLogIsSetByAVariable(t *testing.T) {
	t.Parallel()
	account := []string{"TOKENWELL_CLIENT_ID=mdb_sa_id_1", "TOKENWELL_CLIENT_SECRET=s"}
	output, _ := runScene(t, "strange variables", append(account, "TOKENWELL_LOG=loud")...)

	if !strings.Contains(output, "INVALID_ARGUMENT") || !strings.Contains(output, "TOKENWELL_LOG") {
		t.Errorf("%q", output)
	}
}

func TestEntriesThatAreNoVariablesAreSkipped(t *testing.T) {
	t.Parallel()
	output, _ := runScene(t, "strange variables", `=C:=C:\directory`, "no_equals_sign", "EMPTY=", "NOT_UTF8=\xff", "TOKENWELL_CLIENT_ID=mdb_sa_id_1", "TOKENWELL_CLIENT_SECRET=s")

	if output != "environment variable TOKENWELL_CLIENT_ID\n" {
		t.Errorf("%q", output)
	}
}

func TestB1ClientsAreCreatedWhileTheEnvironmentChanges(t *testing.T) {
	t.Parallel()
	output, log := runScene(t, "set variables", "TOKENWELL_CLIENT_ID=mdb_sa_id_1", "TOKENWELL_CLIENT_SECRET=s")

	if output != "done\n" {
		t.Errorf("%q, standard error: %q", output, log)
	}
}

// createFromStrangeVariables prints where the client id comes from.
func createFromStrangeVariables() {
	client, err := tokenwell.NewFromEnv()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Sources()["client_id"])
}

// createWhileVariablesChange creates clients for a second while another goroutine sets ever longer
// variables. In the library's own environment, that would free what it reads.
func createWhileVariablesChange() {
	end := time.Now().Add(time.Second)
	go func() {
		for n := 0; ; n++ {
			os.Setenv(fmt.Sprint("ANOTHER_VARIABLE_", n%20_000), strings.Repeat("x", n%3_000))
		}
	}()
	for time.Now().Before(end) {
		client, err := tokenwell.NewFromEnv()
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = client.Close()
	}
	fmt.Println("done")
}

// scene makes the test program run one of the scenes instead of the tests.
const scene = "TOKENWELL_TEST_SCENE"

var scenes = map[string]func(){
	"library error":     reportLibraryError,
	"strange variables": createFromStrangeVariables,
	"set variables":     createWhileVariablesChange,
}

// runScene returns the standard output and the standard error of a scene in a process of its own.
func runScene(t *testing.T, name string, variables ...string) (output, log string) {
	t.Helper()
	program := exec.Command(os.Args[0])
	program.Env = append(append(os.Environ(), scene+"="+name), variables...)
	var standardError strings.Builder
	program.Stderr = &standardError
	written, err := program.Output()
	if err != nil {
		t.Fatalf("%v: %s %s", err, written, standardError.String())
	}
	return string(written), standardError.String()
}
