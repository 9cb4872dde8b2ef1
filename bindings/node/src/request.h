/* Requests to the Admin API and their responses, as values of JavaScript. */
#ifndef TOKENWELL_NODE_REQUEST_H
#define TOKENWELL_NODE_REQUEST_H

#include <node_api.h>
#include <stdint.h>

#include "library.h"

/*
 * The request that an array describes: [method, path, version, body, maxBody, deadlineMs, name, value, name, value …]. Version
 * and body are null if they are not given, maxBody and deadlineMs are bigints, and the rest are the parameters of the query.
 * NULL: `failed` is the fields of an error, or NULL if an exception is pending.
 */
tokenwell_api_request *request_from(napi_env env, const struct library *library, napi_value description, uint64_t *deadline_ms, napi_value *failed);

/* The response of an operation that has succeeded: { responseStatus, headers, body }. `headers` has names and values, alternately. */
napi_value response_of(napi_env env, const struct library *library, const tokenwell_operation *operation);

#endif
