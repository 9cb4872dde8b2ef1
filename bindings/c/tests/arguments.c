/* How each function handles NULL, invalid numbers and its outputs. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVALID TOKENWELL_STATUS_INVALID_ARGUMENT

/* The address that marks an output that was not written. No call returns it. */
static char untouched;
#define UNTOUCHED ((void *)&untouched)
static const char untouched_text[] = "untouched";

static void the_abi_version_matches_the_header(void)
{
    unsigned major, minor;
    char patch;

    CHECK_UINT(TOKENWELL_ABI_VERSION, tokenwell_abi_version());
    CHECK(sscanf(tokenwell_version(), "%u.%u.%c", &major, &minor, &patch) == 3);
}

static void r28_the_version_macros_match_the_library(void)
{
    char version[32];

    snprintf(version, sizeof version, "%d.%d.%d", TOKENWELL_VERSION_MAJOR, TOKENWELL_VERSION_MINOR, TOKENWELL_VERSION_PATCH);

    CHECK_TEXT(version, tokenwell_version());
    CHECK_TEXT(TOKENWELL_VERSION, tokenwell_version());
#if TOKENWELL_VERSION_NUMBER != TOKENWELL_VERSION_MAJOR * 1000000 + TOKENWELL_VERSION_MINOR * 1000 + TOKENWELL_VERSION_PATCH
#error "the number of the version does not match its parts"
#endif
}

static void every_status_has_its_name(void)
{
    static const char *const names[] = {"OK", "INVALID_ARGUMENT", "NOT_CONFIGURED", "CREDENTIAL_REJECTED", "TOKEN_LIMIT", "RATE_LIMITED", "NETWORK",
                                        "TLS", "DEADLINE", "SERVER", "PROTOCOL", "REFUSED", "CLOSED", "INTERNAL", "PENDING", "NOT_CACHED",
                                        "CANNOT_WRITE"};

    for (int32_t i = 0; i < 17; i++) CHECK_TEXT(names[i], tokenwell_status_name(i));
    CHECK_TEXT("UNKNOWN", tokenwell_status_name(17));
    CHECK_TEXT("UNKNOWN", tokenwell_status_name(-1));
    CHECK_TEXT("UNKNOWN", tokenwell_status_name(INT32_MAX));
    CHECK_TEXT("UNKNOWN", tokenwell_status_name(INT32_MIN));
}

