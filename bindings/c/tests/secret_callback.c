/* The callback that delivers the client secret. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_CONFIGURED TOKENWELL_STATUS_NOT_CONFIGURED
#define INVALID TOKENWELL_STATUS_INVALID_ARGUMENT

/* The user_data of the callbacks below. */
typedef struct {
    atomic_uint calls;      /* of the callback */
    atomic_uint destroyed;  /* calls of destroy */
    atomic_uint used_late;  /* calls of the callback after destroy */
    _Atomic(tokenwell_secret_request *) kept; /* a request that was not answered */
    atomic_bool release;    /* lets a callback that waits return */
    const tokenwell_client *client;
    const char *wrong_first;  /* the first answer, if it is not NULL */
    atomic_int inside[4];   /* the statuses of the calls that the callback made */
} vault;

static void destroy_vault(void *user_data)
{
    atomic_fetch_add(&((vault *)user_data)->destroyed, 1);
}

static unsigned count_call(vault *self)
{
    if (atomic_load(&self->destroyed)) atomic_fetch_add(&self->used_late, 1);
    return atomic_fetch_add(&self->calls, 1);
}

static tokenwell_status provide(tokenwell_secret_request *request, const char *secret)
{
    return tokenwell_secret_request_provide(request, secret, strlen(secret), NULL);
}

static const char *the_secret(void)
{
    return need_environment("MONGODB_ATLAS_CLIENT_SECRET");
}

/* A config for the emulator without a client secret. */
static tokenwell_config *config_of(vault *self, tokenwell_secret_callback callback, const char *timeout_ms)
{
    tokenwell_config *config = NULL;
    tokenwell_error *error = NULL;
    char now[24];
    snprintf(now, sizeof now, "%" PRIu64, emulator_now_ms());
    CHECK_OK(tokenwell_config_new(&config, &error), &error);
    CHECK_OK(set(config, "base_url", need_environment("MONGODB_ATLAS_BASE_URL"), &error), &error);
    CHECK_OK(set(config, "client_id", need_environment("MONGODB_ATLAS_CLIENT_ID"), &error), &error);
    CHECK_OK(set(config, "manual_clock_ms", now, &error), &error);
    CHECK_OK(set(config, "timeout_ms", timeout_ms, &error), &error);
    CHECK_OK(tokenwell_config_set_secret_callback(config, callback, self, destroy_vault, &error), &error);
    return config;
}

static tokenwell_client *client_of(vault *self, tokenwell_secret_callback callback, const char *timeout_ms)
{
    tokenwell_config *config = config_of(self, callback, timeout_ms);
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);
    tokenwell_config_free(config);
    self->client = client;
    return client;
}

/* Frees the client and checks that destroy is called once, when the last thread is done. */
static void end(tokenwell_client *client, vault *self)
{
    tokenwell_client_free(client);
    for (uint64_t started = now_ms(); atomic_load(&self->destroyed) == 0 && now_ms() - started < 60000;) pause_ms(1);
    CHECK_UINT(1, atomic_load(&self->destroyed));
    CHECK_UINT(0, atomic_load(&self->used_late));
}

static tokenwell_status get_status(const tokenwell_client *client, uint64_t deadline_ms, const char *words)
{
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    tokenwell_status status = tokenwell_client_token(client, 0, deadline_ms, 0, &token, &error);
    if (words) CHECK_HAS(words, tokenwell_error_message(error, NULL));
    tokenwell_token_free(token);
    tokenwell_error_free(error);
    return status;
}

static void advance(const tokenwell_client *client, uint64_t ms)
{
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_advance_clock(client, ms, NULL));
}

/* ---- answers ---- */

static void answer_now(void *user_data, tokenwell_secret_request *request)
{
    vault *self = user_data;
    unsigned earlier = count_call(self);
    provide(request, earlier == 0 && self->wrong_first ? self->wrong_first : the_secret());
}

static void a_callback_that_answers_immediately_delivers_the_secret(void)
{
    static vault self;
    tokenwell_client *client = client_of(&self, answer_now, "30000");
    CHECK_UINT(0, atomic_load(&self.calls));

    CHECK_INT(TOKENWELL_STATUS_OK, get_status(client, 0, NULL));
    CHECK_INT(TOKENWELL_STATUS_OK, get_status(client, 0, NULL));
    CHECK_UINT(1, atomic_load(&self.calls));

    /* Every refresh asks again, so that a rotated secret needs no restart. */
    tokenwell_token *token = NULL;
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_token(client, 0, 0, TOKENWELL_FORCE_REFRESH, &token, NULL));
    tokenwell_token_free(token);
    CHECK_UINT(2, atomic_load(&self.calls));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_revoke(client, 0, NULL));
    end(client, &self);
}

