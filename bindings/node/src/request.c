#include "request.h"

#include <string.h>

#include "values.h"

/* The parts of a description, before the parameters of the query. */
enum { METHOD, PATH, VERSION, BODY, MAX_BODY, DEADLINE, QUERY };

/* ---- requests */

/* The state while the parts of a request are read. An error or an exception ends it. */
struct reading {
    napi_env env;
    const struct library *library;
    napi_value description;
    tokenwell_status status;
    tokenwell_error *error;
};

static bool part(const struct reading *reading, uint32_t index, napi_value *out)
{
    napi_env env = reading->env;
    return OK(napi_get_element(env, reading->description, index, out));
}

/* Copies a part that is a string, or borrows one that is an array. False if an exception is pending. */
static bool part_bytes(const struct reading *reading, uint32_t index, struct bytes *out)
{
    napi_value value;
    return part(reading, index, &value) && get_bytes(reading->env, value, out);
}

static bool part_number(const struct reading *reading, uint32_t index, uint64_t *out)
{
    napi_value value;
    return part(reading, index, &value) && get_uint64(reading->env, value, out);
}

/* Whether a part is given. False also if an exception is pending, which the next call finds. */
static bool is_given(const struct reading *reading, uint32_t index)
{
    napi_value value;
    napi_valuetype type;
    return part(reading, index, &value) && napi_typeof(reading->env, value, &type) == napi_ok && type != napi_null;
}

static bool create(struct reading *reading, tokenwell_api_request **request)
{
    struct bytes method, path;
    if (!part_bytes(reading, METHOD, &method)) return false;
    bool complete = part_bytes(reading, PATH, &path);
    if (complete) {
        reading->status = reading->library->api_request_new(method.data, method.length, path.data, path.length, request, &reading->error);
        release_bytes(&path);
    }
    release_bytes(&method);
    return complete && reading->status == TOKENWELL_STATUS_OK;
}

static bool add_query(struct reading *reading, tokenwell_api_request *request)
{
    napi_env env = reading->env;
    uint32_t length;
    if (!OK(napi_get_array_length(env, reading->description, &length))) return false;
    for (uint32_t index = QUERY; index + 1 < length; index += 2) {
        struct bytes name, value;
        if (!part_bytes(reading, index, &name)) return false;
        bool complete = part_bytes(reading, index + 1, &value);
        if (complete) {
            reading->status = reading->library->api_request_add_query(request, name.data, name.length, value.data, value.length, &reading->error);
            release_bytes(&value);
        }
        release_bytes(&name);
        if (!complete || reading->status != TOKENWELL_STATUS_OK) return false;
    }
    return true;
}

static bool fill(struct reading *reading, tokenwell_api_request *request)
{
    const struct library *library = reading->library;
    uint64_t max_body;
    if (is_given(reading, VERSION)) {
        struct bytes version;
        if (!part_bytes(reading, VERSION, &version)) return false;
        reading->status = library->api_request_set_version(request, version.data, version.length, &reading->error);
        release_bytes(&version);
        if (reading->status != TOKENWELL_STATUS_OK) return false;
    }
    if (is_given(reading, BODY)) {
        struct bytes body;
        if (!part_bytes(reading, BODY, &body)) return false;
        reading->status = library->api_request_set_body(request, body.data, body.length, &reading->error);
        release_bytes(&body);
        if (reading->status != TOKENWELL_STATUS_OK) return false;
    }
    if (is_given(reading, MAX_BODY)) {
        if (!part_number(reading, MAX_BODY, &max_body)) return false;
        reading->status = library->api_request_set_max_body(request, max_body, &reading->error);
        if (reading->status != TOKENWELL_STATUS_OK) return false;
    }
    return add_query(reading, request);
}

tokenwell_api_request *request_from(napi_env env, const struct library *library, napi_value description, uint64_t *deadline_ms, napi_value *failed)
{
    struct reading reading = {.env = env, .library = library, .description = description};
    tokenwell_api_request *request = NULL;
    if (part_number(&reading, DEADLINE, deadline_ms) && create(&reading, &request) && fill(&reading, request)) return request;
    library->api_request_free(request);
    if (reading.status != TOKENWELL_STATUS_OK) *failed = failure(env, library, reading.status, reading.error);
    return NULL;
}

/* ---- responses */

static bool set_headers(napi_env env, napi_value fields, const struct library *library, const tokenwell_api_response *response)
{
    napi_value list;
    if (!OK(napi_create_array(env, &list))) return false;
    size_t count = library->api_response_header_count(response);
    for (size_t index = 0; index < count; index++) {
        napi_value name, value;
        if (!OK(napi_create_string_latin1(env, library->api_response_header_name(response, index, NULL), NAPI_AUTO_LENGTH, &name))
            || !OK(napi_create_string_latin1(env, library->api_response_header_value(response, index, NULL), NAPI_AUTO_LENGTH, &value))
            || !OK(napi_set_element(env, list, (uint32_t)(2 * index), name)) || !OK(napi_set_element(env, list, (uint32_t)(2 * index + 1), value))) {
            return false;
        }
    }
    return OK(napi_set_named_property(env, fields, "headers", list));
}

/* Copies the body, because Electron allows no buffer over foreign memory. */
static bool set_body(napi_env env, napi_value fields, const struct library *library, const tokenwell_api_response *response)
{
    napi_value buffer, array;
    void *data = NULL;
    size_t length = 0;
    const char *body = library->api_response_body(response, &length);
    if (!OK(napi_create_arraybuffer(env, length, &data, &buffer))) return false;
    if (length > 0) memcpy(data, body, length);
    return OK(napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array)) && OK(napi_set_named_property(env, fields, "body", array));
}

napi_value response_of(napi_env env, const struct library *library, const tokenwell_operation *operation)
{
    tokenwell_api_response *response = NULL;
    tokenwell_error *error = NULL;
    tokenwell_status status = library->operation_response(operation, &response, &error);
    if (status != TOKENWELL_STATUS_OK) return failure(env, library, status, error);
    napi_value fields;
    bool complete = OK(napi_create_object(env, &fields)) && set_number(env, fields, "responseStatus", library->api_response_status(response))
        && set_headers(env, fields, library, response) && set_body(env, fields, library, response);
    library->api_response_free(response);
    return complete ? fields : NULL;
}
