#include "values.h"

#include <stdlib.h>
#include <string.h>

bool succeeded(napi_env env, napi_status status)
{
    if (status == napi_ok) return true;
    const napi_extended_error_info *info = NULL;
    bool pending = true;
    napi_get_last_error_info(env, &info);
    napi_is_exception_pending(env, &pending);
    if (!pending) napi_throw_error(env, NULL, info && info->error_message ? info->error_message : "a call of Node-API failed");
    return false;
}

void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory) abort();
    return memory;
}

/* ---- from JavaScript */

static bool copy_string(napi_env env, napi_value value, struct bytes *out)
{
    size_t length = 0;
    if (!OK(napi_get_value_string_utf8(env, value, NULL, 0, &length))) return false;
    char *copy = allocate(length + 1);
    *out = (struct bytes){.data = copy, .length = length, .copy = copy};
    if (OK(napi_get_value_string_utf8(env, value, copy, length + 1, &out->length))) return true;
    release_bytes(out);
    return false;
}

bool get_bytes(napi_env env, napi_value value, struct bytes *out)
{
    *out = (struct bytes){0};
    napi_valuetype type;
    if (!OK(napi_typeof(env, value, &type))) return false;
    if (type == napi_string) return copy_string(env, value, out);

    void *data = NULL;
    if (!OK(napi_get_typedarray_info(env, value, NULL, &out->length, &data, NULL, NULL))) return false;
    // An array without elements may have no memory.
    out->data = data ? data : "";
    return true;
}

void release_bytes(struct bytes *bytes)
{
    // Volatile, because the compiler would remove a store to memory that is freed next.
    volatile char *copy = bytes->copy;
    for (size_t i = 0; copy && i < bytes->length; i++) copy[i] = 0;
    free(bytes->copy);
    *bytes = (struct bytes){0};
}

bool get_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments, void **data)
{
    return OK(napi_get_cb_info(env, info, &count, arguments, NULL, data));
}

bool get_uint64(napi_env env, napi_value bigint, uint64_t *out)
{
    bool lossless;
    return OK(napi_get_value_bigint_uint64(env, bigint, out, &lossless));
}

/* ---- to JavaScript */

bool set_string(napi_env env, napi_value object, const char *name, const char *string)
{
    if (!string) return set_null(env, object, name);
    napi_value value;
    return OK(napi_create_string_utf8(env, string, NAPI_AUTO_LENGTH, &value)) && OK(napi_set_named_property(env, object, name, value));
}

bool set_number(napi_env env, napi_value object, const char *name, double number)
{
    napi_value value;
    return OK(napi_create_double(env, number, &value)) && OK(napi_set_named_property(env, object, name, value));
}

bool set_boolean(napi_env env, napi_value object, const char *name, bool boolean)
{
    napi_value value;
    return OK(napi_get_boolean(env, boolean, &value)) && OK(napi_set_named_property(env, object, name, value));
}

bool set_null(napi_env env, napi_value object, const char *name)
{
    napi_value value = nothing(env);
    return value && OK(napi_set_named_property(env, object, name, value));
}

napi_value nothing(napi_env env)
{
    napi_value null;
    return OK(napi_get_null(env, &null)) ? null : NULL;
}

/* ---- errors */

napi_value error_fields(napi_env env, const struct library *library, const tokenwell_error *error)
{
    int32_t http_status = library->error_http_status(error);
    int64_t retry_after = library->error_retry_after_ms(error);
    napi_value fields;
    bool complete = OK(napi_create_object(env, &fields)) && set_number(env, fields, "status", library->error_status(error))
        && set_string(env, fields, "code", library->error_name(error)) && set_string(env, fields, "message", library->error_message(error, NULL))
        && set_string(env, fields, "hint", library->error_hint(error, NULL))
        && (http_status == 0 ? set_null(env, fields, "httpStatus") : set_number(env, fields, "httpStatus", http_status))
        && (retry_after < 0 ? set_null(env, fields, "retryAfterMs") : set_number(env, fields, "retryAfterMs", (double)retry_after))
        && set_string(env, fields, "oauthCode", library->error_oauth_code(error, NULL))
        && set_boolean(env, fields, "isRemembered", library->error_is_remembered(error) != 0)
        && set_number(env, fields, "ageMs", (double)library->error_age_ms(error)) && set_number(env, fields, "attempts", library->error_attempts(error));
    return complete ? fields : NULL;
}

/* The fields of an error for a status that came without one. */
static napi_value status_fields(napi_env env, const struct library *library, tokenwell_status status)
{
    const char *name = library->status_name(status);
    napi_value fields;
    bool complete = OK(napi_create_object(env, &fields)) && set_number(env, fields, "status", status) && set_string(env, fields, "code", name)
        && set_string(env, fields, "message", name);
    return complete ? fields : NULL;
}

napi_value failure(napi_env env, const struct library *library, tokenwell_status status, tokenwell_error *error)
{
    napi_value fields = error ? error_fields(env, library, error) : status_fields(env, library, status);
    library->error_free(error);
    return fields;
}
