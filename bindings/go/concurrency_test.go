package tokenwell_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

// inParallel runs count goroutines that all start at the same time, and waits for all of them.
func inParallel(count int, do func()) {
	var finished sync.WaitGroup
	begin := make(chan struct{})
	for range count {
		finished.Add(1)
		go func() {
			defer finished.Done()
			<-begin
			do()
		}()
	}
	close(begin)
	finished.Wait()
}

// distinct collects the results of many gets.
type distinct struct {
	mutex  sync.Mutex
	values map[string]int
	errors []error
}

func (d *distinct) add(token *tokenwell.Token, err error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if err != nil {
		d.errors = append(d.errors, err)
		return
	}
	if d.values == nil {
		d.values = make(map[string]int)
	}
	d.values[token.Value()]++
}

func TestAHundredGoroutinesOnANewClientSendOneTokenRequest(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	atlas.slowToken(200 * time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	var got distinct
	inParallel(100, func() { got.add(client.Token(ctx)) })

	if len(got.errors) != 0 || len(got.values) != 1 {
		t.Errorf("%d errors %v, %d distinct tokens", len(got.errors), got.errors, len(got.values))
	}
	if counted := atlas.counters(); counted.TokenRequests != 1 {
		t.Errorf("%d token requests", counted.TokenRequests)
	}
}

func TestTenThousandGetsAcrossThreeExpiriesSendFourTokenRequests(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.stoppedClock(tokenwell.WithTimeout(time.Minute))

	var got distinct
	for life := range 4 {
		if life > 0 {
			atlas.advance(client, time.Hour)
		}
		inParallel(10, func() {
			for range 250 {
				got.add(client.Token(context.Background()))
			}
		})
	}

	if len(got.errors) != 0 || len(got.values) != 4 {
		t.Errorf("%d errors %v, %d distinct tokens", len(got.errors), got.errors, len(got.values))
	}
	if counted := atlas.counters(); counted.TokenRequests != 4 {
		t.Errorf("%d token requests", counted.TokenRequests)
	}
}

func TestATokenThatIsDueIsReturnedWhileItsRefreshIsSlow(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.stoppedClock(tokenwell.WithTimeout(time.Minute))
	first := mustToken(t, client)
	atlas.advance(client, 55*time.Minute)
	atlas.slowToken(time.Second)

	during := mustToken(t, client)

	if during.Value() != first.Value() {
		t.Error("the caller waited for the refresh")
	}
	eventually(t, "the background refresh returns a new token", func() bool { return mustToken(t, client).Value() != first.Value() })
	if counted := atlas.counters(); counted.TokenRequests != 2 {
		t.Errorf("%d token requests", counted.TokenRequests)
	}
}

func TestACallerThatGivesUpDoesNotCancelTheTokenRequest(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client(tokenwell.WithTimeout(time.Minute))
	atlas.slowToken(3 * time.Second)
	ctx, giveUp := context.WithCancel(context.Background())
	gaveUp := make(chan error, 1)
	go func() {
		_, err := client.Token(ctx)
		gaveUp <- err
	}()
	eventually(t, "the refresh starts", func() bool { return mustStats(t, client).Refreshes == 1 })

	giveUp()
	err := <-gaveUp
	token := mustToken(t, client)

	if !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller that gave up: %v", err)
	}
	if token.Value() == "" || atlas.counters().TokenRequests != 1 {
		t.Errorf("the token request was affected: %+v", atlas.counters())
	}
}

func TestACancellationWrapsItsCause(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	cause := errors.New("the server shuts down")
	ctx, giveUp := context.WithCancelCause(context.Background())
	giveUp(cause)

	_, err := client.Token(ctx)

	if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}

func TestAContextThatIsDoneSendsNothing(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	late, stop := context.WithTimeout(context.Background(), -time.Second)
	defer stop()

	_, err := client.Token(canceled)
	_, lateErr := client.Authorization(late)
	revoke := client.Revoke(canceled)

	if !errors.Is(err, context.Canceled) || !errors.Is(revoke, context.Canceled) {
		t.Errorf("%v, %v", err, revoke)
	}
	if !errors.Is(lateErr, context.DeadlineExceeded) || !errors.Is(lateErr, tokenwell.ErrDeadline) {
		t.Errorf("%v", lateErr)
	}
	if atlas.counters().Connections != 0 {
		t.Error("something was sent")
	}
}

func TestAnExceededDeadlineMatchesBothErrors(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client(tokenwell.WithTimeout(time.Minute))
	atlas.slowToken(2 * time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()

	_, err := client.Token(ctx)
	token := mustToken(t, client)

	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, tokenwell.ErrDeadline) {
		t.Errorf("%v", err)
	}
	if token.Value() == "" || atlas.counters().TokenRequests != 1 {
		t.Errorf("the refresh did not finish for the next caller: %+v", atlas.counters())
	}
}

func TestTheErrorOfADeadlineIsThatOfTheLibrary(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client(tokenwell.WithTimeout(time.Minute))
	// Longer than the test may take.
	atlas.slowToken(10 * time.Minute)

	// On a busy machine the library may be late once.
	eventually(t, "the library's error says how long the call waited", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_, err := client.Token(ctx)
		return strings.Contains(err.Error(), "deadline exceeded after 5")
	})
}

func TestEveryCallOfAClosedClientReturnsErrClosed(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	token := mustToken(t, client)

	first, second := client.Close(), client.Close()

	if first != nil || second != nil {
		t.Errorf("Close: %v, %v", first, second)
	}
	_, get := client.Token(context.Background())
	_, header := client.Authorization(context.Background())
	for _, err := range []error{get, header, client.Revoke(context.Background())} {
		if !errors.Is(err, tokenwell.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
	if token.Value() == "" {
		t.Error("the token is not usable after its client is closed")
	}
}

func TestWaitingCallersGetErrClosedWhenTheClientIsClosed(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client(tokenwell.WithTimeout(time.Minute))
	// Longer than the test may take, so every call that returns was ended by Close.
	atlas.slowToken(10 * time.Minute)
	var closed atomic.Int32
	done := make(chan struct{})
	go func() {
		inParallel(20, func() {
			if _, err := client.Token(context.Background()); errors.Is(err, tokenwell.ErrClosed) {
				closed.Add(1)
			}
		})
		close(done)
	}()
	eventually(t, "the refresh starts", func() bool { return mustStats(t, client).Refreshes == 1 })

	inParallel(10, func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	<-done

	if closed.Load() != 20 {
		t.Errorf("%d of 20 callers got CLOSED", closed.Load())
	}
}

func TestCallsThatRaceWithCloseReturnATokenOrErrClosed(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client()
	mustToken(t, client)
	var calls atomic.Int32

	var finished sync.WaitGroup
	for range 16 {
		finished.Add(1)
		go func() {
			defer finished.Done()
			for {
				calls.Add(1)
				_, err := client.Token(context.Background(), tokenwell.MinTTL(time.Second))
				if errors.Is(err, tokenwell.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	eventually(t, "the callers have made calls", func() bool { return calls.Load() > 100 })
	if err := client.Close(); err != nil {
		t.Error(err)
	}

	finished.Wait()
}
