/* Clients: their creation, the calls that do not wait, and their end. */
#ifndef TOKENWELL_NODE_CLIENT_H
#define TOKENWELL_NODE_CLIENT_H

#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

#include "library.h"

/* A client of one environment. JavaScript has it as a handle, which is an object without properties. */
struct client {
    const struct library *library;
    /* NULL after the client is closed: then it is freed. */
    tokenwell_client *client;
    /* What is known of a client that is closed: the error of every later call, the counters, the generation. */
    tokenwell_error *closed;
    tokenwell_stats stats;
    uint64_t generation;
    /* One for the handle, and one for each waiter. */
    size_t references;
};

/* The client of a handle. NULL if an exception is pending. */
struct client *client_of(napi_env env, napi_value handle);

struct client *client_retain(struct client *client);
void client_release(struct client *client);

/*
 * Functions of JavaScript. Their result is that of the call, or the fields of an error.
 *
 *   newClient(settings, variables, fromEnvironment)   { handle, counter, baseUrl, sources }
 *   stats(handle)                                     the counters, in the order of tokenwell_stats
 *   generation(handle)                                a number
 *   advanceClock(handle, ms)                          null
 *   close(handle, counter)                            null; frees the client, and detaches its counter
 *
 * `counter` is an ArrayBuffer over the generation counter in the memory of the client. It is undefined in hosts that do
 * not allow such buffers, for example Electron.
 */
napi_value client_create(napi_env env, napi_callback_info info);
napi_value client_stats(napi_env env, napi_callback_info info);
napi_value client_generation(napi_env env, napi_callback_info info);
napi_value client_advance_clock(napi_env env, napi_callback_info info);
napi_value client_close(napi_env env, napi_callback_info info);

#endif
