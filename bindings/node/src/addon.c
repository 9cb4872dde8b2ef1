/*
 * The Node-API addon: it calls the tokenwell library for the files in lib/ and has no logic of its own. It exports the
 * version of the package that it was compiled for, and two functions that return the functions of a library as an object:
 *
 *   linked()     those of the library in this addon
 *   open(file)   those of the library in `file`, or of the one that the dynamic loader finds by this name
 *
 * Start reading at operation.h. The addon has no global state but the loaded library: a process has one environment for
 * each of its threads, and may load this file several times into one of them.
 */
#include <node_api.h>

#include "client.h"
#include "environment.h"
#include "library.h"
#include "operation.h"
#include "values.h"

static napi_value version(napi_env env, napi_callback_info info)
{
    void *data;
    napi_value string;
    if (!get_arguments(env, info, 0, NULL, &data)) return NULL;
    const struct library *library = data;
    return OK(napi_create_string_utf8(env, library->version(), NAPI_AUTO_LENGTH, &string)) ? string : NULL;
}

static napi_value functions_of(napi_env env, const struct library *library)
{
    napi_value functions;
    void *data = (void *)(uintptr_t)library;
    const napi_property_descriptor list[] = {
        {.utf8name = "version", .method = version, .data = data, .attributes = napi_enumerable},
        {.utf8name = "newClient", .method = client_create, .data = data, .attributes = napi_enumerable},
        {.utf8name = "stats", .method = client_stats, .attributes = napi_enumerable},
        {.utf8name = "generation", .method = client_generation, .attributes = napi_enumerable},
        {.utf8name = "advanceClock", .method = client_advance_clock, .attributes = napi_enumerable},
        {.utf8name = "close", .method = client_close, .attributes = napi_enumerable},
        {.utf8name = "token", .method = operation_token, .attributes = napi_enumerable},
        {.utf8name = "invalidate", .method = operation_invalidate, .attributes = napi_enumerable},
        {.utf8name = "revoke", .method = operation_revoke, .attributes = napi_enumerable},
        {.utf8name = "request", .method = operation_request, .attributes = napi_enumerable},
        {.utf8name = "cancel", .method = operation_cancel, .attributes = napi_enumerable},
    };
    bool complete = OK(napi_create_object(env, &functions)) && OK(napi_define_properties(env, functions, sizeof list / sizeof *list, list));
    return complete ? functions : NULL;
}

static napi_value linked(napi_env env, napi_callback_info info)
{
    (void)info;
    return functions_of(env, library_linked());
}

static napi_value open(napi_env env, napi_callback_info info)
{
    napi_value file;
    struct bytes path;
    char problem[PROBLEM_SIZE] = "";
    if (!get_arguments(env, info, 1, &file, NULL) || !get_bytes(env, file, &path)) return NULL;
    const struct library *library = library_open(path.data, problem);
    release_bytes(&path);
    if (!library) {
        napi_throw_error(env, NULL, problem);
        return NULL;
    }
    return functions_of(env, library);
}

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */)
{
    const napi_property_descriptor list[] = {
        {.utf8name = "linked", .method = linked, .attributes = napi_enumerable},
        {.utf8name = "open", .method = open, .attributes = napi_enumerable},
    };
    bool complete = environment_begin(env) && OK(napi_define_properties(env, exports, sizeof list / sizeof *list, list))
                    && set_string(env, exports, "version", TOKENWELL_VERSION);
    return complete ? exports : NULL;
}
