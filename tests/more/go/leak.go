package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

// leak ROUNDS: in each round 2,000 gets wait. Half of them are canceled, and the client is closed, so
// that the others end too. The observer compares the memory after a tenth of the rounds with the
// memory at the end.
func leak(arguments []string) (any, error) {
	rounds := number(arguments, 0)
	var got outcomes
	for round := range rounds {
		if err := leakRound(&got); err != nil {
			return nil, err
		}
		if round == rounds/10 {
			settle("early")
		}
	}
	settle("late")
	return &got, nil
}

func leakRound(got *outcomes) error {
	client, err := tokenwell.NewFromEnv(tokenwell.WithTimeout(time.Minute))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	const count = 2000
	var finished sync.WaitGroup
	for i := range count {
		start(&finished, func() {
			if i%2 == 0 {
				got.add(client.Token(ctx))
			} else {
				got.add(client.Token(context.Background()))
			}
		})
	}
	allWait(client, count)
	cancel()
	if err := client.Close(); err != nil {
		return err
	}
	finished.Wait()
	return nil
}

// settle lets the garbage collector free the clients, and the library end their refreshes.
func settle(word string) {
	memory()
	time.Sleep(500 * time.Millisecond)
	memory()
	fmt.Println(word)
}
