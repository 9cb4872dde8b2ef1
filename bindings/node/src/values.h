/* Conversions between values of JavaScript and of C. */
#ifndef TOKENWELL_NODE_VALUES_H
#define TOKENWELL_NODE_VALUES_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "library.h"

/* The value of `call`, a call of Node-API, as true or false. If it is false, an exception is pending. */
#define OK(call) succeeded(env, (call))
bool succeeded(napi_env env, napi_status status);

/* Allocates zeroed memory, or aborts: as in Node itself, there is no way to continue. */
void *allocate(size_t size);

/* The bytes of a string (in UTF-8) or of a Uint8Array. */
struct bytes {
    const char *data;
    size_t length;
    char *copy;
};

/* Borrows the bytes of an array and copies those of a string. Release them in both cases. */
bool get_bytes(napi_env env, napi_value value, struct bytes *out);

/* Wipes and frees the copy, which may be a secret. */
void release_bytes(struct bytes *bytes);

bool get_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments, void **data);
bool get_uint64(napi_env env, napi_value bigint, uint64_t *out);

/* Each sets one property of `object`. A string that is NULL becomes null. */
bool set_string(napi_env env, napi_value object, const char *name, const char *string);
bool set_number(napi_env env, napi_value object, const char *name, double number);
bool set_boolean(napi_env env, napi_value object, const char *name, bool value);
bool set_null(napi_env env, napi_value object, const char *name);

/* null, the result of a call that has none. */
napi_value nothing(napi_env env);

/* An object with the fields of an error, which includes its `status`. */
napi_value error_fields(napi_env env, const struct library *library, const tokenwell_error *error);

/* The same for a call that failed. Frees the error. */
napi_value failure(napi_env env, const struct library *library, tokenwell_status status, tokenwell_error *error);

#endif
