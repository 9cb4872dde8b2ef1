package tokenwell

import "testing"

func TestAVersionIsComparedByItsNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version, than string
		older         bool
	}{
		{"0.1.0", "0.1.0", false},
		{"0.0.9", "0.1.0", true},
		{"0.9.0", "0.10.0", true},
		{"0.10.0", "0.9.0", false},
		{"1.0.0", "0.9.9", false},
		{"1.2.3", "1.2.4", true},
		{"1.2.4", "1.2.3", false},
		{"0.2.0", "1.0.0", true},
		{"unknown", "1.0.0", false},
		{"0.1", "1.0.0", false},
		{"0.1.0-rc1", "0.1.1", false},
	} {
		if found := isOlder(c.version, c.than); found != c.older {
			t.Errorf("isOlder(%q, %q) is %v", c.version, c.than, found)
		}
	}
}
