package tokenwell

/*
#include "library.h"

// callback.go exports these two.
extern void tokenwell_go_v0_ended(uintptr_t waiter);
extern void tokenwell_go_v0_released(uintptr_t waiter);

static void tokenwell_go_request_ended(void *user_data, tokenwell_operation *operation) {
	(void)operation;
	tokenwell_go_v0_ended((uintptr_t)user_data);
}

static void tokenwell_go_request_released(void *user_data) { tokenwell_go_v0_released((uintptr_t)user_data); }

// What a call returned. Returned by value: a pointer to a Go variable would move that variable to
// the heap.
typedef struct {
	tokenwell_status status;
	tokenwell_operation *operation;
	tokenwell_api_response *response;
	tokenwell_error *error;
} tokenwell_go_request_answer;

static tokenwell_go_request_answer tokenwell_go_request(const tokenwell_client *client, const tokenwell_api_request *request, uint64_t deadline_ms, uintptr_t waiter) {
	tokenwell_go_request_answer answer = {0};
	answer.status = tokenwell_client_request_async(client, request, deadline_ms,
		tokenwell_go_request_ended, (void *)waiter, tokenwell_go_request_released, &answer.operation, &answer.error);
	return answer;
}

static tokenwell_go_request_answer tokenwell_go_response(const tokenwell_operation *operation) {
	tokenwell_go_request_answer answer = {0};
	answer.status = tokenwell_operation_response(operation, &answer.response, &answer.error);
	return answer;
}
*/
import "C"

import (
	"maps"
	"net/http"
	"slices"
	"unsafe"
)

// apiRequest is a request of the library. Its owner frees it.
type apiRequest C.tokenwell_api_request

func newAPIRequest(from APIRequest) (*apiRequest, error) {
	var created *C.tokenwell_api_request
	var problem *C.tokenwell_error
	method, methodLen := cString(from.Method)
	path, pathLen := cString(from.Path)
	status := C.tokenwell_api_request_new(method, methodLen, path, pathLen, &created, &problem)
	if err := takeError(status, problem); err != nil {
		return nil, err
	}
	request := (*apiRequest)(created)
	if err := request.fill(from); err != nil {
		request.free()
		return nil, err
	}
	return request, nil
}

func (r *apiRequest) fill(from APIRequest) error {
	var problem *C.tokenwell_error
	if from.Version != "" {
		version, versionLen := cString(from.Version)
		if err := takeError(C.tokenwell_api_request_set_version(r.c(), version, versionLen, &problem), problem); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(from.Query)) {
		for _, each := range from.Query[name] {
			namePointer, nameLen := cString(name)
			value, valueLen := cString(each)
			if err := takeError(C.tokenwell_api_request_add_query(r.c(), namePointer, nameLen, value, valueLen, &problem), problem); err != nil {
				return err
			}
		}
	}
	if from.Body != nil {
		body, bodyLen := cString(unsafe.String(unsafe.SliceData(from.Body), len(from.Body)))
		if err := takeError(C.tokenwell_api_request_set_body(r.c(), body, bodyLen, &problem), problem); err != nil {
			return err
		}
	}
	if from.MaxBody > 0 {
		return takeError(C.tokenwell_api_request_set_max_body(r.c(), C.uint64_t(from.MaxBody), &problem), problem)
	}
	return nil
}

func (r *apiRequest) c() *C.tokenwell_api_request { return (*C.tokenwell_api_request)(r) }

func (r *apiRequest) free() { C.tokenwell_api_request_free(r.c()) }

// beginRequest begins a request, which is always pending. The waiter is called later.
func (h *handle) beginRequest(request *apiRequest, deadlineMS uint64, by waiter) (*operation, error) {
	enter()
	defer leave()
	answer := C.tokenwell_go_request(h.c(), request.c(), C.uint64_t(deadlineMS), C.uintptr_t(by.handle))
	if answer.status == C.TOKENWELL_STATUS_PENDING {
		return (*operation)(answer.operation), nil
	}
	return nil, takeError(answer.status, answer.error)
}

// response returns the response of a request that has ended.
func (o *operation) response() (*APIResponse, error) {
	enter()
	defer leave()
	answer := C.tokenwell_go_response(o.c())
	if err := takeError(answer.status, answer.error); err != nil {
		return nil, err
	}
	defer C.tokenwell_api_response_free(answer.response)
	header := make(http.Header)
	for index := range C.tokenwell_api_response_header_count(answer.response) {
		var nameLen, valueLen C.size_t
		name := C.tokenwell_api_response_header_name(answer.response, index, &nameLen)
		value := C.tokenwell_api_response_header_value(answer.response, index, &valueLen)
		header.Add(goString(name, nameLen), goString(value, valueLen))
	}
	var bodyLen C.size_t
	body := C.tokenwell_api_response_body(answer.response, &bodyLen)
	return &APIResponse{
		StatusCode: int(C.tokenwell_api_response_status(answer.response)),
		Header:     header,
		Body:       []byte(borrowed(body, bodyLen)),
	}, nil
}
