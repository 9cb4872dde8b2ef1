// Command shim implements the protocol of tests/vectors/README.md: it reads one request a line and
// writes one answer a line. It calls only the public API of the package.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"os"
	"slices"
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
		// Not bufio.Scanner, which limits the length of a line: a setting may be a megabyte long.
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

// shim is the state between requests.
type shim struct {
	settings []tokenwell.Option
	client   *tokenwell.Client
}

func (s *shim) answer(request string, given arguments) string {
	switch request {
	case "hello":
		return "ok go " + tokenwell.LibraryVersion()
	case "set":
		s.settings = append(s.settings, tokenwell.WithSetting(given.string(0), given.string(1)))
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
		return "ok " + encoded(token.Value()) + " " + strconv.FormatInt(token.ExpiresAt().UnixMilli(), 10)
	case "authorization":
		authorization, err := client.Authorization(context.Background())
		if err != nil {
			return failure(err)
		}
		return "ok " + encoded(authorization)
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
		return done(client.InvalidateValue(context.Background(), given.string(0)))
	case "revoke":
		ctx, cancel := given.deadline(0)
		defer cancel()
		return done(client.Revoke(ctx))
	case "request":
		return sent(client, given)
	case "stats":
		return stats(client)
	case "base_url":
		return "ok " + encodedOrNone(client.BaseURL())
	case "sources":
		return sources(client)
	case "advance":
		return done(client.AdvanceClock(given.milliseconds(0)))
	case "close":
		return done(client.Close())
	}
	return "unimplemented " + encoded("this shim does not know the request "+request)
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

// together makes count gets on as many goroutines, which all start at the same time.
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

func sent(client *tokenwell.Client, given arguments) string {
	ctx, cancel := given.deadline(6)
	defer cancel()
	described := tokenwell.APIRequest{Method: given.string(0), Path: given.string(1)}
	if given[2] != "-" {
		described.Version = given.string(2)
	}
	if given[3] != "-" {
		described.Query = make(url.Values)
		for _, pair := range strings.Split(given[3], ",") {
			parameter := arguments(strings.SplitN(pair, "=", 2))
			described.Query.Add(parameter.string(0), parameter.string(1))
		}
	}
	if given[4] != "-" {
		described.Body = []byte(given.string(4))
	}
	if given[5] != "-" {
		described.MaxBody = int64(given.number(5))
	}
	response, err := client.Request(ctx, described)
	if err != nil {
		return failure(err)
	}
	answer := fmt.Sprintf("response %d %s", response.StatusCode, encoded(string(response.Body)))
	for _, name := range slices.Sorted(maps.Keys(response.Header)) {
		for _, value := range response.Header[name] {
			answer += " " + encoded(strings.ToLower(name)) + "=" + encoded(value)
		}
	}
	return answer
}

func stats(client *tokenwell.Client) string {
	counts, err := client.Stats()
	if err != nil {
		return failure(err)
	}
	return fmt.Sprintf("stats hits=%d waits=%d refreshes=%d mints=%d mint_failures=%d stale_served=%d cooldown_answers=%d invalidations=%d",
		counts.Hits, counts.Waits, counts.Refreshes, counts.Mints, counts.MintFailures, counts.StaleServed, counts.CooldownAnswers, counts.Invalidations)
}

// sources are sorted by name, because a map has no order.
func sources(client *tokenwell.Client) string {
	answer := "sources"
	known := client.Sources()
	for _, name := range slices.Sorted(maps.Keys(known)) {
		answer += " " + name + "=" + encoded(known[name])
	}
	return answer
}

// get contains the arguments of one get.
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

// outcomes counts the results of many gets.
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
		value = encoded(o.firstValue)
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
	remembered := 0
	if problem.IsRemembered {
		remembered = 1
	}
	return fmt.Sprintf("error %d %s %s %s %s %s %s %s %d %d %d", problem.Code, problem.Name, httpStatus, retryAfter,
		encoded(problem.Message), encoded(problem.Hint), encoded(err.Error()),
		encodedOrNone(problem.OAuthCode), remembered, problem.Age.Milliseconds(), problem.Attempts)
}

// described returns the package's own error. Any other error is a bug in the package.
func described(err error) *tokenwell.Error {
	var problem *tokenwell.Error
	if errors.As(err, &problem) {
		return problem
	}
	return &tokenwell.Error{Code: tokenwell.CodeInternal, Name: tokenwell.CodeInternal.String(), Message: err.Error()}
}

// arguments are the fields after the name of the request.
type arguments []string

func (a arguments) string(i int) string {
	decoded, err := hex.DecodeString(strings.TrimPrefix(a[i], "x"))
	if err != nil {
		fail("not a string: " + a[i])
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

// milliseconds returns the longest duration if the number is greater than that.
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
	request := get{deadline: func() (context.Context, context.CancelFunc) { return a.deadline(1) }}
	if a[0] != "-" {
		request.options = append(request.options, tokenwell.MinTTL(a.milliseconds(0)))
	}
	if a[2] == "1" {
		request.options = append(request.options, tokenwell.ForceRefresh())
	}
	return request
}

func encoded(value string) string { return "x" + hex.EncodeToString([]byte(value)) }

func encodedOrNone(value string) string {
	if value == "" {
		return "-"
	}
	return encoded(value)
}

// fail exits after a protocol error. The runner sees the closed pipe and this line.
func fail(problem string) {
	fmt.Fprintln(os.Stderr, "shim: "+problem)
	os.Exit(2)
}
