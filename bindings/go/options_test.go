package tokenwell_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

func TestTheOptionsAreExactlyTheSettingsOfTheLibrary(t *testing.T) {
	t.Parallel()
	_, err := tokenwell.New(tokenwell.WithSetting("no_such_setting", "x"))
	var problem *tokenwell.Error
	if !errors.As(err, &problem) {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(strings.TrimSuffix(problem.Hint, "."), "The settings are ")
	if !found {
		t.Fatalf("the hint lists no settings: %s", problem.Hint)
	}
	known := strings.Split(list, ", ")

	options := namesInOptions(t)

	slices.Sort(known)
	slices.Sort(options)
	if !slices.Equal(options, known) {
		t.Errorf("options for %v\nsettings are  %v", options, known)
	}
}

// namesInOptions returns the names of the settings that the With functions of options.go set.
func namesInOptions(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "options.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		called := ""
		switch function := call.Fun.(type) {
		case *ast.Ident:
			called = function.Name
		case *ast.SelectorExpr:
			called = function.Sel.Name
		}
		if name, ok := call.Args[0].(*ast.BasicLit); ok && (called == "WithSetting" || called == "set") {
			text, err := strconv.Unquote(name.Value)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, text)
		}
		return true
	})
	return names
}

func TestTheCacheIsSwitchedByABool(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	folder := t.TempDir()
	shared := []tokenwell.Option{tokenwell.WithCacheDir(folder), tokenwell.WithCacheUnsafe(true)}

	first := mustToken(t, atlas.client(append(shared, tokenwell.WithCache(true))...))
	second := mustToken(t, atlas.client(append(shared, tokenwell.WithCache(true))...))
	alone := mustToken(t, atlas.client(append(shared, tokenwell.WithCache(false))...))

	if second.Value() != first.Value() || alone.Value() == first.Value() {
		t.Error("clients with the cache do not share a token, or a client without it shares one")
	}
}

func TestAMisspelledSettingIsAnsweredWithASuggestion(t *testing.T) {
	t.Parallel()
	_, err := tokenwell.New(tokenwell.WithSetting("clientID", "x"))

	if !errors.Is(err, tokenwell.ErrInvalidArgument) || !strings.Contains(err.Error(), "Did you mean client_id") {
		t.Error(err)
	}
}
