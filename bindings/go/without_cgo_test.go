package tokenwell_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestN29B12WithoutCgoTheBuildFailsWithOneErrorThatNamesTheCause(t *testing.T) {
	t.Parallel()
	// A program that imports the package.
	command := exec.Command("go", "build", "-o", os.DevNull, "./internal/shim")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")

	output, err := command.CombinedOutput()

	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	if err == nil || len(lines) != 2 || lines[0] != "# github.com/tokenwell/tokenwell/bindings/go" {
		t.Fatalf("%v:\n%s", err, output)
	}
	for _, expected := range []string{"without_cgo.go:", "requires cgo", "C compiler", "CGO_ENABLED=1"} {
		if !strings.Contains(lines[1], expected) {
			t.Errorf("%q is not in: %s", expected, lines[1])
		}
	}
}
