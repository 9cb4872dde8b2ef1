/*
 * The C shim of the shared test vectors: reads one request per line and writes one answer per line.
 * tests/vectors/README.md describes the protocol. The shim only translates it to C calls.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenwell.h>

/* The bytes of a string field and their length. */
typedef struct { char *bytes; size_t length; } text;
typedef struct setting { text name, value; struct setting *next; } setting;

/* The result of one get. Exactly one of the two is set. */
typedef struct { tokenwell_token *token; tokenwell_error *error; } outcome;

static setting *settings;
static tokenwell_client *client;

static void do_set(char **fields);
static void do_client(int from_environment);
static void do_token(char **fields, int header);
static void do_together(char **fields);
static void do_loop(uint64_t count);
static void do_request(char **fields);
static void do_stats(void);
static void do_base_url(void);
static void do_sources(void);
static tokenwell_client *make_client(int from_environment, tokenwell_error **error);
static void forget_settings(void);
static outcome get(uint64_t min_ttl_ms, uint64_t deadline_ms, uint32_t flags);
static void answer_many(outcome *outcomes, size_t count);
static void answer_done(tokenwell_error *error);
static void answer_error(tokenwell_error *error);
static uint64_t number(const char *field);
static text read_text(const char *field);
static void write_text(const char *bytes, size_t length);
static void *must(void *memory);
static void broken(const char *why);

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    while ((length = getline(&line, &size, stdin)) > 0) {
        if (line[length - 1] == '\n') line[length - 1] = '\0';
        char *fields[9] = {0}, *rest = NULL;
        size_t count = 0;
        for (char *field = strtok_r(line, " ", &rest); field && count < 8; field = strtok_r(NULL, " ", &rest)) fields[count++] = field;
        if (count == 0) broken("an empty request");
        const char *verb = fields[0];
        tokenwell_error *error = NULL;

        if (strcmp(verb, "quit") == 0) break;
        if (strcmp(verb, "hello") == 0) {
            printf("ok c %s\n", tokenwell_version());
        } else if (strcmp(verb, "set") == 0 && count == 3) {
            do_set(fields + 1);
        } else if (strcmp(verb, "client") == 0 && count == 2) {
            do_client(strcmp(fields[1], "1") == 0);
        } else if (!client) {
            broken("a call before a client exists, or an unknown request");
        } else if (strcmp(verb, "token") == 0 && count == 4) {
            do_token(fields + 1, 0);
        } else if (strcmp(verb, "authorization") == 0) {
            do_token((char *[]){"-", "-", "0"}, 1);
        } else if (strcmp(verb, "together") == 0 && count == 5) {
            do_together(fields + 1);
        } else if (strcmp(verb, "loop") == 0 && count == 2) {
            do_loop(number(fields[1]));
        } else if (strcmp(verb, "invalidate") == 0 && count == 2) {
            text value = read_text(fields[1]);
            tokenwell_client_invalidate(client, value.bytes, value.length, &error);
            free(value.bytes);
            answer_done(error);
        } else if (strcmp(verb, "revoke") == 0 && count == 2) {
            tokenwell_client_revoke(client, number(fields[1]), &error);
            answer_done(error);
        } else if (strcmp(verb, "request") == 0 && count == 8) {
            do_request(fields + 1);
        } else if (strcmp(verb, "stats") == 0) {
            do_stats();
        } else if (strcmp(verb, "base_url") == 0) {
            do_base_url();
        } else if (strcmp(verb, "sources") == 0) {
            do_sources();
        } else if (strcmp(verb, "advance") == 0 && count == 2) {
            tokenwell_client_advance_clock(client, number(fields[1]), &error);
            answer_done(error);
        } else if (strcmp(verb, "close") == 0) {
            tokenwell_client_close(client, &error);
            answer_done(error);
        } else {
            broken("an unknown request, or one with fields missing");
        }
        fflush(stdout);
    }

    free(line);
    forget_settings();
    tokenwell_client_free(client);
    puts("ok");
    return 0;
}

