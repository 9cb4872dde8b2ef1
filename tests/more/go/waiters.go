package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

// waiters COUNT DEADLINES: COUNT goroutines wait on a new client with as many different deadlines,
// all of which are later than the token. Reports how many bytes of Go's memory each of them takes.
func waiters(arguments []string) (any, error) {
	count, deadlines := number(arguments, 0), number(arguments, 1)
	client, err := tokenwell.NewFromEnv()
	if err != nil {
		return nil, err
	}
	idle()

	var got outcomes
	var finished sync.WaitGroup
	heapBefore, stacksBefore := memory()
	for i := range count {
		start(&finished, func() {
			ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second+time.Duration(i%deadlines)*10*time.Millisecond)
			defer cancel()
			got.add(client.Token(ctx))
		})
	}
	allWait(client, count)
	fmt.Println("waiting")
	heap, stacks := memory()
	finished.Wait()
	return struct {
		*outcomes
		Heap   int64 `json:"heap_bytes_each"`
		Stacks int64 `json:"stack_bytes_each"`
	}{&got, (heap - heapBefore) / int64(count), (stacks - stacksBefore) / int64(count)}, nil
}

// cancelAllButOne COUNT: all waiters but one are canceled while the server has not answered, and the
// last one gets the token.
func cancelAllButOne(arguments []string) (any, error) {
	count := number(arguments, 0)
	client, err := tokenwell.NewFromEnv()
	if err != nil {
		return nil, err
	}
	idle()

	var got outcomes
	var finished sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	for range count - 1 {
		start(&finished, func() { got.add(client.Token(ctx)) })
	}
	start(&finished, func() { got.add(client.Token(context.Background())) })
	allWait(client, count)
	fmt.Println("waiting")
	start := time.Now()
	cancel()
	for got.canceled() < count-1 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("canceled")
	took := time.Since(start)
	finished.Wait()
	return struct {
		*outcomes
		Took int64 `json:"cancel_ms"`
	}{&got, took.Milliseconds()}, nil
}

// hungServer CLIENTS WAITERS: fault R10. Each of CLIENTS clients has WAITERS goroutines that wait for a
// server that does not answer; then the clients are closed.
func hungServer(arguments []string) (any, error) {
	clients, each := number(arguments, 0), number(arguments, 1)
	idle()

	var got outcomes
	var finished sync.WaitGroup
	all := make([]*tokenwell.Client, clients)
	for i := range all {
		client, err := tokenwell.NewFromEnv()
		if err != nil {
			return nil, err
		}
		all[i] = client
		for range each {
			start(&finished, func() { got.add(client.Token(context.Background())) })
		}
	}
	for _, client := range all {
		allWait(client, each)
	}
	fmt.Println("waiting")
	time.Sleep(time.Second)
	for _, client := range all {
		if err := client.Close(); err != nil {
			return nil, err
		}
	}
	finished.Wait()
	return &got, nil
}

// start is sync.WaitGroup.Go, which Go 1.24 does not have.
func start(finished *sync.WaitGroup, do func()) {
	finished.Add(1)
	go func() {
		defer finished.Done()
		do()
	}()
}

// allWait returns when count gets of the client wait for a refresh.
func allWait(client *tokenwell.Client, count int) {
	for {
		counts, err := client.Stats()
		if err != nil {
			panic(err)
		}
		if counts.Waits >= uint64(count) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// memory returns the bytes in use: those of the heap and those of the stacks of goroutines.
func memory() (heap, stacks int64) {
	runtime.GC()
	runtime.GC()
	var figures runtime.MemStats
	runtime.ReadMemStats(&figures)
	return int64(figures.HeapAlloc), int64(figures.StackInuse)
}