static void *answer_on_a_thread(void *request)
{
    pause_ms(20);
    provide(request, the_secret());
    return NULL;
}

static void answer_later(void *user_data, tokenwell_secret_request *request)
{
    pthread_t thread;
    count_call(user_data);
    if (pthread_create(&thread, NULL, answer_on_a_thread, request) != 0) abort();
    pthread_detach(thread);
}

typedef struct { pthread_t thread; const tokenwell_client *client; tokenwell_status status; } caller;

static void *one_get(void *data)
{
    caller *self = data;
    self->status = get_status(self->client, 0, NULL);
    return NULL;
}

static void all_callers_share_an_answer_that_comes_later_from_another_thread(void)
{
    enum { CALLERS = 8 };
    static vault self;
    caller callers[CALLERS];
    tokenwell_client *client = client_of(&self, answer_later, "30000");

    for (int i = 0; i < CALLERS; i++) {
        callers[i].client = client;
        if (pthread_create(&callers[i].thread, NULL, one_get, &callers[i]) != 0) abort();
    }
    for (int i = 0; i < CALLERS; i++) pthread_join(callers[i].thread, NULL);

    for (int i = 0; i < CALLERS; i++) CHECK_INT(TOKENWELL_STATUS_OK, callers[i].status);
    CHECK_UINT(1, atomic_load(&self.calls));
    CHECK_UINT(1, emulator_counter("token_requests"));
    end(client, &self);
}

static void a_rejected_secret_is_asked_for_again(void)
{
    static vault self;
    self.wrong_first = "mdb_sa_sk_outdated";
    tokenwell_client *client = client_of(&self, answer_now, "30000");

    CHECK_INT(TOKENWELL_STATUS_OK, get_status(client, 0, NULL));

    CHECK_UINT(2, atomic_load(&self.calls));
    CHECK_UINT(2, emulator_counter("token_requests"));
    end(client, &self);
}

static atomic_bool rotated;

static void answer_wrong_until_rotated(void *user_data, tokenwell_secret_request *request)
{
    count_call(user_data);
    provide(request, atomic_load(&rotated) ? the_secret() : "mdb_sa_sk_outdated");
}

static void a_secret_that_is_rotated_during_a_cooldown_is_used_before_its_end(void)
{
    static vault self;
    tokenwell_client *client = client_of(&self, answer_wrong_until_rotated, "30000");
    CHECK_INT(TOKENWELL_STATUS_CREDENTIAL_REJECTED, get_status(client, 0, "invalid_client"));
    CHECK_UINT(1, emulator_counter("token_requests"));

    atomic_store(&rotated, true);
    /* A get asks at most once per second, and does not wait for the answer. */
    tokenwell_status status;
    uint64_t started = now_ms();
    do {
        pause_ms(50);
        status = get_status(client, 0, NULL);
    } while (status == TOKENWELL_STATUS_CREDENTIAL_REJECTED && now_ms() - started < 20000);

    CHECK_INT(TOKENWELL_STATUS_OK, status);
    CHECK_UINT(2, emulator_counter("token_requests"));
    end(client, &self);
}

/* ---- failures ---- */

static void answer_with_a_failure(void *user_data, tokenwell_secret_request *request)
{
    static const char message[] = "the vault is\nsealed";
    count_call(user_data);
    tokenwell_secret_request_fail(request, message, strlen(message), NULL);
}

static void the_message_of_a_callback_that_fails_is_in_the_error(void)
{
    static vault self;
    tokenwell_client *client = client_of(&self, answer_with_a_failure, "30000");

    CHECK_INT(NOT_CONFIGURED, get_status(client, 0, "the secret callback failed: the vault is\\u{a}sealed"));
    /* The failure is remembered for a second. */
    CHECK_INT(NOT_CONFIGURED, get_status(client, 0, "sealed"));
    CHECK_UINT(1, atomic_load(&self.calls));
    advance(client, 2000);
    CHECK_INT(NOT_CONFIGURED, get_status(client, 0, "sealed"));

    CHECK_UINT(2, atomic_load(&self.calls));
    CHECK_UINT(0, emulator_counter("requests"));
    end(client, &self);
}