static void do_set(char **fields)
{
    setting *last = must(calloc(1, sizeof *last)), **end = &settings;
    last->name = read_text(fields[0]);
    last->value = read_text(fields[1]);
    while (*end) end = &(*end)->next;
    *end = last;
    puts("ok");
}

static void do_client(int from_environment)
{
    tokenwell_client_free(client);
    tokenwell_error *error = NULL;
    client = make_client(from_environment, &error);
    forget_settings();
    answer_done(error);
}

static void do_token(char **fields, int header)
{
    outcome got = get(number(fields[0]), number(fields[1]), strcmp(fields[2], "1") == 0 ? TOKENWELL_FORCE_REFRESH : 0);
    if (!got.token) {
        answer_error(got.error);
        return;
    }
    size_t length = 0;
    const char *bytes = header ? tokenwell_token_authorization(got.token, &length) : tokenwell_token_value(got.token, &length);
    printf("ok ");
    write_text(bytes, length);
    if (!header) printf(" %" PRId64, tokenwell_token_expires_at_ms(got.token));
    putchar('\n');
    tokenwell_token_free(got.token);
}

/* One caller of `together`. */
typedef struct { pthread_t thread; pthread_barrier_t *barrier; uint64_t min_ttl_ms, deadline_ms; uint32_t flags; outcome got; } caller;

static void *call_at_the_barrier(void *data)
{
    caller *self = data;
    pthread_barrier_wait(self->barrier);
    self->got = get(self->min_ttl_ms, self->deadline_ms, self->flags);
    return NULL;
}

static void do_together(char **fields)
{
    size_t count = (size_t)number(fields[0]);
    uint32_t flags = strcmp(fields[3], "1") == 0 ? TOKENWELL_FORCE_REFRESH : 0;
    if (count == 0) broken("together needs at least one caller");
    caller *callers = must(calloc(count, sizeof *callers));
    outcome *outcomes = must(calloc(count, sizeof *outcomes));
    pthread_barrier_t barrier;
    pthread_attr_t small_stack;
    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    pthread_attr_init(&small_stack);
    pthread_attr_setstacksize(&small_stack, 512 * 1024);

    for (size_t i = 0; i < count; i++) {
        callers[i] = (caller){.barrier = &barrier, .min_ttl_ms = number(fields[1]), .deadline_ms = number(fields[2]), .flags = flags};
        if (pthread_create(&callers[i].thread, &small_stack, call_at_the_barrier, &callers[i]) != 0) broken("cannot create a thread");
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(callers[i].thread, NULL);
        outcomes[i] = callers[i].got;
    }
    answer_many(outcomes, count);

    pthread_attr_destroy(&small_stack);
    pthread_barrier_destroy(&barrier);
    free(outcomes);
    free(callers);
}

static void do_loop(uint64_t count)
{
    outcome *outcomes = must(calloc((size_t)count + 1, sizeof *outcomes));
    for (uint64_t i = 0; i < count; i++) outcomes[i] = get(0, 0, 0);
    answer_many(outcomes, (size_t)count);
    free(outcomes);
}

/* Sets what the fields give: VERSION QUERY BODY MAX_BODY. */
static void fill_request(tokenwell_api_request *request, char **fields, tokenwell_error **error)
{
    tokenwell_status status = TOKENWELL_STATUS_OK;
    if (strcmp(fields[0], "-") != 0) {
        text version = read_text(fields[0]);
        status = tokenwell_api_request_set_version(request, version.bytes, version.length, error);
        free(version.bytes);
    }
    char *rest = NULL;
    for (char *pair = strcmp(fields[1], "-") == 0 ? NULL : strtok_r(fields[1], ",", &rest); pair && !status; pair = strtok_r(NULL, ",", &rest)) {
        char *equals = strchr(pair, '=');
        if (!equals) broken("a query parameter without a value");
        *equals = '\0';
        text name = read_text(pair), value = read_text(equals + 1);
        status = tokenwell_api_request_add_query(request, name.bytes, name.length, value.bytes, value.length, error);
        free(name.bytes), free(value.bytes);
    }
    if (!status && strcmp(fields[2], "-") != 0) {
        text body = read_text(fields[2]);
        status = tokenwell_api_request_set_body(request, body.bytes, body.length, error);
        free(body.bytes);
    }
    if (!status && strcmp(fields[3], "-") != 0) tokenwell_api_request_set_max_body(request, number(fields[3]), error);
}

