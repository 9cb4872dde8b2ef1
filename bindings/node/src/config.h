/* The settings of a client, and the variables of the environment, which are passed to the library as data. */
#ifndef TOKENWELL_NODE_CONFIG_H
#define TOKENWELL_NODE_CONFIG_H

#include <node_api.h>
#include <stdbool.h>

#include "library.h"

/*
 * Creates a config. `settings` and `variables` are arrays of names and values, alternately. NULL if it cannot be
 * created: then an exception is pending, or `failed` has the fields of an error.
 *
 * The library never reads the environment of the process: `setenv` of another thread may free what it reads. Node has
 * its own lock for process.env, and a worker has its own variables.
 */
tokenwell_config *config_from(napi_env env, const struct library *library, napi_value settings, napi_value variables, bool from_environment, napi_value *failed);

#endif