static void keep_the_request(void *user_data, tokenwell_secret_request *request)
{
    vault *self = user_data;
    count_call(self);
    atomic_store(&self->kept, request);
}

static void a_request_without_an_answer_fails_the_refresh(void)
{
    static vault self;
    tokenwell_client *client = client_of(&self, keep_the_request, "600");
    tokenwell_error *error = NULL;

    CHECK_INT(NOT_CONFIGURED, get_status(client, 0, "the secret callback provided no client secret within 300 ms, half of timeout_ms"));
    tokenwell_secret_request *late = atomic_load(&self.kept);
    advance(client, 2000);
    CHECK_INT(NOT_CONFIGURED, get_status(client, 0, "within 300 ms"));

    /* The second refresh made another request. */
    CHECK_UINT(2, atomic_load(&self.calls));
    CHECK_FAILS_NAMING(TOKENWELL_STATUS_DEADLINE, "secret callback", tokenwell_secret_request_provide(late, "x", 1, &error), &error);
    CHECK_UINT(0, atomic_load(&self.destroyed));
    tokenwell_client_free(client);
    pause_ms(50);
    CHECK_UINT(0, atomic_load(&self.destroyed)); /* one request is not answered */
    CHECK_INT(TOKENWELL_STATUS_DEADLINE, tokenwell_secret_request_fail(atomic_load(&self.kept), "x", 1, NULL));
    CHECK_UINT(1, atomic_load(&self.destroyed));
}

static void a_shorter_deadline_says_what_the_call_waited_for(void)
{
    static vault self;
    tokenwell_client *client = client_of(&self, keep_the_request, "20000");
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;

    CHECK_INT(TOKENWELL_STATUS_DEADLINE, tokenwell_client_token(client, 0, 100, 0, &token, &error));

    CHECK_HAS("the secret callback has not provided the client secret", tokenwell_error_message(error, NULL));
    CHECK_HAS("timeout_ms", tokenwell_error_hint(error, NULL));
    tokenwell_error_free(error);
    /* The refresh still waits, and uses the answer. */
    CHECK_INT(TOKENWELL_STATUS_OK, provide(atomic_load(&self.kept), the_secret()));
    CHECK_INT(TOKENWELL_STATUS_OK, get_status(client, 0, NULL));
    CHECK_UINT(1, atomic_load(&self.calls));
    end(client, &self);
}

static void return_when_released(void *user_data, tokenwell_secret_request *request)
{
    vault *self = user_data;
    count_call(self);
    while (!atomic_load(&self->release)) pause_ms(1);
    provide(request, the_secret());
}

static void a_callback_that_does_not_return_is_not_called_again(void)
{
    static vault self;
    tokenwell_client *client = client_of(&self, return_when_released, "400");

    for (int i = 0; i < 3; i++) {
        CHECK_INT(NOT_CONFIGURED, get_status(client, 0, "the secret callback has not returned"));
        advance(client, 2000);
    }
    CHECK_UINT(1, atomic_load(&self.calls));

    atomic_store(&self.release, true);
    tokenwell_status status = NOT_CONFIGURED;
    for (uint64_t started = now_ms(); status == NOT_CONFIGURED && now_ms() - started < 20000; advance(client, 2000)) {
        status = get_status(client, 0, NULL);
    }
    CHECK_INT(TOKENWELL_STATUS_OK, status);
    CHECK_UINT(1, atomic_load(&self.calls));
    end(client, &self);
}

static void use_the_same_client(void *user_data, tokenwell_secret_request *request)
{
    vault *self = user_data;
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    count_call(self);
    atomic_store(&self->inside[0], (int)tokenwell_client_token(self->client, 0, 0, 0, &token, &error));
    if (error) CHECK_HAS("secret callback", tokenwell_error_message(error, NULL));
    tokenwell_error_free(error);
    atomic_store(&self->inside[1], (int)tokenwell_client_invalidate(self->client, "x", 1, NULL));
    atomic_store(&self->inside[2], (int)tokenwell_client_revoke(self->client, 0, NULL));

    /* Another client may be used. */
    tokenwell_client *other = emulator_client(SYSTEM_CLOCK);
    atomic_store(&self->inside[3], (int)tokenwell_client_token(other, 0, 0, 0, &token, NULL));
    tokenwell_token_free(token);
    tokenwell_client_free(other);
    provide(request, the_secret());
}

