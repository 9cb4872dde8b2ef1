//go:build cgo

package tokenwell

import (
	"os"
	"strings"
)

// copyEnvironment makes the library use a copy of the environment. The library must not read the
// environment itself: os.Setenv in another goroutine may free what it reads.
func (to *configuration) copyEnvironment() error {
	if err := to.useVariables(); err != nil {
		return err
	}
	for _, entry := range os.Environ() {
		name, value, isVariable := parseVariable(entry)
		if !isVariable {
			continue
		}
		if err := to.setVariable(name, value); err != nil {
			return err
		}
	}
	return nil
}

// parseVariable returns false for an entry that is not a variable: one without an equals sign, and
// one that starts with it. Windows stores the current directory of each drive as "=C:=C:\directory".
func parseVariable(entry string) (name, value string, isVariable bool) {
	name, value, isVariable = strings.Cut(entry, "=")
	return name, value, isVariable && name != ""
}
