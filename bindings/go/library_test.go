package tokenwell_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

// reportLibraryError prints the error of New for the library.
func reportLibraryError() {
	_, first := tokenwell.New()
	_, second := tokenwell.NewFromEnv()
	var problem *tokenwell.LibraryError
	fmt.Printf("%v %v\n%v\n", errors.As(first, &problem), errors.Is(second, first), first)
}

func TestLibraryVersionIsTheVersionOfTheLibrary(t *testing.T) {
	t.Parallel()
	if version := tokenwell.LibraryVersion(); strings.Count(version, ".") != 2 {
		t.Errorf("version %q", version)
	}
}
