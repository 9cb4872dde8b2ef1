/* Invalid strings: each kind of invalid string is passed for each setting. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const settings[] = {"client_id", "client_secret", "client_secret_file", "base_url",   "token_url", "revocation_url", "auth_method",
                                       "scope",     "audience",      "resource",           "timeout_ms", "ca_file",   "manual_clock_ms"};
enum { SETTINGS = sizeof settings / sizeof *settings };

/*
 * Sets one setting of a valid config and creates a client from it. Returns the status of the first
 * failure.
 */
static tokenwell_status try_setting(const char *name, const char *value, size_t length, tokenwell_client **client, tokenwell_error **error)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_status status = tokenwell_config_set(config, name, strlen(name), value, length, error);
    if (status == TOKENWELL_STATUS_OK) status = tokenwell_client_new(config, client, error);
    tokenwell_config_free(config);
    return status;
}

/*
 * Checks that the string is rejected for every setting, with an error that names the setting,
 * before a byte is sent.
 */
static void refused_everywhere(const char *value, size_t length)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        tokenwell_client *client = NULL;
        tokenwell_error *error = NULL;

        tokenwell_status status = try_setting(settings[i], value, length, &client, &error);

        bool refused = status == TOKENWELL_STATUS_INVALID_ARGUMENT || status == TOKENWELL_STATUS_NOT_CONFIGURED || status == TOKENWELL_STATUS_REFUSED;
        if (!CHECK(refused)) printf("  the setting is %s, the status %s\n", settings[i], tokenwell_status_name(status));
        if (refused) CHECK_HAS(settings[i], tokenwell_error_message(error, NULL));
        CHECK(client == NULL);
        tokenwell_client_free(client);
        tokenwell_error_free(error);
    }
    CHECK_UINT(0, emulator_counter("connections"));
}

static void a_nul_is_refused_in_every_setting(void)
{
    refused_everywhere("ab\0cd", 5);
    refused_everywhere("\0", 1);
}

static void a_control_character_is_refused_in_every_setting(void)
{
    refused_everywhere("ab\ncd", 5);
    refused_everywhere("ab\rcd", 5);
    refused_everywhere("ab\033[31mcd", 9);
    refused_everywhere("ab\177", 3);
}

static void a_string_that_is_not_utf_8_is_refused_in_every_setting(void)
{
    refused_everywhere("\xff\xfe", 2);
    refused_everywhere("ab\xc3", 3);
    refused_everywhere("\xed\xa0\x80", 3);
}

/*
 * Checks that the value causes no crash and no hang: if it is accepted, a get must return a token
 * or an error.
 */
static void survives(const char *name, const char *value, size_t length)
{
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    tokenwell_token *token = NULL;

    tokenwell_status status = try_setting(name, value, length, &client, &error);

    if (status == TOKENWELL_STATUS_OK) {
        status = tokenwell_client_token(client, 0, 20000, 0, &token, &error);
        CHECK(status != TOKENWELL_STATUS_INTERNAL);
        CHECK((token != NULL) == (status == TOKENWELL_STATUS_OK));
    } else {
        CHECK(client == NULL);
    }
    if (status != TOKENWELL_STATUS_OK && CHECK(error != NULL)) {
        /* A message does not repeat a megabyte of input. */
        CHECK(strlen(tokenwell_error_message(error, NULL)) < 4096);
    }
    tokenwell_token_free(token);
    tokenwell_client_free(client);
    tokenwell_error_free(error);
}

static void a_megabyte_in_any_setting_does_not_crash(void)
{
    size_t length = 1024 * 1024;
    char *value = malloc(length);
    if (!CHECK(value != NULL)) return;
    memset(value, 'a', length);

    for (size_t i = 0; i < SETTINGS; i++) survives(settings[i], value, length);

    free(value);
}

static void an_empty_string_in_any_setting_does_not_crash(void)
{
    for (size_t i = 0; i < SETTINGS; i++) survives(settings[i], "", 0);
}

static void a_malformed_setting_name_is_rejected(void)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    static const struct { const char *bytes; size_t length; } names[] = {{"", 0}, {"\0", 1}, {"scope\0", 6}, {"sco\npe", 6}, {"\xff\xfe", 2}, {"SCOPE", 5}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK_FAILS(TOKENWELL_STATUS_INVALID_ARGUMENT, tokenwell_config_set(config, names[i].bytes, names[i].length, "a", 1, &error), &error);
    }

    tokenwell_config_free(config);
}

