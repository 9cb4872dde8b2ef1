package tokenwell_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

// waitingThreads is how many threads the Go runtime may create for any number of waiting goroutines:
// the calls that begin and end a wait are short, but occupy a thread.
const waitingThreads = 8

func TestR10WaitingGoroutinesOccupyNoThread(t *testing.T) {
	atlas := startEmulator(t)
	// Longer than the test may take, so every call that returns was ended by Close.
	atlas.slowToken(10 * time.Minute)
	const clients, each = 10, 256
	threads := pprof.Lookup("threadcreate")
	before := threads.Count()
	var closed atomic.Int32
	var finished sync.WaitGroup

	all := make([]*tokenwell.Client, clients)
	for i := range all {
		client := atlas.client(tokenwell.WithTimeout(10 * time.Minute))
		all[i] = client
		for range each {
			finished.Add(1)
			go func() {
				defer finished.Done()
				if _, err := client.Token(context.Background()); errors.Is(err, tokenwell.ErrClosed) {
					closed.Add(1)
				}
			}()
		}
	}
	for _, client := range all {
		waitsReach(t, client, each)
		_ = client.Close()
	}
	finished.Wait()

	if closed.Load() != clients*each {
		t.Errorf("%d of %d callers got CLOSED", closed.Load(), clients*each)
	}
	if created := threads.Count() - before; created > waitingThreads {
		t.Errorf("%d threads for %d waiting goroutines", created, clients*each)
	}
}

func TestEachWaiterHasItsOwnDeadline(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client(tokenwell.WithTimeout(time.Minute))
	atlas.slowToken(3 * time.Second)
	const early, late = 500, 500
	var served, expired, wrong atomic.Int32

	var finished sync.WaitGroup
	wait := func(limit time.Duration) {
		defer finished.Done()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		deadline, _ := ctx.Deadline()
		_, err := client.Token(ctx)
		switch late := time.Since(deadline); {
		case err == nil:
			served.Add(1)
		case errors.Is(err, context.DeadlineExceeded) && errors.Is(err, tokenwell.ErrDeadline) && late >= -time.Millisecond && late < time.Second:
			expired.Add(1)
		default:
			wrong.Add(1)
			t.Logf("%v after the deadline of %v: %v", late, limit, err)
		}
	}
	finished.Add(early + late)
	for i := range early {
		go wait(50*time.Millisecond + time.Duration(i)*2*time.Millisecond)
	}
	for i := range late {
		go wait(30*time.Second + time.Duration(i)*10*time.Millisecond)
	}
	finished.Wait()

	if served.Load() != late || expired.Load() != early || wrong.Load() != 0 {
		t.Errorf("%d served, %d expired, %d got something else", served.Load(), expired.Load(), wrong.Load())
	}
	if counted := atlas.counters(); counted.TokenRequests != 1 {
		t.Errorf("%d token requests", counted.TokenRequests)
	}
}

func TestCancelingAllWaitersButOneServesThatOne(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client(tokenwell.WithTimeout(time.Minute))
	atlas.slowToken(2 * time.Second)
	const count = 1000
	ctx, cancel := context.WithCancel(context.Background())
	canceled := make(chan error, count)
	last := make(chan error, 1)
	for range count {
		go func() {
			_, err := client.Token(ctx)
			canceled <- err
		}()
	}
	go func() {
		_, err := client.Token(context.Background())
		last <- err
	}()
	waitsReach(t, client, count+1)

	cancel()

	for range count {
		if err := <-canceled; !errors.Is(err, context.Canceled) {
			t.Fatalf("%v", err)
		}
	}
	if err := <-last; err != nil {
		t.Error(err)
	}
	if counted := atlas.counters(); counted.TokenRequests != 1 {
		t.Errorf("%d token requests", counted.TokenRequests)
	}
}

