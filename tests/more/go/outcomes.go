package main

import (
	"context"
	"errors"
	"sync"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

// outcomes counts what the waiters of a scene got.
type outcomes struct {
	mutex    sync.Mutex
	Served   int    `json:"served"`
	Canceled int    `json:"canceled"`
	Deadline int    `json:"deadline"`
	Closed   int    `json:"closed"`
	Other    int    `json:"other"`
	First    string `json:"first_other"`
	Distinct int    `json:"distinct_tokens"`
	values   map[string]bool
}

func (o *outcomes) add(token *tokenwell.Token, err error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	switch {
	case err == nil:
		if o.values == nil {
			o.values = make(map[string]bool)
		}
		o.values[token.Value()] = true
		o.Served, o.Distinct = o.Served+1, len(o.values)
	case errors.Is(err, context.Canceled):
		o.Canceled++
	case errors.Is(err, context.DeadlineExceeded):
		o.Deadline++
	case errors.Is(err, tokenwell.ErrClosed):
		o.Closed++
	default:
		if o.Other == 0 {
			o.First = err.Error()
		}
		o.Other++
	}
}

func (o *outcomes) canceled() int {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.Canceled
}
