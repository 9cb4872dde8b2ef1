//go:build cgo

package tokenwell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Level is an organization or a project. Create it with [Organization] or [Project].
type Level struct{ kind, id string }

// Organization returns the level of the organization with this id.
func Organization(id string) Level { return Level{"organization", id} }

// Project returns the level of the project with this id.
func Project(id string) Level { return Level{"project", id} }

// String returns the kind and the id.
func (l Level) String() string { return l.kind + " " + l.id }

// ServiceAccounts are the service accounts of an organization or a project. Create it with
// [NewServiceAccounts]. It can be used by many goroutines at the same time.
//
// Each call sends one request with [Client.Request], and a list one request for each page. Nothing
// is repeated, except once after a 401. An error status is an [APIError]. Fields and roles that a
// later version of the API adds are kept and are never an error.
type ServiceAccounts struct {
	client *Client
	level  Level
}

// NewServiceAccounts returns the service accounts of the organization or project, with the token of
// the client. It sends no request. An id that cannot be one is an error of the first call.
func NewServiceAccounts(client *Client, level Level) *ServiceAccounts {
	return &ServiceAccounts{client: client, level: level}
}

// Level returns the organization or project.
func (s *ServiceAccounts) Level() Level { return s.level }

// Secret is the value of a new secret. Every string form of it is redacted; only [Secret.Value]
// returns it.
type Secret struct {
	// A function, for the reason that Token has one.
	reveal func() string
}

// Value returns the secret.
func (s Secret) Value() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// String returns [redacted].
func (s Secret) String() string { return redacted }

// GoString returns the same as String.
func (s Secret) GoString() string { return redacted }

// Format writes the result of String for every verb.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// MarshalJSON returns "[redacted]".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns [redacted].
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns the result of String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// APIError reports that the Admin API refused a request of [ServiceAccounts], or that its response
// is not what its reference describes. No field contains a secret. Failures without a response are
// an [Error].
type APIError struct {
	// Request is the method and the path of the request.
	Request string
	// StatusCode is the HTTP status.
	StatusCode int
	// Problem is what is wrong with the response. It is empty if the status says it.
	Problem string
	// ErrorCode is the errorCode of the response, or empty.
	ErrorCode string
	// Detail is the detail of the response, or empty.
	Detail string
	// Parameters are the parameters of the response.
	Parameters []any
	// RetryAfter is the time before a new attempt can succeed. It is only set if RetryAfterKnown is
	// true.
	RetryAfter      time.Duration
	RetryAfterKnown bool
}

// Error returns the request, the status, and what the API or this package says about it.
func (e *APIError) Error() string {
	said := e.Request + ": HTTP status " + strconv.Itoa(e.StatusCode)
	switch {
	case e.Problem != "":
		said += ", but " + e.Problem
	case e.Detail != "" && e.ErrorCode != "":
		said += ": " + printable(e.Detail) + " [" + printable(e.ErrorCode) + "]"
	case e.Detail != "" || e.ErrorCode != "":
		said += ": " + printable(e.Detail+e.ErrorCode)
	}
	return "tokenwell: " + said
}

// apiCall is one request of ServiceAccounts.
type apiCall struct {
	client  *Client
	level   Level
	request APIRequest
	// err is what is wrong with an argument. Nothing is sent then.
	err error
}

// call describes a request. The segments are names in the path and their values.
func (s *ServiceAccounts) call(method, path string, segments ...string) apiCall {
	base, known := apiPaths[s.level.kind]
	if !known {
		return apiCall{err: invalidArgument("level: it is empty", "Create it with tokenwell.Organization or tokenwell.Project.")}
	}
	path = base + path
	segments = append(segments, s.level.kind, s.level.id)
	for index := 0; index < len(segments); index += 2 {
		segment, err := pathSegment(segments[index], segments[index+1])
		if err != nil {
			return apiCall{err: err}
		}
		path = strings.Replace(path, "{"+segments[index]+"}", segment, 1)
	}
	return apiCall{client: s.client, level: s.level, request: APIRequest{Method: method, Path: path, Version: apiVersion}}
}

// only checks the level for an operation that exists at one level.
func (c apiCall) only(kind, operation string) apiCall {
	if c.err == nil && c.level.kind != kind {
		c.err = invalidArgument(operation+": this needs "+article(kind)+", and not "+article(c.level.kind), "Pass another level to NewServiceAccounts.")
	}
	return c
}

func (c apiCall) with(body any) apiCall {
	if c.err == nil {
		c.request.Body, c.err = json.Marshal(body)
	}
	return c
}