func TestACanceledWaiterReturnsImmediately(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	client := atlas.client(tokenwell.WithTimeout(10 * time.Minute))
	token := mustToken(t, client)
	atlas.faults(
		map[string]any{"path": "/api/oauth/token", "delay_ms": 600_000, "then_serve": true},
		map[string]any{"path": "/api/oauth/revoke", "delay_ms": 600_000, "then_serve": true},
	)

	for name, call := range map[string]func(context.Context) error{
		"Token": func(ctx context.Context) error {
			_, err := client.Token(ctx, tokenwell.ForceRefresh())
			return err
		},
		"Authorization": func(ctx context.Context) error {
			_, err := client.Authorization(ctx, tokenwell.ForceRefresh())
			return err
		},
		"Revoke": client.Revoke,
	} {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(100*time.Millisecond, cancel)
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		late, stop := context.WithTimeout(context.Background(), 100*time.Millisecond)
		if err := call(late); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, tokenwell.ErrDeadline) {
			t.Errorf("%s: %v", name, err)
		}
		stop()
	}
	if current := mustToken(t, client); current.Value() != token.Value() {
		t.Error("the current token has changed")
	}
}

func TestCallersThatGiveUpLeaveNothingBehind(t *testing.T) {
	atlas := startEmulator(t)
	client := atlas.client(tokenwell.WithTimeout(10 * time.Minute))
	atlas.slowToken(10 * time.Minute)
	const count = 5000
	rounds := func() {
		for round := range 2 {
			ctx, cancel := context.WithCancel(context.Background())
			var finished sync.WaitGroup
			finished.Add(count)
			before := mustStats(t, client).Waits
			for range count {
				go func() {
					defer finished.Done()
					_, _ = client.Token(ctx)
				}()
			}
			if round == 0 {
				waitsReach(t, client, before+count)
			}
			cancel()
			finished.Wait()
		}
	}
	// The first rounds create what the runtime keeps for reuse.
	rounds()
	goroutines, objects := runtime.NumGoroutine(), heapObjects()

	rounds()

	eventually(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "every waiter is released and collected", func() bool { return heapObjects() < objects+count/10 })
}

func TestClosingWhileCallersBeginAndGiveUp(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	atlas.slowToken(20 * time.Millisecond)

	for range 20 {
		client := atlas.client(tokenwell.WithTimeout(time.Minute))
		ctx, cancel := context.WithCancel(context.Background())
		begun := make(chan struct{}, 50)
		var finished sync.WaitGroup
		for range 50 {
			finished.Add(1)
			go func() {
				defer finished.Done()
				for {
					begun <- struct{}{}
					_, err := client.Token(ctx, tokenwell.ForceRefresh())
					if errors.Is(err, context.Canceled) || errors.Is(err, tokenwell.ErrClosed) {
						return
					}
					if err != nil && !errors.Is(err, tokenwell.ErrRateLimited) && !errors.Is(err, tokenwell.ErrTokenLimit) {
						t.Error(err)
						return
					}
				}
			}()
		}
		for range 60 {
			<-begun
		}
		go cancel()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		stop := make(chan struct{})
		go func() { finished.Wait(); close(stop) }()
		for running := true; running; {
			select {
			case <-begun:
			case <-stop:
				running = false
			}
		}
	}
}

func TestATokenIsSavedWhenItsCallerReturns(t *testing.T) {
	t.Parallel()
	atlas := startEmulator(t)
	for range 5 {
		folder := t.TempDir()
		client := atlas.client(tokenwell.WithCache(true), tokenwell.WithCacheDir(folder), tokenwell.WithCacheUnsafe(true))

		mustToken(t, client)
		saved, err := filepath.Glob(filepath.Join(folder, "*.token"))

		if err != nil || len(saved) != 1 {
			t.Errorf("%d saved tokens, %v", len(saved), err)
		}
	}
}

// waitsReach waits until so many gets of the client have waited.
func waitsReach(t *testing.T, client *tokenwell.Client, count uint64) {
	t.Helper()
	eventually(t, "all callers wait", func() bool { return mustStats(t, client).Waits >= count })
}

func heapObjects() uint64 {
	runtime.GC()
	runtime.GC()
	var figures runtime.MemStats
	runtime.ReadMemStats(&figures)
	return figures.HeapObjects
}