static void a_string_needs_no_terminator(void)
{
    char *value = malloc(6);
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    if (!CHECK(value != NULL)) return;
    memcpy(value, "30000x", 6);

    /* All six bytes are not a number, but the first five are. valgrind detects a read of a seventh
     * byte. */
    CHECK_FAILS_NAMING(TOKENWELL_STATUS_INVALID_ARGUMENT, "timeout_ms", try_setting("timeout_ms", value, 6, &client, &error), &error);
    CHECK_OK(try_setting("timeout_ms", value, 5, &client, &error), &error);

    free(value);
    tokenwell_client_free(client);
}

static void i21_a_refused_secret_is_not_repeated(void)
{
    static const char secret[] = "canary-0123456789\n";
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;

    CHECK(try_setting("client_secret", secret, sizeof secret - 1, &client, &error) != TOKENWELL_STATUS_OK);
    CHECK_LACKS("canary", tokenwell_error_message(error, NULL));
    CHECK_LACKS("canary", tokenwell_error_hint(error, NULL));

    tokenwell_error_free(error);
}

static void the_strings_of_a_token_match_their_lengths(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = get(client);
    size_t value_length = 0, header_length = 0;

    const char *value = tokenwell_token_value(token, &value_length), *header = tokenwell_token_authorization(token, &header_length);

    if (CHECK(value && header)) {
        CHECK_UINT(strlen(value), value_length);
        CHECK_UINT(strlen(header), header_length);
        CHECK(value_length > 0 && header_length == value_length + 7 && strncmp(header, "Bearer ", 7) == 0 && strcmp(header + 7, value) == 0);
    }
    tokenwell_token_free(token);
    tokenwell_client_free(client);
}

static void the_scope_comes_from_the_server_or_is_null(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token;
    size_t length = 0;

    emulator_faults("[{\"path\":\"/api/oauth/token\",\"times\":1,\"status\":200,\"body\":"
                    "{\"access_token\":\"t1\",\"token_type\":\"Bearer\",\"expires_in\":3600,\"scope\":\"read write\"}},"
                    "{\"path\":\"/api/oauth/token\",\"times\":1,\"status\":200,\"body\":"
                    "{\"access_token\":\"t2\",\"token_type\":\"bearer\",\"expires_in\":3600}}]");

    token = get(client);
    CHECK_TEXT("read write", tokenwell_token_scope(token, &length));
    CHECK_UINT(10, length);
    CHECK_TEXT("t1", tokenwell_token_value(token, NULL));
    CHECK_OK(tokenwell_client_invalidate(client, "t1", 2, NULL), NULL);
    tokenwell_token_free(token);

    token = get(client);
    CHECK(tokenwell_token_scope(token, NULL) == NULL);
    CHECK_TEXT("t2", tokenwell_token_value(token, NULL));
    tokenwell_token_free(token);
    tokenwell_client_free(client);
}

static void a_token_may_be_one_byte_or_a_third_of_a_megabyte(void)
{
    static const char form[] = "[{\"path\":\"/api/oauth/token\",\"times\":1,\"status\":200,\"body\":"
                               "{\"access_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":3600}}]";
    static const size_t lengths[] = {1, 300 * 1024};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char *text = malloc(lengths[i] + 1), *fault = malloc(lengths[i] + sizeof form);
        size_t length = 0;
        if (!CHECK(text && fault)) return;
        memset(text, 'A', lengths[i]);
        text[lengths[i]] = '\0';
        sprintf(fault, form, text);
        emulator_faults(fault);
        tokenwell_client *client = emulator_client(SYSTEM_CLOCK);

        tokenwell_token *token = get(client);

        CHECK_TEXT(text, tokenwell_token_value(token, &length));
        CHECK_UINT(lengths[i], length);
        tokenwell_token_free(token);
        tokenwell_client_free(client);
        free(fault);
        free(text);
    }
}

const test string_tests[] = {
    TEST(a_nul_is_refused_in_every_setting),
    TEST(a_control_character_is_refused_in_every_setting),
    TEST(a_string_that_is_not_utf_8_is_refused_in_every_setting),
    TEST(a_megabyte_in_any_setting_does_not_crash),
    TEST(an_empty_string_in_any_setting_does_not_crash),
    TEST(a_malformed_setting_name_is_rejected),
    TEST(a_string_needs_no_terminator),
    TEST(i21_a_refused_secret_is_not_repeated),
    TEST(the_strings_of_a_token_match_their_lengths),
    TEST(the_scope_comes_from_the_server_or_is_null),
    TEST(a_token_may_be_one_byte_or_a_third_of_a_megabyte),
    END_OF_TESTS,
};