static void a_callback_cannot_use_the_client_that_waits_for_it(void)
{
    static vault self;
    tokenwell_client *client = client_of(&self, use_the_same_client, "30000");

    CHECK_INT(TOKENWELL_STATUS_OK, get_status(client, 0, NULL));

    for (int i = 0; i < 3; i++) CHECK_INT(INVALID, atomic_load(&self.inside[i]));
    CHECK_INT(TOKENWELL_STATUS_OK, atomic_load(&self.inside[3]));
    end(client, &self);
}

static void answer_with_null(void *user_data, tokenwell_secret_request *request)
{
    vault *self = user_data;
    tokenwell_error *error = NULL;
    unsigned call = count_call(self);
    if (call == 0) CHECK_FAILS_NAMING(INVALID, "secret", tokenwell_secret_request_provide(request, NULL, 1, &error), &error);
    if (call == 1) CHECK_FAILS_NAMING(INVALID, "message", tokenwell_secret_request_fail(request, NULL, 1, &error), &error);
    if (call == 2) CHECK_FAILS_NAMING(INVALID, "secret", tokenwell_secret_request_provide(request, "", 0, &error), &error);
    if (call == 3) CHECK_FAILS_NAMING(INVALID, "secret", tokenwell_secret_request_provide(request, "can\nary", 7, &error), &error);
}

static void an_unusable_answer_fails_the_call_and_the_refresh(void)
{
    static vault self;
    tokenwell_client *client = client_of(&self, answer_with_null, "30000");

    for (int i = 0; i < 4; i++) {
        CHECK_INT(NOT_CONFIGURED, get_status(client, 0, i < 2 ? "without an answer" : "unusable client secret"));
        CHECK_INT(NOT_CONFIGURED, get_status(client, 0, "the secret callback"));
        advance(client, 2000);
    }

    CHECK_UINT(4, atomic_load(&self.calls));
    end(client, &self);
}

static void null_in_a_call_about_the_secret_is_named(void)
{
    static vault self;
    tokenwell_error *error = NULL;

    CHECK_FAILS_NAMING(INVALID, "config", tokenwell_config_set_secret_callback(NULL, answer_now, &self, destroy_vault, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "request", tokenwell_secret_request_provide(NULL, "x", 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "request", tokenwell_secret_request_fail(NULL, "x", 1, &error), &error);
    CHECK_UINT(0, atomic_load(&self.destroyed));
}

/* ---- the config ---- */

static void a_callback_is_the_only_source_of_the_secret(void)
{
    static vault self;
    tokenwell_config *config = config_of(&self, answer_now, "30000"), *without_id = NULL;
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;

    CHECK_OK(set(config, "client_secret", "another", &error), &error);
    CHECK_FAILS_NAMING(NOT_CONFIGURED, "client_secret", tokenwell_client_new(config, &client, &error), &error);
    tokenwell_config_free(config);
    CHECK_UINT(1, atomic_load(&self.destroyed));

    static vault second;
    config = config_of(&second, answer_now, "30000");
    CHECK_OK(set(config, "client_secret_file", "/dev/null", &error), &error);
    CHECK_FAILS_NAMING(NOT_CONFIGURED, "client_secret_file", tokenwell_client_new(config, &client, &error), &error);
    tokenwell_config_free(config);

    static vault third;
    CHECK_OK(tokenwell_config_new(&without_id, &error), &error);
    CHECK_OK(tokenwell_config_set_secret_callback(without_id, answer_now, &third, NULL, &error), &error);
    CHECK_FAILS_NAMING(NOT_CONFIGURED, "client_id", tokenwell_client_new(without_id, &client, &error), &error);
    tokenwell_config_free(without_id);
    CHECK_UINT(0, atomic_load(&self.calls) + atomic_load(&second.calls) + atomic_load(&third.calls));
}

static void a_replaced_or_removed_callback_is_destroyed_once(void)
{
    static vault first, second;
    tokenwell_config *config = config_of(&first, answer_now, "30000");
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);

    /* The client still uses the first one. */
    CHECK_OK(tokenwell_config_set_secret_callback(config, answer_now, &second, destroy_vault, &error), &error);
    CHECK_UINT(0, atomic_load(&first.destroyed));
    CHECK_OK(tokenwell_config_set_secret_callback(config, NULL, NULL, NULL, &error), &error);
    CHECK_UINT(1, atomic_load(&second.destroyed));
    tokenwell_config_free(config);
    CHECK_UINT(0, atomic_load(&first.destroyed));

    CHECK_INT(TOKENWELL_STATUS_OK, get_status(client, 0, NULL));
    end(client, &first);
    CHECK_UINT(1, atomic_load(&second.destroyed));
}

/* ---- close, fork ---- */

static void close_does_not_wait_for_an_answer(void)
{
    static vault self;
    caller waiting;
    tokenwell_client *client = client_of(&self, keep_the_request, "30000");
    waiting.client = client;
    if (pthread_create(&waiting.thread, NULL, one_get, &waiting) != 0) abort();
    while (!atomic_load(&self.kept)) pause_ms(1);

    uint64_t started = now_ms();
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_close(client, NULL));
    pthread_join(waiting.thread, NULL);

    CHECK_INT(TOKENWELL_STATUS_CLOSED, waiting.status);
    CHECK(now_ms() - started < 10000);
    tokenwell_client_free(client);
    CHECK_UINT(0, atomic_load(&self.destroyed));
    CHECK_INT(TOKENWELL_STATUS_OK, provide(atomic_load(&self.kept), the_secret()));
    end(NULL, &self);
}

