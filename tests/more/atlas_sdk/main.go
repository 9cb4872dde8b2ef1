// atlas_sdk runs the service account API of the emulator through the Go SDK of Atlas, and compares
// each document with the SDK's model: a member that the model requires and that is missing, a null,
// and a member that the model does not have are failures.
//
// It reads the variables that `tokenwell emulator -- COMMAND` sets. With the argument "planted", the
// emulator sends one document with a failure of each kind, and the program must find them.
//
//	atlas_sdk compare COMMAND           accounts that tokenwell at COMMAND makes are read by the SDK, and the other way round
//	atlas_sdk compare COMMAND planted   the SDK gets two wrong documents, and the program must find that
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312008/admin"
	"go.mongodb.org/atlas-sdk/v20250312008/auth"
)

// newer has the members that Atlas has added since this version of the SDK.
var newer = map[string]bool{"systemManaged": true}

func main() {
	session, err := start()
	figures := ""
	isPlanted := os.Args[len(os.Args)-1] == "planted"
	switch {
	case err != nil:
	case len(os.Args) > 2 && os.Args[1] == "compare":
		figures, err = session.compareWith(os.Args[2], isPlanted)
	default:
		if isPlanted {
			err = session.plant()
		}
		if err == nil {
			err = session.run()
		}
		figures = fmt.Sprintf("%d operations, %d fields, %d missing, %d null, %d unknown",
			session.operations, session.fields, session.missing, session.null, session.unknown)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "atlas_sdk:", err)
		os.Exit(1)
	}
	for _, failure := range session.failures {
		fmt.Println(failure)
	}
	if len(session.failures) > 0 {
		fmt.Println("FAILED atlas_sdk:", figures)
		os.Exit(1)
	}
	fmt.Println("ok atlas_sdk:", figures)
}

type session struct {
	base, org, project     string
	api                    admin.ServiceAccountsApi
	recorder               *recorder
	operations, fields     int
	missing, null, unknown int
	failures               []string
}

// recorder keeps the body of the last reply of the Admin API.
type recorder struct{ body []byte }

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || !strings.HasPrefix(request.URL.Path, "/api/atlas/") {
		return response, err
	}
	r.body, err = io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if err := response.Body.Close(); err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(r.body))
	return response, nil
}

func start() (*session, error) {
	values := map[string]string{}
	for _, name := range []string{"BASE_URL", "CLIENT_ID", "CLIENT_SECRET", "ORG_ID", "PROJECT_ID"} {
		value := os.Getenv("MONGODB_ATLAS_" + name)
		if value == "" {
			return nil, fmt.Errorf("MONGODB_ATLAS_%s is not set: run this program with tokenwell emulator --", name)
		}
		values[name] = value
	}
	recorder := &recorder{}
	ctx := context.WithValue(context.Background(), auth.HTTPClient, &http.Client{Transport: recorder, Timeout: time.Minute})
	client, err := admin.NewClient(admin.UseBaseURL(values["BASE_URL"]), admin.UseOAuthAuth(ctx, values["CLIENT_ID"], values["CLIENT_SECRET"]))
	if err != nil {
		return nil, err
	}
	return &session{base: values["BASE_URL"], org: values["ORG_ID"], project: values["PROJECT_ID"], api: client.ServiceAccountsApi, recorder: recorder}, nil
}

// plant makes the emulator send one document with a failure of each kind.
func (s *session) plant() error {
	document := map[string]any{"results": []any{map[string]any{"clientId": nil, "surprise": 1, "secrets": []any{map[string]any{"id": "a"}}}}}
	return s.faults([]any{map[string]any{
		"path": "/api/atlas/v2/orgs/" + s.org + "/serviceAccounts", "method": "GET", "times": 1, "body": document,
		"headers": map[string]any{"Content-Type": "application/vnd.atlas.2024-08-05+json"},
	}})
}

// faults replaces the faults of the emulator.
func (s *session) faults(list []any) error {
	faults, err := json.Marshal(list)
	if err != nil {
		return err
	}
	response, err := http.Post(s.base+"/_emulator/faults", "application/json", bytes.NewReader(faults))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(response.Body)
		return fmt.Errorf("the emulator rejected the fault: %s %s", response.Status, answer)
	}
	return nil
}

// received counts an operation and compares the document with the model.
func received[M any](s *session, operation string, model M, response *http.Response, err error) (M, error) {
	if err != nil {
		return model, fmt.Errorf("%s: %w: %s", operation, err, s.recorder.body)
	}
	s.operations++
	var document any
	decoder := json.NewDecoder(bytes.NewReader(s.recorder.body))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return model, fmt.Errorf("%s: %w: %s", operation, err, s.recorder.body)
	}
	s.compare(operation, document, reflect.TypeOf(model))
	return model, nil
}

// deleted counts an operation that has no document.
func (s *session) deleted(operation string, response *http.Response, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w: %s", operation, err, s.recorder.body)
	}
	s.operations++
	if response.StatusCode != http.StatusNoContent || len(s.recorder.body) > 0 {
		s.failures = append(s.failures, fmt.Sprintf("%s: status %d with %d bytes", operation, response.StatusCode, len(s.recorder.body)))
	}
	return nil
}

func (s *session) fail(count *int, path, problem string) {
	*count++
	s.failures = append(s.failures, path+": "+problem)
}

func (s *session) compare(path string, value any, model reflect.Type) {
	for model.Kind() == reflect.Pointer {
		model = model.Elem()
	}
	switch value := value.(type) {
	case nil:
		s.fail(&s.null, path, "null")
	case []any:
		if model.Kind() != reflect.Slice {
			s.fail(&s.unknown, path, "a list instead of "+model.String())
			return
		}
		for index, item := range value {
			s.compare(fmt.Sprintf("%s[%d]", path, index), item, model.Elem())
		}
	case map[string]any:
		if model.Kind() != reflect.Struct {
			s.fail(&s.unknown, path, "an object instead of "+model.String())
			return
		}
		s.compareMembers(path, value, model)
	}
}

func (s *session) compareMembers(path string, members map[string]any, model reflect.Type) {
	known := map[string]reflect.Type{}
	for index := range model.NumField() {
		field := model.Field(index)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		known[name] = field.Type
		if _, present := members[name]; !present && !strings.Contains(options, "omitempty") {
			s.fail(&s.missing, path+"."+name, "missing")
		}
	}
	for name, value := range members {
		fieldType, isKnown := known[name]
		switch {
		case isKnown:
			s.fields++
			s.compare(path+"."+name, value, fieldType)
		case !newer[name]:
			s.fail(&s.unknown, path+"."+name, "unknown")
		}
	}
}

var errNoSecret = errors.New("the reply has no secret")
