package tokenwell

import (
	"math"
	"testing"
	"time"
)

func TestI33ALocalCopyExpiresByEitherClock(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	l := &localCopy{fresh: hour}
	for _, c := range []struct {
		name            string
		monotonic, wall time.Duration
		fresh           bool
	}{
		{"immediately", 0, 0, true},
		{"just before its expiry", hour - 1, hour - 1, true},
		{"expired by the monotonic clock", hour, 1, false},
		{"expired by the wall clock: the machine was suspended", 1, hour, false},
		{"wall clock set back", time.Minute, -time.Second, false},
		{"wall clock far ahead", 1, math.MaxInt64, false},
	} {
		if l.isFresh(c.monotonic, c.wall) != c.fresh {
			t.Errorf("%s: expected fresh to be %v", c.name, c.fresh)
		}
	}
}

func TestATokenWithoutFreshTimeIsNeverReturnedFromTheLocalCopy(t *testing.T) {
	t.Parallel()
	if (&localCopy{}).isFresh(0, 0) {
		t.Error("the library was not called")
	}
}

func TestMillisecondsRoundUpAndSaturate(t *testing.T) {
	t.Parallel()
	for duration, expected := range map[time.Duration]uint64{
		0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, math.MaxInt64: math.MaxInt64/1_000_000 + 1, -1: 0,
	} {
		if got := ceilMilliseconds(duration); got != expected {
			t.Errorf("%v: %d, expected %d", duration, got, expected)
		}
	}
	if saturated(math.MaxUint64) != math.MaxInt64 || saturated(1500) != 1500*time.Millisecond {
		t.Error("a long duration became a short one")
	}
}