static void a_forked_child_makes_its_own_requests(void)
{
    static vault self, child_vault;
    caller waiting;
    int ended = 0;
    tokenwell_client *client = client_of(&self, keep_the_request, "30000"), *other = client_of(&child_vault, answer_now, "30000");
    waiting.client = client;
    if (pthread_create(&waiting.thread, NULL, one_get, &waiting) != 0) abort();
    while (!atomic_load(&self.kept)) pause_ms(1);

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        /* The request of the parent cannot be answered here. */
        DEMAND(provide(atomic_load(&self.kept), the_secret()) == TOKENWELL_STATUS_CLOSED);
        atomic_store(&self.kept, NULL);
        caller own = {.client = client};
        if (pthread_create(&own.thread, NULL, one_get, &own) != 0) abort();
        while (!atomic_load(&self.kept)) pause_ms(1);
        DEMAND(provide(atomic_load(&self.kept), the_secret()) == TOKENWELL_STATUS_OK);
        pthread_join(own.thread, NULL);
        DEMAND(own.status == TOKENWELL_STATUS_OK);
        tokenwell_client_free(client);

        DEMAND(get_status(other, 0, NULL) == TOKENWELL_STATUS_OK);
        tokenwell_client_free(other);
        for (uint64_t started = now_ms(); !atomic_load(&child_vault.destroyed) && now_ms() - started < 20000;) pause_ms(1);
        DEMAND(atomic_load(&child_vault.destroyed) == 1);
        _exit(0);
    }
    waitpid(child, &ended, 0);
    CHECK_INT(0, WIFEXITED(ended) ? WEXITSTATUS(ended) : -1);

    CHECK_INT(TOKENWELL_STATUS_OK, provide(atomic_load(&self.kept), the_secret()));
    pthread_join(waiting.thread, NULL);
    CHECK_INT(TOKENWELL_STATUS_OK, waiting.status);
    CHECK_UINT(0, atomic_load(&child_vault.destroyed));
    end(client, &self);
    end(other, &child_vault);
}

const test secret_callback_tests[] = {
    TEST(a_callback_that_answers_immediately_delivers_the_secret),
    TEST(all_callers_share_an_answer_that_comes_later_from_another_thread),
    TEST(a_rejected_secret_is_asked_for_again),
    TEST(a_secret_that_is_rotated_during_a_cooldown_is_used_before_its_end),
    TEST(the_message_of_a_callback_that_fails_is_in_the_error),
    TEST(a_request_without_an_answer_fails_the_refresh),
    TEST(a_shorter_deadline_says_what_the_call_waited_for),
    TEST(a_callback_that_does_not_return_is_not_called_again),
    TEST(a_callback_cannot_use_the_client_that_waits_for_it),
    TEST(an_unusable_answer_fails_the_call_and_the_refresh),
    TEST(null_in_a_call_about_the_secret_is_named),
    TEST(a_callback_is_the_only_source_of_the_secret),
    TEST(a_replaced_or_removed_callback_is_destroyed_once),
    TEST(close_does_not_wait_for_an_answer),
    NATIVE_TEST(a_forked_child_makes_its_own_requests, "valgrind would follow the child and report memory that the child leaves to its end on purpose"),
    END_OF_TESTS,
};