static void null_in_a_config_call_is_named(void)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;

    CHECK_FAILS_NAMING(INVALID, "out", tokenwell_config_new(NULL, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "config", tokenwell_config_set(NULL, "scope", 5, "a", 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "name", tokenwell_config_set(config, NULL, 5, "a", 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "name", tokenwell_config_set(config, NULL, 0, "a", 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "value", tokenwell_config_set(config, "scope", 5, NULL, 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "value", tokenwell_config_set(config, "scope", 5, NULL, 0, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "config", tokenwell_config_set(NULL, NULL, 0, NULL, 0, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "config", tokenwell_config_use_environment(NULL, &error), &error);

    tokenwell_config_free(config);
}

static void null_in_a_client_call_is_named(void)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK), *made = NULL;
    tokenwell_token *token = NULL;
    tokenwell_stats stats;
    tokenwell_error *error = NULL;

    CHECK_FAILS_NAMING(INVALID, "config", tokenwell_client_new(NULL, &made, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "out", tokenwell_client_new(config, NULL, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_token(NULL, 0, 0, 0, &token, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "out", tokenwell_client_token(client, 0, 0, 0, NULL, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_invalidate(NULL, "x", 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "value", tokenwell_client_invalidate(client, NULL, 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "value", tokenwell_client_invalidate(client, NULL, 0, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_revoke(NULL, 0, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_stats(NULL, &stats, sizeof stats, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "out", tokenwell_client_stats(client, NULL, sizeof stats, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_advance_clock(NULL, 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_log_set(NULL, NULL, NULL, 0, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_close(NULL, &error), &error);
    CHECK_UINT(0, emulator_counter("connections"));

    tokenwell_client_free(client);
    tokenwell_config_free(config);
}

static void an_accessor_returns_a_default_for_null(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = get(client);
    size_t length = 7;

    const char *source = untouched_text;

    CHECK(tokenwell_client_generation(NULL) == NULL);
    CHECK(tokenwell_client_base_url(NULL, NULL) == NULL);
    CHECK(tokenwell_client_base_url(NULL, &length) == NULL);
    CHECK_UINT(0, length);
    CHECK(tokenwell_client_setting(NULL, 0, NULL) == NULL);
    CHECK(tokenwell_client_setting(NULL, 0, &source) == NULL);
    CHECK(source == NULL);
    length = 7;
    CHECK(tokenwell_token_value(NULL, NULL) == NULL);
    CHECK(tokenwell_token_value(NULL, &length) == NULL);
    CHECK_UINT(0, length);
    length = 7;
    CHECK(tokenwell_token_authorization(NULL, &length) == NULL);
    CHECK_UINT(0, length);
    length = 7;
    CHECK(tokenwell_token_scope(NULL, &length) == NULL);
    CHECK_INT(0, tokenwell_token_expires_at_ms(NULL));
    CHECK_UINT(0, tokenwell_token_generation(NULL));
    CHECK_UINT(0, tokenwell_client_fresh_for_ms(NULL, token));
    CHECK_UINT(0, tokenwell_client_fresh_for_ms(client, NULL));
    CHECK_UINT(0, tokenwell_client_fresh_for_ms(NULL, NULL));
    CHECK_UINT(0, length);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_error_status(NULL));
    CHECK(tokenwell_error_name(NULL) == NULL);
    CHECK(tokenwell_error_message(NULL, NULL) == NULL);
    CHECK(tokenwell_error_hint(NULL, NULL) == NULL);
    length = 7;
    CHECK(tokenwell_error_message(NULL, &length) == NULL);
    CHECK_UINT(0, length);
    length = 7;
    CHECK(tokenwell_error_hint(NULL, &length) == NULL);
    CHECK_UINT(0, length);
    CHECK_INT(0, tokenwell_error_http_status(NULL));
    CHECK_INT(-1, tokenwell_error_retry_after_ms(NULL));
    length = 7;
    CHECK(tokenwell_error_oauth_code(NULL, &length) == NULL);
    CHECK_UINT(0, length);
    CHECK_INT(0, tokenwell_error_is_remembered(NULL));
    CHECK_INT(-1, tokenwell_error_age_ms(NULL));
    CHECK_UINT(0, tokenwell_error_attempts(NULL));
    CHECK(tokenwell_token_clone(NULL) == NULL);

    tokenwell_token_free(token);
    tokenwell_client_free(client);
}

static void freeing_null_does_nothing(void)
{
    tokenwell_config_free(NULL);
    tokenwell_client_free(NULL);
    tokenwell_token_free(NULL);
    tokenwell_error_free(NULL);

    /* Still in working order afterwards. */
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token_free(get(client));
    tokenwell_client_free(client);
}

static void outputs_are_written_on_success_only(void)
{
    tokenwell_config *empty = NULL;
    tokenwell_client *client = UNTOUCHED;
    tokenwell_token *token = UNTOUCHED;
    tokenwell_error *error = UNTOUCHED;
    tokenwell_stats stats, before;

    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_config_new(&empty, &error));
    CHECK(error == UNTOUCHED);
    error = NULL;
    CHECK_FAILS(TOKENWELL_STATUS_NOT_CONFIGURED, tokenwell_client_new(empty, &client, &error), &error);
    CHECK(client == UNTOUCHED);
    tokenwell_config_free(empty);

    client = emulator_client(SYSTEM_CLOCK);
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"times\":1,\"status\":401,\"body\":{\"error\":\"invalid_client\"}}]");
    CHECK_FAILS(TOKENWELL_STATUS_CREDENTIAL_REJECTED, tokenwell_client_token(client, 0, 0, 0, &token, &error), &error);
    CHECK(token == UNTOUCHED);
    tokenwell_client_free(client);

    memset(&stats, 0x5a, sizeof stats);
    before = stats;
    CHECK_FAILS(INVALID, tokenwell_client_stats(NULL, &stats, sizeof stats, &error), &error);
    CHECK(memcmp(&stats, &before, sizeof stats) == 0);

    client = emulator_client(SYSTEM_CLOCK);
    error = UNTOUCHED;
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_token(client, 0, 0, 0, &token, &error));
    CHECK(token != UNTOUCHED && error == UNTOUCHED);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_stats(client, &stats, sizeof stats, &error));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_invalidate(client, "x", 1, &error));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_revoke(client, 0, &error));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_close(client, &error));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(NULL, NULL, 4, &error));
    CHECK(error == UNTOUCHED);
    tokenwell_token_free(token);
    tokenwell_client_free(client);
}

static void the_error_may_be_null_everywhere(void)
{
    tokenwell_config *config = NULL, *empty = NULL;
    tokenwell_client *client = NULL;
    tokenwell_token *token = NULL;
    tokenwell_stats stats;

    /* Where the call fails … */
    CHECK_INT(INVALID, tokenwell_config_new(NULL, NULL));
    CHECK_INT(INVALID, tokenwell_config_set(NULL, "scope", 5, "a", 1, NULL));
    CHECK_INT(INVALID, tokenwell_config_use_environment(NULL, NULL));
    CHECK_INT(INVALID, tokenwell_client_new(NULL, &client, NULL));
    CHECK_INT(INVALID, tokenwell_client_token(NULL, 0, 0, 0, &token, NULL));
    CHECK_INT(INVALID, tokenwell_client_invalidate(NULL, "x", 1, NULL));
    CHECK_INT(INVALID, tokenwell_client_revoke(NULL, 0, NULL));
    CHECK_INT(INVALID, tokenwell_client_stats(NULL, &stats, sizeof stats, NULL));
    CHECK_INT(INVALID, tokenwell_client_advance_clock(NULL, 1, NULL));
    CHECK_INT(INVALID, tokenwell_client_close(NULL, NULL));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_config_new(&empty, NULL));
    CHECK_INT(TOKENWELL_STATUS_NOT_CONFIGURED, tokenwell_client_new(empty, &client, NULL));
    tokenwell_config_free(empty);

    /* … and where it succeeds. */
    config = emulator_config(MANUAL_CLOCK);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_config_set(config, "timeout_ms", 10, "30000", 5, NULL));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_new(config, &client, NULL));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_token(client, 0, 0, 0, &token, NULL));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_stats(client, &stats, sizeof stats, NULL));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_advance_clock(client, 1, NULL));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_invalidate(client, "x", 1, NULL));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_revoke(client, 0, NULL));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_close(client, NULL));
    CHECK_INT(TOKENWELL_STATUS_CLOSED, tokenwell_client_token(client, 0, 0, 0, &token, NULL));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(NULL, NULL, 1, NULL));
    tokenwell_token_free(token);
    tokenwell_client_free(client);
    tokenwell_config_free(config);
}