func (c apiCall) query(name string, value int) apiCall {
	query := url.Values{name: {strconv.Itoa(value)}}
	for other, values := range c.request.Query {
		query[other] = values
	}
	c.request.Query = query
	return c
}

// send sends the request, and returns its response if the status is a success.
func (c apiCall) send(ctx context.Context) (*APIResponse, error) {
	if c.err != nil {
		return nil, c.err
	}
	response, err := c.client.Request(ctx, c.request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, c.refusal(response)
	}
	return response, nil
}

func (c apiCall) name() string { return c.request.Method + " " + c.request.Path }

func (c apiCall) refusal(response *APIResponse) *APIError {
	refusal := &APIError{Request: c.name(), StatusCode: response.StatusCode}
	var found map[string]any
	// What another server answers is not JSON, or another JSON.
	_ = json.Unmarshal(response.Body, &found)
	refusal.ErrorCode, _ = found["errorCode"].(string)
	refusal.Detail, _ = found["detail"].(string)
	refusal.Parameters, _ = found["parameters"].([]any)
	if seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 31); err == nil {
		refusal.RetryAfter, refusal.RetryAfterKnown = time.Duration(seconds)*time.Second, true
	}
	return refusal
}

func (c apiCall) malformed(status int, problem string) *APIError {
	return &APIError{Request: c.name(), StatusCode: status, Problem: problem}
}

func (c apiCall) decode(response *APIResponse, into any) error {
	if err := json.Unmarshal(response.Body, into); err != nil {
		return c.malformed(response.StatusCode, "the response is not what the API describes: "+err.Error())
	}
	return nil
}

// sendFor sends the request of c, and returns the document of its response.
func sendFor[T any](ctx context.Context, c apiCall) (*T, error) {
	response, err := c.send(ctx)
	if err != nil {
		return nil, err
	}
	defer clear(response.Body)
	document := new(T)
	if err := c.decode(response, document); err != nil {
		return nil, err
	}
	return document, nil
}

// sendForSecret also returns the value of the new secret.
func sendForSecret[T any](ctx context.Context, c apiCall) (*T, Secret, error) {
	response, err := c.send(ctx)
	if err != nil {
		return nil, Secret{}, err
	}
	// The value was in it.
	defer clear(response.Body)
	document := new(T)
	if err := c.decode(response, document); err != nil {
		return nil, Secret{}, err
	}
	var revealed struct {
		Secret  string
		Secrets []struct{ Secret string }
	}
	if err := c.decode(response, &revealed); err != nil {
		return nil, Secret{}, err
	}
	for _, one := range revealed.Secrets {
		if revealed.Secret == "" {
			revealed.Secret = one.Secret
		}
	}
	if revealed.Secret == "" {
		return nil, Secret{}, c.malformed(response.StatusCode, "the response has no secret")
	}
	return document, Secret{reveal: func() string { return revealed.Secret }}, nil
}

// sendForResults returns the results of a list that has one page.
func sendForResults[T any](ctx context.Context, c apiCall) ([]T, error) {
	page, err := sendFor[struct {
		Results *[]T `json:"results"`
	}](ctx, c)
	if err != nil {
		return nil, err
	}
	if page.Results == nil {
		return nil, c.malformed(http.StatusOK, "the response is not what the API describes: results is missing")
	}
	return *page.Results, nil
}

// mostPasses is how often a list that changes is read from its start.
const mostPasses = 5

// listing is how far a list was read. An object is returned once, and none is lost, also if the list
// changes.
//
// Atlas numbers its pages, so an object that is added or removed moves others to another page. If the
// total changes, or a page overlaps with an earlier one, the list is read again from its start. One
// object added and another removed leave the total as it was: the pages but the last one are
// therefore read once more after the last one.
type listing struct {
	key      []string
	returned map[string]bool
	passes   int
	// The rest is about one reading from the start. pages are the keys of each page.
	pages [][]string
	seen  map[string]bool
	total int
	// checked is how many pages were read once more after the last one, or -1 before the last one.
	checked int
	isDone  bool
}

// start begins a reading from the start.
func (l *listing) start() {
	l.passes++
	l.pages, l.seen, l.total, l.checked, l.isDone = nil, map[string]bool{}, 0, -1, false
}