static void do_request(char **fields)
{
    tokenwell_api_request *request = NULL;
    tokenwell_api_response *response = NULL;
    tokenwell_error *error = NULL;
    text method = read_text(fields[0]), path = read_text(fields[1]);
    tokenwell_api_request_new(method.bytes, method.length, path.bytes, path.length, &request, &error);
    free(method.bytes), free(path.bytes);
    if (!error) fill_request(request, fields + 2, &error);
    if (!error) tokenwell_client_request(client, request, number(fields[6]), &response, &error);
    tokenwell_api_request_free(request);
    if (error) {
        answer_error(error);
        return;
    }
    size_t length = 0;
    printf("response %" PRId32 " ", tokenwell_api_response_status(response));
    const char *bytes = tokenwell_api_response_body(response, &length);
    write_text(bytes, length);
    for (size_t i = 0; i < tokenwell_api_response_header_count(response); i++) {
        bytes = tokenwell_api_response_header_name(response, i, &length);
        putchar(' ');
        write_text(bytes, length);
        bytes = tokenwell_api_response_header_value(response, i, &length);
        putchar('=');
        write_text(bytes, length);
    }
    putchar('\n');
    tokenwell_api_response_free(response);
}

static void do_stats(void)
{
    tokenwell_stats stats;
    tokenwell_error *error = NULL;
    if (tokenwell_client_stats(client, &stats, sizeof stats, &error) != TOKENWELL_STATUS_OK) {
        answer_error(error);
        return;
    }
    printf("stats hits=%" PRIu64 " waits=%" PRIu64 " refreshes=%" PRIu64 " mints=%" PRIu64, stats.hits, stats.waits, stats.refreshes, stats.mints);
    printf(" mint_failures=%" PRIu64 " stale_served=%" PRIu64, stats.mint_failures, stats.stale_served);
    printf(" cooldown_answers=%" PRIu64 " invalidations=%" PRIu64 "\n", stats.cooldown_answers, stats.invalidations);
}

static void do_base_url(void)
{
    size_t length = 0;
    const char *url = tokenwell_client_base_url(client, &length);
    printf("ok ");
    if (url) write_text(url, length); else putchar('-');
    putchar('\n');
}

static void do_sources(void)
{
    const char *name, *source;
    printf("sources");
    for (size_t i = 0; (name = tokenwell_client_setting(client, i, &source)) != NULL; i++) {
        printf(" %s=", name);
        write_text(source, strlen(source));
    }
    putchar('\n');
}

static tokenwell_client *make_client(int from_environment, tokenwell_error **error)
{
    tokenwell_config *config = NULL;
    tokenwell_client *made = NULL;
    tokenwell_status status = tokenwell_config_new(&config, error);
    if (status == TOKENWELL_STATUS_OK && from_environment) status = tokenwell_config_use_environment(config, error);
    for (setting *each = settings; status == TOKENWELL_STATUS_OK && each; each = each->next) {
        status = tokenwell_config_set(config, each->name.bytes, each->name.length, each->value.bytes, each->value.length, error);
    }
    if (status == TOKENWELL_STATUS_OK) tokenwell_client_new(config, &made, error);
    tokenwell_config_free(config);
    return made;
}

static void forget_settings(void)
{
    while (settings) {
        setting *next = settings->next;
        free(settings->name.bytes);
        free(settings->value.bytes);
        free(settings);
        settings = next;
    }
}

static outcome get(uint64_t min_ttl_ms, uint64_t deadline_ms, uint32_t flags)
{
    outcome got = {NULL, NULL};
    tokenwell_client_token(client, min_ttl_ms, deadline_ms, flags, &got.token, &got.error);
    return got;
}