static void an_unknown_flag_is_refused(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;

    CHECK_FAILS_NAMING(INVALID, "flags", tokenwell_client_token(client, 0, 0, 8, &token, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "flags", tokenwell_client_token(client, 0, 0, UINT32_MAX, &token, &error), &error);
    CHECK_UINT(0, emulator_counter("connections"));

    tokenwell_client_free(client);
}

static void an_unknown_setting_is_named(void)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;

    tokenwell_status status = set(config, "color", "blue", &error);
    if (status == TOKENWELL_STATUS_OK) status = tokenwell_client_new(config, &client, &error);
    CHECK_FAILS_NAMING(INVALID, "color", status, &error);

    tokenwell_client_free(client);
    tokenwell_config_free(config);
}

static void a_min_ttl_beyond_the_lifetime_is_rejected(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;

    CHECK_FAILS_NAMING(INVALID, "min_ttl", tokenwell_client_token(client, 3601000, 0, 0, &token, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "min_ttl", tokenwell_client_token(client, UINT64_MAX, 0, 0, &token, &error), &error);

    tokenwell_client_free(client);
}

static void the_largest_deadline_is_accepted(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;

    CHECK_OK(tokenwell_client_token(client, 0, UINT64_MAX, 0, &token, &error), &error);
    CHECK_OK(tokenwell_client_revoke(client, UINT64_MAX, &error), &error);

    tokenwell_token_free(token);
    tokenwell_client_free(client);
}

static void a_length_beyond_the_address_space_is_rejected(void)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;

    CHECK_FAILS_NAMING(INVALID, "name", tokenwell_config_set(config, "scope", SIZE_MAX, "a", 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "value", tokenwell_config_set(config, "scope", 5, "a", SIZE_MAX, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "value", tokenwell_client_invalidate(client, "a", SIZE_MAX, &error), &error);

    tokenwell_client_free(client);
    tokenwell_config_free(config);
}

static void only_a_manual_clock_can_be_advanced(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;

    CHECK_FAILS_NAMING(INVALID, "manual_clock_ms", tokenwell_client_advance_clock(client, 1000, &error), &error);

    tokenwell_client_free(client);
}

static void without_a_credential_the_error_names_the_missing_setting(void)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;

    CHECK_OK(tokenwell_config_new(&config, &error), &error);
    CHECK_INT(TOKENWELL_STATUS_NOT_CONFIGURED, tokenwell_client_new(config, &client, &error));
    CHECK_HAS("client_id", tokenwell_error_message(error, NULL));

    tokenwell_error_free(error);
    tokenwell_config_free(config);
}

static void after_an_error_the_earlier_setting_is_in_effect(void)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;

    CHECK_FAILS_NAMING(INVALID, "timeout_ms", set(config, "timeout_ms", "soon", &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_REFUSED, set(config, "base_url", "http://cloud.mongodb.com", &error), &error);
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);
    tokenwell_token_free(get(client));

    tokenwell_client_free(client);
    tokenwell_config_free(config);
}

