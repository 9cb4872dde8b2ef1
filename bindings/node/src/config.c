#include "config.h"

#include "values.h"

typedef __typeof__(tokenwell_config_set) setter;

/* Calls `set` for each name and value of an array. False if an exception is pending or `failed` was set. */
static bool set_all(napi_env env, const struct library *library, tokenwell_config *config, setter *set, napi_value array, napi_value *failed)
{
    uint32_t length = 0;
    if (!OK(napi_get_array_length(env, array, &length))) return false;
    for (uint32_t i = 0; i + 1 < length; i += 2) {
        napi_value elements[2];
        struct bytes name = {0}, value = {0};
        tokenwell_error *error = NULL;
        tokenwell_status status = TOKENWELL_STATUS_OK;
        bool read = OK(napi_get_element(env, array, i, &elements[0])) && OK(napi_get_element(env, array, i + 1, &elements[1]))
            && get_bytes(env, elements[0], &name) && get_bytes(env, elements[1], &value);
        if (read) status = set(config, name.data, name.length, value.data, value.length, &error);
        release_bytes(&name);
        release_bytes(&value);
        if (status != TOKENWELL_STATUS_OK) *failed = failure(env, library, status, error);
        if (!read || status != TOKENWELL_STATUS_OK) return false;
    }
    return true;
}

tokenwell_config *config_from(napi_env env, const struct library *library, napi_value settings, napi_value variables, bool from_environment, napi_value *failed)
{
    tokenwell_config *config = NULL;
    tokenwell_error *error = NULL;
    tokenwell_status status = library->config_new(&config, &error);
    if (status == TOKENWELL_STATUS_OK) status = library->config_use_variables(config, &error);
    if (status == TOKENWELL_STATUS_OK && from_environment) status = library->config_use_environment(config, &error);
    if (status != TOKENWELL_STATUS_OK) *failed = failure(env, library, status, error);
    if (status == TOKENWELL_STATUS_OK && set_all(env, library, config, library->config_set, settings, failed)
        && set_all(env, library, config, library->config_set_variable, variables, failed)) {
        return config;
    }
    library->config_free(config);
    return NULL;
}