// pages returns the objects of all pages. The first of the members in key that an object has
// identifies it.
func pages[T any](ctx context.Context, c apiCall, key ...string) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		at := listing{key: key, returned: map[string]bool{}}
		at.start()
		for !at.isDone {
			found, err := at.read(ctx, c)
			for _, one := range found {
				result := new(T)
				if err = json.Unmarshal(one, result); err != nil {
					err = c.malformed(http.StatusOK, "the response is not what the API describes: "+err.Error())
					break
				}
				if !yield(result, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// read requests the next page, and returns what was not returned before.
func (l *listing) read(ctx context.Context, c apiCall) ([]json.RawMessage, error) {
	number := len(l.pages) + 1
	if l.checked >= 0 {
		number = l.checked + 1
	}
	page, err := sendFor[struct {
		Results *[]json.RawMessage `json:"results"`
		Total   *int               `json:"totalCount"`
	}](ctx, c.query("itemsPerPage", apiItemsPerPage).query("pageNum", number))
	if err != nil {
		return nil, err
	}
	if page.Results == nil {
		return nil, c.malformed(http.StatusOK, "the response is not what the API describes: results is missing")
	}
	total, known, keys := -1, 0, make([]string, len(*page.Results))
	if page.Total != nil {
		total = *page.Total
	}
	for index, result := range *page.Results {
		keys[index] = l.keyOf(result)
		if l.seen[keys[index]] {
			known++
		}
	}
	switch {
	case l.checked >= 0 && total == l.total && slices.Equal(keys, l.pages[l.checked]):
		l.endOfPages(l.checked + 1)
		return nil, nil
	case l.checked >= 0, len(l.pages) > 0 && (total != l.total || (known > 0 && known < len(keys))):
		if l.passes == mostPasses {
			return nil, c.malformed(http.StatusOK, "the list changes while it is read")
		}
		l.start()
		return nil, nil
	case known > 0:
		return nil, c.malformed(http.StatusOK, "page "+strconv.Itoa(number)+" has the results of an earlier page")
	}
	l.pages, l.total = append(l.pages, keys), total
	var fresh []json.RawMessage
	for index, key := range keys {
		l.seen[key] = true
		if !l.returned[key] {
			l.returned[key] = true
			fresh = append(fresh, (*page.Results)[index])
		}
	}
	if len(keys) == 0 || (total < 0 && len(keys) < apiItemsPerPage) || (total >= 0 && len(l.seen) >= total) {
		l.endOfPages(0)
	}
	return fresh, nil
}

// endOfPages continues after the last page, when so many pages are known to be the same still.
func (l *listing) endOfPages(checked int) {
	l.checked, l.isDone = checked, checked+1 >= len(l.pages)
}

func (l *listing) keyOf(result json.RawMessage) string {
	var members map[string]any
	_ = json.Unmarshal(result, &members)
	for _, name := range l.key {
		if value, ok := members[name].(string); ok && value != "" {
			return value
		}
	}
	return string(result)
}

// decodeObject decodes a JSON object into the struct that into points to, and returns the members
// that the struct does not have. An alias is an older name of a member.
func decodeObject(data []byte, into any, aliases map[string]string, known ...string) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return nil, errors.New("not an object")
	}
	// The value of a secret is only in a Secret.
	delete(members, "secret")
	for alias, name := range aliases {
		value, found := members[alias]
		if _, isNew := members[name]; found && !isNew {
			members[name] = value
		}
		delete(members, alias)
	}
	renamed, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(renamed, into); err != nil {
		return nil, err
	}
	for _, name := range known {
		delete(members, name)
	}
	if len(members) == 0 {
		return nil, nil
	}
	return members, nil
}

// accessListEntries are the entries for addresses and networks.
func accessListEntries(networks []string) []map[string]string {
	entries := []map[string]string{}
	for _, network := range networks {
		kind := "ipAddress"
		if strings.Contains(network, "/") {
			kind = "cidrBlock"
		}
		entries = append(entries, map[string]string{kind: network})
	}
	return entries
}

// pathSegment returns value as a segment of a path.
func pathSegment(name, value string) (string, error) {
	if strings.HasPrefix(value, "mdb_sa_sk_") {
		return "", invalidArgument(name+": this is a secret", "Pass an id. A secret must not be part of a URL.")
	}
	isID := len(value) <= 64 && strings.Trim(value, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-") == ""
	switch {
	case value == "":
		return "", invalidArgument(name+": an empty string cannot be one", "Pass the value that the API returned.")
	case name == "network":
		return url.PathEscape(value), nil
	case !isID:
		return "", invalidArgument(name+": `"+printable(value)+"` cannot be one", "An id has letters, digits, `-` and `_`.")
	}
	return value, nil
}

func article(kind string) string {
	if kind == "organization" {
		return "an " + kind
	}
	return "a " + kind
}

// printable replaces what could change a terminal.
func printable(from string) string {
	runes := []rune(from)
	if len(runes) > 1000 {
		runes = append(runes[:1000], '…')
	}
	for index, each := range runes {
		if !unicode.IsPrint(each) {
			runes[index] = unicode.ReplacementChar
		}
	}
	return string(runes)
}
