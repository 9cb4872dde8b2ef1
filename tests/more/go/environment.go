package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

// setenv SECONDS: fault B1. One goroutine sets ever new variables, two others create clients from the
// environment, get a token and close them.
func setenv(arguments []string) (any, error) {
	end := time.Now().Add(time.Duration(number(arguments, 0)) * time.Second)
	var set, created atomic.Int64
	problems := make(chan error, 3)
	go func() {
		for time.Now().Before(end) {
			// Ever longer values: the C library then moves the environment, and frees the old one.
			n := set.Add(1)
			if err := os.Setenv(fmt.Sprintf("ANOTHER_VARIABLE_%d", n%20_000), strings.Repeat("x", int(n%3_000))); err != nil {
				problems <- err
				return
			}
		}
		problems <- nil
	}()
	for range 2 {
		go func() { problems <- createClients(end, &created) }()
	}
	problem := errors.Join(<-problems, <-problems, <-problems)
	return map[string]int64{"variables_set": set.Load(), "clients_created": created.Load()}, problem
}

func createClients(end time.Time, created *atomic.Int64) error {
	for time.Now().Before(end) {
		client, err := tokenwell.NewFromEnv()
		if err != nil {
			return err
		}
		if _, err := client.Token(context.Background()); err != nil {
			return err
		}
		if err := client.Close(); err != nil {
			return err
		}
		created.Add(1)
	}
	return nil
}
