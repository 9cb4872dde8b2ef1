// Command shim speaks the protocol of tests/vectors/README.md: one request a line in, one answer a line out.
// It calls the package's public API and nothing else.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

func main() {
	in := bufio.NewReaderSize(os.Stdin, 64<<10)
	var shim shim
	for {
		// No bufio.Scanner: a setting may be a megabyte long.
		line, err := in.ReadString('\n')
		if err != nil {
			os.Exit(0)
		}
		words := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		fmt.Println(shim.answer(words[0], arguments(words[1:])))
		if words[0] == "quit" {
			os.Exit(0)
		}
	}
}

// shim is what lives from one request to the next.
type shim struct {
	settings []tokenwell.Option
	client   *tokenwell.Client
}

func (s *shim) answer(request string, given arguments) string {
	switch request {
	case "hello":
		return "ok go " + tokenwell.LibraryVersion()
	case "set":
		s.settings = append(s.settings, tokenwell.WithSetting(given.text(0), given.text(1)))
		return "ok"
	case "client":
		return s.makeClient(given[0] == "1")
	case "quit":
		s.dropClient()
		return "ok"
	}

	client := s.client
	if client == nil {
		client = new(tokenwell.Client)
	}
	switch request {
	case "token":
		get := given.get()
		token, err := get.token(client)
		if err != nil {
			return failure(err)
		}
		return "ok " + text(token.Value()) + " " + strconv.FormatInt(token.ExpiresAt().UnixMilli(), 10)
	case "authorization":
		authorization, err := client.Authorization(context.Background())
		if err != nil {
			return failure(err)
		}
		return "ok " + text(authorization)
	case "together":
		count := given.number(0)
		return together(client, int(count), given[1:].get())
	case "loop":
		var outcomes outcomes
		for range given.number(0) {
			outcomes.add(get{}.token(client))
		}
		return outcomes.String()
	case "invalidate":
		return done(client.InvalidateValue(context.Background(), given.text(0)))
	case "revoke":
		ctx, cancel := given.deadline(0)
		defer cancel()
		return done(client.Revoke(ctx))
	case "stats":
		return stats(client)
	case "advance":
		return done(client.AdvanceClock(given.milliseconds(0)))
	case "close":
		return done(client.Close())
	}
	return "unimplemented " + text("this shim does not know the request "+request)
}

func (s *shim) makeClient(fromEnvironment bool) string {
	s.dropClient()
	options := s.settings
	s.settings = nil
	make := tokenwell.New
	if fromEnvironment {
		make = tokenwell.NewFromEnv
	}
	client, err := make(options...)
	s.client = client
	return done(err)
}

func (s *shim) dropClient() {
	if s.client != nil {
		_ = s.client.Close()
		s.client = nil
	}
}

// together makes count gets, each on a goroutine of its own, and lets none begin before all are there.
func together(client *tokenwell.Client, count int, get get) string {
	var ready, finished sync.WaitGroup
	var outcomes outcomes
	begin := make(chan struct{})
	ready.Add(count)
	finished.Add(count)
	for range count {
		go func() {
			defer finished.Done()
			ready.Done()
			<-begin
			outcomes.add(get.token(client))
		}()
	}
	ready.Wait()
	close(begin)
	finished.Wait()
	return outcomes.String()
}

func stats(client *tokenwell.Client) string {
	figures, err := client.Stats()
	if err != nil {
		return failure(err)
	}
	return fmt.Sprintf("stats hits=%d waits=%d refreshes=%d mints=%d mint_failures=%d stale_served=%d cooldown_answers=%d invalidations=%d",
		figures.Hits, figures.Waits, figures.Refreshes, figures.Mints, figures.MintFailures, figures.StaleServed, figures.CooldownAnswers, figures.Invalidations)
}

// get is what one token request asks for.
type get struct {
	options  []tokenwell.GetOption
	deadline func() (context.Context, context.CancelFunc)
}

func (g get) token(client *tokenwell.Client) (*tokenwell.Token, error) {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if g.deadline != nil {
		ctx, cancel = g.deadline()
	}
	defer cancel()
	return client.Token(ctx, g.options...)
}

// outcomes counts what many gets brought.
type outcomes struct {
	mutex         sync.Mutex
	succeeded     int
	values        map[string]struct{}
	firstValue    string
	failed        int
	firstFailedAs string
}

func (o *outcomes) add(token *tokenwell.Token, err error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if err != nil {
		if o.failed == 0 {
			o.firstFailedAs = described(err).Name
		}
		o.failed++
		return
	}
	if o.succeeded == 0 {
		o.values = make(map[string]struct{})
		o.firstValue = token.Value()
	}
	o.succeeded++
	o.values[token.Value()] = struct{}{}
}

func (o *outcomes) String() string {
	value, name := "-", "-"
	if o.succeeded > 0 {
		value = text(o.firstValue)
	}
	if o.failed > 0 {
		name = o.firstFailedAs
	}
	return fmt.Sprintf("many %d %d %s %d %s", o.succeeded, len(o.values), value, o.failed, name)
}

func done(err error) string {
	if err != nil {
		return failure(err)
	}
	return "ok"
}

func failure(err error) string {
	problem := described(err)
	httpStatus, retryAfter := "-", "-"
	if problem.HTTPStatus != 0 {
		httpStatus = strconv.Itoa(problem.HTTPStatus)
	}
	if problem.RetryAfterKnown {
		retryAfter = strconv.FormatInt(problem.RetryAfter.Milliseconds(), 10)
	}
	return fmt.Sprintf("error %d %s %s %s %s %s", problem.Code, problem.Name, httpStatus, retryAfter, text(problem.Message), text(problem.Hint))
}

// described finds the package's own error; any other is a failure of the package, shown as a bug.
func described(err error) *tokenwell.Error {
	var problem *tokenwell.Error
	if errors.As(err, &problem) {
		return problem
	}
	return &tokenwell.Error{Code: tokenwell.CodeInternal, Name: tokenwell.CodeInternal.String(), Message: err.Error()}
}

// arguments are the words after the request's name.
type arguments []string

func (a arguments) text(i int) string {
	decoded, err := hex.DecodeString(strings.TrimPrefix(a[i], "x"))
	if err != nil {
		fail("not a text: " + a[i])
	}
	return string(decoded)
}

func (a arguments) number(i int) uint64 {
	number, err := strconv.ParseUint(a[i], 10, 64)
	if err != nil {
		fail("not a number: " + a[i])
	}
	return number
}

// milliseconds is the longest duration where the number is greater than that.
func (a arguments) milliseconds(i int) time.Duration {
	return time.Duration(min(a.number(i), math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond
}

func (a arguments) deadline(i int) (context.Context, context.CancelFunc) {
	if a[i] == "-" {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), a.milliseconds(i))
}

func (a arguments) get() get {
	asked := get{deadline: func() (context.Context, context.CancelFunc) { return a.deadline(1) }}
	if a[0] != "-" {
		asked.options = append(asked.options, tokenwell.MinTTL(a.milliseconds(0)))
	}
	if a[2] == "1" {
		asked.options = append(asked.options, tokenwell.ForceRefresh())
	}
	return asked
}

func text(value string) string { return "x" + hex.EncodeToString([]byte(value)) }

// fail ends a shim that was spoken to wrongly: the runner sees the closed pipe and this line.
func fail(problem string) {
	fmt.Fprintln(os.Stderr, "shim: "+problem)
	os.Exit(2)
}
