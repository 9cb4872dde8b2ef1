package tokenwell_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

func TestUnreachableClientsAreFreed(t *testing.T) {
	atlas := startEmulator(t)
	atlas.post("/_emulator/settings", map[string]any{"rate_limit": nil})
	const count = 60
	var collected atomic.Int32
	var failed atomic.Int32

	inParallel(6, func() {
		for i := range count / 6 {
			client, err := tokenwell.New(atlas.account(tokenwell.WithTimeout(time.Minute))...)
			if err != nil {
				t.Error(err)
				return
			}
			runtime.AddCleanup(client, func(n *atomic.Int32) { n.Add(1) }, &collected)
			// From here on, only the call keeps the client reachable.
			if _, err := client.Token(context.Background()); err != nil {
				failed.Add(1)
			}
			if i%2 == 0 {
				runtime.GC()
			}
		}
	})

	if failed.Load() != 0 {
		t.Errorf("%d calls failed", failed.Load())
	}
	eventually(t, "every client is collected", func() bool {
		runtime.GC()
		return collected.Load() == count
	})
}

func TestACallThatWaitsKeepsItsClientAlive(t *testing.T) {
	for name, call := range map[string]func(*tokenwell.Client) error{
		"Token": func(client *tokenwell.Client) error {
			_, err := client.Token(context.Background(), tokenwell.ForceRefresh())
			return err
		},
		"Revoke": func(client *tokenwell.Client) error { return client.Revoke(context.Background()) },
	} {
		atlas := startEmulator(t)
		begun, done := make(chan struct{}), make(chan error, 1)
		go func() {
			client := newClientWithToken(t, atlas)
			atlas.faults(
				map[string]any{"path": "/api/oauth/token", "delay_ms": 500, "then_serve": true},
				map[string]any{"path": "/api/oauth/revoke", "delay_ms": 500, "then_serve": true},
			)
			close(begun)
			// From here on, only the call keeps the client reachable.
			done <- call(client)
		}()

		<-begun
		for waiting := true; waiting; {
			runtime.GC()
			select {
			case err := <-done:
				waiting = false
				if err != nil {
					t.Errorf("the client was freed during %s: %v", name, err)
				}
			default:
			}
		}
	}
}

func newClientWithToken(t *testing.T, atlas *emulator) *tokenwell.Client {
	client, err := tokenwell.New(atlas.account(tokenwell.WithTimeout(time.Minute))...)
	if err == nil {
		_, err = client.Token(context.Background())
	}
	if err != nil {
		t.Error(err)
	}
	return client
}

func TestAClientIsFreedAfterItsCallerGaveUp(t *testing.T) {
	atlas := startEmulator(t)
	atlas.slowToken(300 * time.Millisecond)
	var collected atomic.Int32

	func() {
		client, err := tokenwell.New(atlas.account(tokenwell.WithTimeout(time.Minute))...)
		if err != nil {
			t.Fatal(err)
		}
		runtime.AddCleanup(client, func(n *atomic.Int32) { n.Add(1) }, &collected)
		ctx, giveUp := context.WithCancel(context.Background())
		gaveUp := make(chan error, 1)
		go func() {
			_, err := client.Token(ctx)
			gaveUp <- err
		}()
		eventually(t, "the refresh starts", func() bool { return mustStats(t, client).Refreshes == 1 })
		giveUp()
		if err := <-gaveUp; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()

	eventually(t, "the client is freed", func() bool {
		runtime.GC()
		return collected.Load() == 1
	})
}
