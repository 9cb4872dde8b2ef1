package main

/*
#include <malloc.h>
#include <stdlib.h>

// The bytes that malloc has allocated and that are not freed, in the whole process.
static double bytes_in_use(void)
{
	struct mallinfo2 heap = mallinfo2();
	return (double)heap.uordblks + (double)heap.hblkhd;
}
*/
import "C"

import (
	"context"
	"math"
	"runtime"
	"sync"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

type leakReport struct {
	Canceled int     `json:"canceled"`
	Closed   int     `json:"closed"`
	C        float64 `json:"c_bytes_each"`
	Go       float64 `json:"go_bytes_each"`
}

// leak ROUNDS LOST: in each round 2,000 gets wait. Half of them are canceled, and the client is closed, so that the others
// end too. Reports how many bytes of the heaps of C and of Go are left for each get after the first fifth of the rounds.
// Of each get, LOST bytes of C's heap are lost on purpose.
func leak(arguments []string) (any, error) {
	rounds, lost := number(arguments, 0), number(arguments, 1)
	var got outcomes
	var early heaps
	for round := range rounds {
		if err := leakRound(&got, lost); err != nil {
			return nil, err
		}
		if round == rounds/5-1 {
			early = settle()
		}
	}
	late := settle()
	measured := float64((rounds - rounds/5) * waitsOfRound)
	return &leakReport{got.Canceled, got.Closed, (late.c - early.c) / measured, (late.goes - early.goes) / measured}, nil
}

const waitsOfRound = 2000

func leakRound(got *outcomes, lost int) error {
	client, err := tokenwell.NewFromEnv(tokenwell.WithTimeout(time.Minute))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var finished sync.WaitGroup
	for i := range waitsOfRound {
		start(&finished, func() {
			if lost > 0 {
				C.malloc(C.size_t(lost))
			}
			if i%2 == 0 {
				got.add(client.Token(ctx))
			} else {
				got.add(client.Token(context.Background()))
			}
		})
	}
	allWait(client, waitsOfRound)
	cancel()
	if err := client.Close(); err != nil {
		return err
	}
	finished.Wait()
	return nil
}

// heaps are the bytes that are in use.
type heaps struct{ c, goes float64 }

// settle lets the garbage collector free the clients, and the library end their refreshes. The least of several counts,
// because a refresh that ends late has memory of its own.
func settle() heaps {
	least := heaps{math.Inf(1), math.Inf(1)}
	for range 5 {
		runtime.GC()
		time.Sleep(100 * time.Millisecond)
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		least = heaps{min(least.c, float64(C.bytes_in_use())), min(least.goes, float64(stats.HeapAlloc))}
	}
	return least
}
