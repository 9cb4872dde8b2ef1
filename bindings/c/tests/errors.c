/* What an error says about the request that failed: its code, its age and its attempts. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One get that fails. Release the error with tokenwell_error_free(). */
static tokenwell_error *failed_get(const tokenwell_client *client, tokenwell_status expected)
{
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    CHECK_INT(expected, tokenwell_client_token(client, 0, 60000, 0, &token, &error));
    CHECK(token == NULL);
    return error;
}

static void r28_a_remembered_error_has_the_code_and_the_age_of_the_original(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    size_t length = 7;
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"status\":401,\"body\":{\"error\":\"invalid_client\"}}]");

    tokenwell_error *fresh = failed_get(client, TOKENWELL_STATUS_CREDENTIAL_REJECTED);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_advance_clock(client, 4000, NULL));
    tokenwell_error *remembered = failed_get(client, TOKENWELL_STATUS_CREDENTIAL_REJECTED);

    CHECK_TEXT("invalid_client", tokenwell_error_oauth_code(fresh, &length));
    CHECK_UINT(14, length);
    CHECK_INT(0, tokenwell_error_is_remembered(fresh));
    CHECK_INT(0, tokenwell_error_age_ms(fresh));
    CHECK_UINT(1, tokenwell_error_attempts(fresh));
    CHECK_TEXT("invalid_client", tokenwell_error_oauth_code(remembered, NULL));
    CHECK_INT(1, tokenwell_error_is_remembered(remembered));
    CHECK_INT(4000, tokenwell_error_age_ms(remembered));
    CHECK_UINT(1, tokenwell_error_attempts(remembered));
    CHECK_UINT(1, emulator_counter("token_requests"));
    tokenwell_error_free(fresh), tokenwell_error_free(remembered);
    tokenwell_client_free(client);
}

static void r28_an_error_without_a_code_of_the_server_has_none(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    size_t length = 7;
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"status\":401,\"body\":\"\"}]");

    tokenwell_error *error = failed_get(client, TOKENWELL_STATUS_CREDENTIAL_REJECTED);

    CHECK(tokenwell_error_oauth_code(error, &length) == NULL);
    CHECK_UINT(0, length);
    tokenwell_error_free(error);
    tokenwell_client_free(client);
}

static void r28_the_attempts_count_every_request_whatever_it_met(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"times\":1,\"status\":503},{\"path\":\"/api/oauth/token\",\"times\":1,\"status\":500},"
                    "{\"path\":\"/api/oauth/token\",\"status\":400,\"body\":{\"error\":\"invalid_scope\"}}]");

    tokenwell_error *error = failed_get(client, TOKENWELL_STATUS_CREDENTIAL_REJECTED);
    tokenwell_error *remembered = failed_get(client, TOKENWELL_STATUS_CREDENTIAL_REJECTED);

    CHECK_TEXT("invalid_scope", tokenwell_error_oauth_code(error, NULL));
    CHECK_UINT(3, tokenwell_error_attempts(error));
    CHECK_UINT(3, tokenwell_error_attempts(remembered));
    CHECK_UINT(3, emulator_counter("token_requests"));
    tokenwell_error_free(error), tokenwell_error_free(remembered);
    tokenwell_client_free(client);
}

static void r28_an_error_of_another_process_has_its_code_and_attempts(void)
{
    char directory[] = "/tmp/tokenwell-errors-XXXXXX", command[64];
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_client *first = NULL, *second = NULL;
    tokenwell_error *error = NULL;
    if (!mkdtemp(directory)) abort();
    CHECK_OK(set(config, "cache", "on", &error), &error);
    CHECK_OK(set(config, "cache_dir", directory, &error), &error);
    CHECK_OK(tokenwell_client_new(config, &first, &error), &error);
    CHECK_OK(tokenwell_client_new(config, &second, &error), &error);
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"times\":1,\"status\":503},"
                    "{\"path\":\"/api/oauth/token\",\"status\":429,\"body\":{\"error\":\"slow_down\"}}]");

    tokenwell_error_free(failed_get(first, TOKENWELL_STATUS_RATE_LIMITED));
    error = failed_get(second, TOKENWELL_STATUS_RATE_LIMITED);

    CHECK_INT(1, tokenwell_error_is_remembered(error));
    CHECK(tokenwell_error_age_ms(error) >= 0);
    CHECK_TEXT("slow_down", tokenwell_error_oauth_code(error, NULL));
    CHECK_UINT(2, tokenwell_error_attempts(error));
    CHECK_UINT(2, emulator_counter("token_requests"));
    tokenwell_error_free(error);
    tokenwell_client_free(first), tokenwell_client_free(second);
    tokenwell_config_free(config);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    CHECK_INT(0, system(command));
}

static void r28_an_error_without_a_request_has_no_attempts(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;

    CHECK_INT(TOKENWELL_STATUS_INVALID_ARGUMENT, tokenwell_client_token(client, 0, 0, 0, NULL, &error));

    CHECK_UINT(0, tokenwell_error_attempts(error));
    CHECK_INT(0, tokenwell_error_age_ms(error));
    CHECK_INT(0, tokenwell_error_is_remembered(error));
    CHECK(tokenwell_error_oauth_code(error, NULL) == NULL);
    tokenwell_error_free(error);
    tokenwell_client_free(client);
}

const test error_tests[] = {
    TEST(r28_a_remembered_error_has_the_code_and_the_age_of_the_original),
    TEST(r28_an_error_without_a_code_of_the_server_has_none),
    TEST(r28_the_attempts_count_every_request_whatever_it_met),
    TEST(r28_an_error_of_another_process_has_its_code_and_attempts),
    TEST(r28_an_error_without_a_request_has_no_attempts),
    END_OF_TESTS,
};
