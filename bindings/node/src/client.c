#include "client.h"

#include <stdlib.h>

#include "config.h"
#include "values.h"

static const napi_type_tag HANDLE = {0x7d0c1f5b6a2e4893, 0x9b41e6d8350fa7c2};

/* ---- lifetimes */

struct client *client_retain(struct client *client)
{
    client->references++;
    return client;
}

void client_release(struct client *client)
{
    if (--client->references > 0) return;
    client->library->error_free(client->closed);
    free(client);
}

/* Frees the client of the library, with its secret. Pending operations end with TOKENWELL_STATUS_CLOSED. */
static void end(struct client *client)
{
    client->library->client_free(client->client);
    client->client = NULL;
}

/* The handle was collected, or its environment has ended. */
static void finalize(napi_env env, void *data, void *hint)
{
    (void)env, (void)hint;
    end(data);
    client_release(data);
}

struct client *client_of(napi_env env, napi_value handle)
{
    bool is_handle = false;
    void *client = NULL;
    if (napi_check_object_type_tag(env, handle, &HANDLE, &is_handle) != napi_ok || !is_handle) {
        napi_throw_type_error(env, NULL, "not a client");
        return NULL;
    }
    return OK(napi_unwrap(env, handle, &client)) ? client : NULL;
}

/* ---- creation */

/* Makes a handle the owner of the client, which is freed if that fails. */
static bool set_handle(napi_env env, napi_value description, struct client *client)
{
    napi_value handle;
    if (OK(napi_create_object(env, &handle)) && OK(napi_type_tag_object(env, handle, &HANDLE))
        && OK(napi_wrap(env, handle, client, finalize, NULL, NULL))) {
        return OK(napi_set_named_property(env, description, "handle", handle));
    }
    finalize(env, client, NULL);
    return false;
}

static bool set_counter(napi_env env, napi_value description, const struct client *client)
{
    napi_value counter;
    void *address = (void *)(uintptr_t)client->library->client_generation(client->client);
    napi_status status = napi_create_external_arraybuffer(env, address, sizeof(uint64_t), NULL, NULL, &counter);
    if (status == napi_no_external_buffers_allowed) return true;
    return OK(status) && OK(napi_set_named_property(env, description, "counter", counter));
}

/* A list of the names and sources of the settings that are in effect, alternately. */
static bool set_sources(napi_env env, napi_value description, const struct client *client)
{
    napi_value list;
    if (!OK(napi_create_array(env, &list))) return false;
    for (uint32_t index = 0;; index++) {
        const char *source = NULL;
        const char *name = client->library->client_setting(client->client, index, &source);
        napi_value strings[2];
        if (!name) break;
        if (!OK(napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &strings[0])) || !OK(napi_create_string_utf8(env, source, NAPI_AUTO_LENGTH, &strings[1]))
            || !OK(napi_set_element(env, list, 2 * index, strings[0])) || !OK(napi_set_element(env, list, 2 * index + 1, strings[1]))) {
            return false;
        }
    }
    return OK(napi_set_named_property(env, description, "sources", list));
}

napi_value client_create(napi_env env, napi_callback_info info)
{
    napi_value arguments[3], failed = NULL, description;
    void *data;
    bool from_environment;
    if (!get_arguments(env, info, 3, arguments, &data) || !OK(napi_get_value_bool(env, arguments[2], &from_environment))) return NULL;
    if (!OK(napi_create_object(env, &description))) return NULL;
    const struct library *library = data;

    tokenwell_client *created = NULL;
    tokenwell_error *error = NULL;
    tokenwell_config *config = config_from(env, library, arguments[0], arguments[1], from_environment, &failed);
    if (!config) return failed;
    tokenwell_status status = library->client_new(config, &created, &error);
    library->config_free(config);
    if (status != TOKENWELL_STATUS_OK) return failure(env, library, status, error);

    struct client *client = allocate(sizeof *client);
    *client = (struct client){.library = library, .client = created, .references = 1};
    bool complete = set_handle(env, description, client) && set_counter(env, description, client) && set_sources(env, description, client)
        && set_string(env, description, "baseUrl", library->client_base_url(client->client, NULL));
    return complete ? description : NULL;
}

/* ---- calls */

napi_value client_stats(napi_env env, napi_callback_info info)
{
    napi_value handle, list;
    if (!get_arguments(env, info, 1, &handle, NULL)) return NULL;
    struct client *client = client_of(env, handle);
    if (!client) return NULL;

    if (client->client) client->library->client_stats(client->client, &client->stats, sizeof client->stats, NULL);
    const tokenwell_stats *stats = &client->stats;
    const uint64_t counts[] = {stats->hits, stats->waits, stats->refreshes, stats->mints, stats->mint_failures, stats->stale_served, stats->cooldown_answers, stats->invalidations};
    if (!OK(napi_create_array(env, &list))) return NULL;
    for (uint32_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        napi_value count;
        if (!OK(napi_create_double(env, (double)counts[i], &count)) || !OK(napi_set_element(env, list, i, count))) return NULL;
    }
    return list;
}

napi_value client_generation(napi_env env, napi_callback_info info)
{
    napi_value handle, number;
    if (!get_arguments(env, info, 1, &handle, NULL)) return NULL;
    struct client *client = client_of(env, handle);
    if (!client) return NULL;

    if (client->client) client->generation = __atomic_load_n(client->library->client_generation(client->client), __ATOMIC_ACQUIRE);
    return OK(napi_create_double(env, (double)client->generation, &number)) ? number : NULL;
}

napi_value client_advance_clock(napi_env env, napi_callback_info info)
{
    napi_value arguments[2];
    uint64_t ms;
    if (!get_arguments(env, info, 2, arguments, NULL)) return NULL;
    struct client *client = client_of(env, arguments[0]);
    if (!client || !get_uint64(env, arguments[1], &ms)) return NULL;
    if (!client->client) return error_fields(env, client->library, client->closed);

    tokenwell_error *error = NULL;
    tokenwell_status status = client->library->client_advance_clock(client->client, ms, &error);
    return status == TOKENWELL_STATUS_OK ? nothing(env) : failure(env, client->library, status, error);
}

/* Keeps what later calls return, because the client is freed. */
static void remember(struct client *client)
{
    const struct library *library = client->library;
    tokenwell_token *token = NULL;
    library->client_token_async(client->client, 0, 0, TOKENWELL_CACHED_ONLY, NULL, NULL, NULL, &token, NULL, &client->closed);
    library->client_stats(client->client, &client->stats, sizeof client->stats, NULL);
    client->generation = __atomic_load_n(library->client_generation(client->client), __ATOMIC_ACQUIRE);
}

napi_value client_close(napi_env env, napi_callback_info info)
{
    napi_value arguments[2];
    napi_valuetype type;
    if (!get_arguments(env, info, 2, arguments, NULL)) return NULL;
    struct client *client = client_of(env, arguments[0]);
    if (!client || !OK(napi_typeof(env, arguments[1], &type))) return NULL;
    if (!client->client) return nothing(env);

    tokenwell_error *error = NULL;
    tokenwell_status status = client->library->client_close(client->client, &error);
    if (status != TOKENWELL_STATUS_OK) return failure(env, client->library, status, error);
    // While the counter is attached, its memory must exist: then the client is freed with the handle.
    if (type != napi_undefined && !OK(napi_detach_arraybuffer(env, arguments[1]))) return NULL;
    remember(client);
    end(client);
    return nothing(env);
}