static int by_value(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Counts the outcomes, answers and frees them. */
static void answer_many(outcome *outcomes, size_t count)
{
    const char **values = must(calloc(count + 1, sizeof *values));
    const char *first_value = NULL, *first_failure = NULL;
    size_t succeeded = 0, distinct = 0;

    for (size_t i = 0; i < count; i++) {
        if (outcomes[i].token) {
            values[succeeded++] = tokenwell_token_value(outcomes[i].token, NULL);
            if (!first_value) first_value = values[0];
        } else if (!first_failure) {
            first_failure = tokenwell_error_name(outcomes[i].error);
        }
    }
    qsort(values, succeeded, sizeof *values, by_value);
    for (size_t i = 0; i < succeeded; i++) distinct += i == 0 || strcmp(values[i - 1], values[i]) != 0;

    printf("many %zu %zu ", succeeded, distinct);
    if (first_value) write_text(first_value, strlen(first_value)); else putchar('-');
    printf(" %zu %s\n", count - succeeded, first_failure ? first_failure : "-");

    for (size_t i = 0; i < count; i++) {
        tokenwell_token_free(outcomes[i].token);
        tokenwell_error_free(outcomes[i].error);
    }
    free(values);
}

static void answer_done(tokenwell_error *error)
{
    if (error) answer_error(error); else puts("ok");
}

static void answer_error(tokenwell_error *error)
{
    int32_t http_status = tokenwell_error_http_status(error);
    int64_t retry_after_ms = tokenwell_error_retry_after_ms(error);
    size_t message_length = 0, hint_length = 0;
    const char *message = tokenwell_error_message(error, &message_length), *hint = tokenwell_error_hint(error, &hint_length);

    printf("error %" PRId32 " %s ", tokenwell_error_status(error), tokenwell_error_name(error));
    if (http_status) printf("%" PRId32 " ", http_status); else printf("- ");
    if (retry_after_ms >= 0) printf("%" PRId64 " ", retry_after_ms); else printf("- ");
    write_text(message, message_length);
    putchar(' ');
    write_text(hint, hint_length);
    putchar(' ');
    /* C has no string form of its own: the message is the one that programs print. */
    write_text(message, message_length);
    putchar(' ');
    const char *code = tokenwell_error_oauth_code(error, &message_length);
    if (code) write_text(code, message_length); else putchar('-');
    printf(" %" PRId32 " %" PRId64 " %" PRIu32 "\n", tokenwell_error_is_remembered(error), tokenwell_error_age_ms(error),
           tokenwell_error_attempts(error));
    tokenwell_error_free(error);
}

/* A number field. A missing field is 0, as in the C API. */
static uint64_t number(const char *field)
{
    return strcmp(field, "-") == 0 ? 0 : strtoull(field, NULL, 10);
}

static int nibble(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return -1;
}

static text read_text(const char *field)
{
    size_t digits = strlen(field);
    if (field[0] != 'x' || digits % 2 != 1) broken("a string field must be x and pairs of hexadecimal digits");
    text read = {must(malloc(digits / 2 + 1)), digits / 2};
    for (size_t i = 0; i < read.length; i++) {
        int high = nibble(field[1 + 2 * i]), low = nibble(field[2 + 2 * i]);
        if (high < 0 || low < 0) broken("a string field must be x and pairs of hexadecimal digits");
        read.bytes[i] = (char)(high * 16 + low);
    }
    read.bytes[read.length] = '\0';
    return read;
}

static void write_text(const char *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    putchar('x');
    for (size_t i = 0; i < length; i++) {
        putchar(digits[(unsigned char)bytes[i] >> 4]);
        putchar(digits[(unsigned char)bytes[i] & 15]);
    }
}

static void *must(void *memory)
{
    if (!memory) broken("out of memory");
    return memory;
}

static void broken(const char *why)
{
    fprintf(stderr, "c shim: %s\n", why);
    exit(2);
}