static void the_environment_provides_the_settings_that_are_not_set(void)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;

    CHECK_OK(tokenwell_config_new(&config, &error), &error);
    CHECK_OK(tokenwell_config_use_environment(config, &error), &error);
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);
    tokenwell_token_free(get(client));
    CHECK_UINT(1, emulator_counter("token_requests"));

    tokenwell_client_free(client);
    tokenwell_config_free(config);
}

const test argument_tests[] = {
    TEST(the_abi_version_matches_the_header),
    TEST(r28_the_version_macros_match_the_library),
    TEST(every_status_has_its_name),
    TEST(null_in_a_config_call_is_named),
    TEST(null_in_a_client_call_is_named),
    TEST(an_accessor_returns_a_default_for_null),
    TEST(freeing_null_does_nothing),
    TEST(outputs_are_written_on_success_only),
    TEST(the_error_may_be_null_everywhere),
    TEST(an_unknown_flag_is_refused),
    TEST(an_unknown_setting_is_named),
    TEST(a_min_ttl_beyond_the_lifetime_is_rejected),
    TEST(the_largest_deadline_is_accepted),
    TEST(a_length_beyond_the_address_space_is_rejected),
    TEST(only_a_manual_clock_can_be_advanced),
    TEST(without_a_credential_the_error_names_the_missing_setting),
    TEST(after_an_error_the_earlier_setting_is_in_effect),
    TEST(the_environment_provides_the_settings_that_are_not_set),
    END_OF_TESTS,
};
