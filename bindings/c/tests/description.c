/* What a client tells about its configuration: the base URL, and where its settings came from. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

/* Returns the source of a setting, or NULL if it is not in effect. */
static const char *source_of(const tokenwell_client *client, const char *setting)
{
    const char *name, *source;

    for (size_t i = 0; (name = tokenwell_client_setting(client, i, &source)) != NULL; i++) {
        if (strcmp(name, setting) == 0) return source;
    }
    return NULL;
}

static void a_client_tells_its_base_url_and_the_sources_of_its_settings(void)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    size_t length = 0;

    CHECK_OK(tokenwell_config_new(&config, &error), &error);
    CHECK_OK(tokenwell_config_set_variable(config, "MONGODB_ATLAS_CLIENT_ID", 23, "mdb_sa_id_1", 11, &error), &error);
    CHECK_OK(tokenwell_config_set_variable(config, "MONGODB_ATLAS_CLIENT_SECRET", 27, "hidden", 6, &error), &error);
    CHECK_OK(tokenwell_config_use_environment(config, &error), &error);
    CHECK_OK(set(config, "scope", "a", &error), &error);
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);
    tokenwell_config_free(config);

    CHECK_TEXT("https://cloud.mongodb.com", tokenwell_client_base_url(client, &length));
    CHECK_UINT(strlen("https://cloud.mongodb.com"), length);
    CHECK_TEXT("environment variable MONGODB_ATLAS_CLIENT_ID", source_of(client, "client_id"));
    CHECK_TEXT("environment variable MONGODB_ATLAS_CLIENT_SECRET", source_of(client, "client_secret"));
    CHECK_TEXT("option scope", source_of(client, "scope"));
    CHECK_TEXT("the default", source_of(client, "base_url"));
    CHECK(source_of(client, "audience") == NULL);
    CHECK(tokenwell_client_setting(client, 0, NULL) != NULL);

    const char *after = "untouched";
    CHECK(tokenwell_client_setting(client, 1000, &after) == NULL && after == NULL);
    CHECK(tokenwell_client_setting(client, SIZE_MAX, NULL) == NULL);
    tokenwell_client_close(client, NULL);
    CHECK_TEXT("https://cloud.mongodb.com", tokenwell_client_base_url(client, NULL));
    tokenwell_client_free(client);
}

static void a_client_of_another_server_has_no_base_url(void)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    size_t length = 7;

    CHECK_OK(tokenwell_config_new(&config, &error), &error);
    CHECK_OK(set(config, "client_id", "mdb_sa_id_1", &error), &error);
    CHECK_OK(set(config, "client_secret", "hidden", &error), &error);
    CHECK_OK(set(config, "token_url", "https://login.example.com/token", &error), &error);
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);
    tokenwell_config_free(config);

    CHECK(tokenwell_client_base_url(client, &length) == NULL);
    CHECK_UINT(0, length);
    CHECK_TEXT("option token_url", source_of(client, "token_url"));
    CHECK(source_of(client, "base_url") == NULL);
    tokenwell_client_free(client);
}

static void answer_never_comes(void *user_data, tokenwell_secret_request *request)
{
    (void)user_data;
    tokenwell_secret_request_fail(request, "", 0, NULL);
}

static void the_secret_callback_is_a_source_too(void)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;

    CHECK_OK(tokenwell_config_new(&config, &error), &error);
    CHECK_OK(set(config, "client_id", "mdb_sa_id_1", &error), &error);
    CHECK_OK(tokenwell_config_set_secret_callback(config, answer_never_comes, NULL, NULL, &error), &error);
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);
    tokenwell_config_free(config);

    CHECK_TEXT("the secret callback", source_of(client, "client_secret"));
    tokenwell_client_free(client);
}

const test description_tests[] = {
    TEST(a_client_tells_its_base_url_and_the_sources_of_its_settings),
    TEST(a_client_of_another_server_has_no_base_url),
    TEST(the_secret_callback_is_a_source_too),
    END_OF_TESTS,
};
