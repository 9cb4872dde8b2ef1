package tokenwell

import "testing"

func TestOnlyEntriesWithANameAreVariables(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		entry, name, value string
		isVariable         bool
	}{
		{"A=b", "A", "b", true},
		{"A=", "A", "", true},
		{"A=b=c", "A", "b=c", true},
		{"A=not utf-8 \xff", "A", "not utf-8 \xff", true},
		{`=C:=C:\directory`, "", "", false},
		{"=ExitCode=00000000", "", "", false},
		{"=", "", "", false},
		{"no equals sign", "", "", false},
		{"", "", "", false},
	} {
		name, value, isVariable := parseVariable(c.entry)
		if isVariable != c.isVariable || isVariable && (name != c.name || value != c.value) {
			t.Errorf("%q: %q, %q, %v", c.entry, name, value, isVariable)
		}
	}
}
