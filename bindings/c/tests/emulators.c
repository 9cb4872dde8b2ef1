/* See emulators.h. */
#define _GNU_SOURCE
#include "emulators.h"
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * In TLS two parts of a reply are delayed, so a token takes up to twice the longest delay. A forked
 * child may have to wait for three tokens in a row: one that its parent obtains and immediately
 * invalidates, and two that it obtains itself if it invalidates the first. All three must take less
 * than a second.
 */
enum { CONNECTIONS = 128, SHORTEST_DELAY_MS = 50, LONGEST_DELAY_MS = 120 };

static void relay(int listener, unsigned short port, bool tls, int lifeline);

static void give_up(const char *what)
{
    fprintf(stderr, "cannot start an emulator for this test: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* Reads one assignment from what the emulator prints. */
static void take_assignment(const char *lines, const char *name, char *value, size_t size)
{
    const char *found = strstr(lines, name);
    if (!found) {
        fprintf(stderr, "the emulator printed no %s: %s\n", name, lines);
        exit(2);
    }
    found += strlen(name);
    size_t length = strcspn(found, "\n");
    if (found[0] == '\'') {
        found++;
        length = strcspn(found, "'");
    }
    if (length >= size) {
        fprintf(stderr, "too long for this test: %s\n", lines);
        exit(2);
    }
    memcpy(value, found, length);
    value[length] = '\0';
}

static int loopback_listener(unsigned short *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        give_up("a listening socket");
    }
    *port = ntohs(address.sin_port);
    return listener;
}

emulators start_emulators(bool tls, const char *directory)
{
    emulators running;
    int to_emulator[2], from_emulator[2], lifeline[2];
    const char *program = need_environment("TOKENWELL_BIN");
    memset(&running, 0, sizeof running);
    if (tls) snprintf(running.ca_file, sizeof running.ca_file, "%s/ca.pem", directory);
    if (pipe2(to_emulator, O_CLOEXEC) != 0 || pipe2(from_emulator, O_CLOEXEC) != 0 || pipe2(lifeline, O_CLOEXEC) != 0) give_up("pipes");

    running.emulator = fork();
    if (running.emulator == 0) {
        dup2(to_emulator[0], 0);
        dup2(from_emulator[1], 1);
        execl(program, program, "emulator", "--until-stdin-closes", "--no-rate-limit", "--token-cap", "10000000", tls ? "--tls" : NULL, "--ca-file",
              running.ca_file, (char *)NULL);
        fprintf(stderr, "%s: %s\n", program, strerror(errno));
        _exit(127);
    }
    if (running.emulator < 0) give_up("fork");
    close(to_emulator[0]);
    close(from_emulator[1]);
    running.emulator_stdin = to_emulator[1];

    char lines[4096] = "";
    size_t length = 0;
    FILE *output = fdopen(from_emulator[0], "r");
    if (!output) give_up("its output");
    while (!strstr(lines, "# ready\n")) {
        if (!fgets(lines + length, (int)(sizeof lines - length), output)) give_up("its assignments");
        length += strlen(lines + length);
    }
    fclose(output);
    take_assignment(lines, "MONGODB_ATLAS_BASE_URL=", running.fast, sizeof running.fast);
    if (tls) take_assignment(lines, "TOKENWELL_CA_FILE=", running.ca_file, sizeof running.ca_file);
    const char *colon = strrchr(running.fast, ':');
    unsigned short emulator_port = (unsigned short)strtoul(colon ? colon + 1 : "", NULL, 10), port;

    int listener = loopback_listener(&port);
    snprintf(running.slow, sizeof running.slow, "%s://127.0.0.1:%u", tls ? "https" : "http", port);
    running.relay = fork();
    if (running.relay == 0) {
        /* Close the inherited descriptors: another emulator exits only when its descriptors are
         * closed. */
        for (int each = 3; each < 1024; each++) {
            if (each != listener && each != lifeline[0]) close(each);
        }
        relay(listener, emulator_port, tls, lifeline[0]);
        _exit(0);
    }
    if (running.relay < 0) give_up("fork");
    close(listener);
    close(lifeline[0]);
    running.relay_lifeline = lifeline[1];
    return running;
}

void stop_emulators(emulators *running)
{
    close(running->relay_lifeline);
    close(running->emulator_stdin);
    while (waitpid(running->relay, NULL, 0) < 0 && errno == EINTR) {}
    while (waitpid(running->emulator, NULL, 0) < 0 && errno == EINTR) {}
}

/* ---- the relay ---- */

typedef struct {
    int client, server;
    unsigned hold; /* the index of the part of the reply that is delayed: in TLS it may be part of the handshake */
    uint64_t until; /* 0: not delayed yet */
    unsigned parts;
} connection;

static bool all_written(int to, const char *bytes, ssize_t length)
{
    while (length > 0) {
        ssize_t written = send(to, bytes, (size_t)length, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes += written;
        length -= written;
    }
    return true;
}

static bool passed_on(int from, int to)
{
    char bytes[16384];
    ssize_t length = recv(from, bytes, sizeof bytes, 0);
    if (length < 0 && errno == EINTR) return true;
    return length > 0 && all_written(to, bytes, length);
}

/* Returns whether the connection is still open. */
static bool relayed(connection *each, short client, short server)
{
    if (client && !passed_on(each->client, each->server)) return false;
    if (!server) return true;
    if (each->parts == each->hold && each->until == 0) {
        each->until = now_ms() + SHORTEST_DELAY_MS + (unsigned)rand() % (LONGEST_DELAY_MS - SHORTEST_DELAY_MS);
        return true;
    }
    if (now_ms() < each->until) return true;
    each->parts++;
    return passed_on(each->server, each->client);
}

static int connected_to(unsigned short port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server >= 0 && connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
        close(server);
        server = -1;
    }
    return server;
}

static void relay(int listener, unsigned short port, bool tls, int lifeline)
{
    static connection connections[CONNECTIONS];
    static struct pollfd watched[2 + 2 * CONNECTIONS];
    unsigned count = 0;
    srand(1);
    for (;;) {
        bool held = false;
        watched[0] = (struct pollfd){.fd = lifeline, .events = POLLIN};
        watched[1] = (struct pollfd){.fd = count < CONNECTIONS ? listener : -1, .events = POLLIN};
        for (unsigned i = 0; i < count; i++) {
            bool waits = now_ms() < connections[i].until;
            held = held || waits;
            watched[2 + 2 * i] = (struct pollfd){.fd = connections[i].client, .events = POLLIN};
            watched[3 + 2 * i] = (struct pollfd){.fd = waits ? -1 : connections[i].server, .events = POLLIN};
        }
        if (poll(watched, 2 + 2 * count, held ? 5 : -1) < 0) {
            if (errno == EINTR) continue;
            return;
        }
        if (watched[0].revents) return;
        for (unsigned i = count; i-- > 0;) {
            if (relayed(&connections[i], watched[2 + 2 * i].revents, watched[3 + 2 * i].revents)) continue;
            close(connections[i].client);
            close(connections[i].server);
            connections[i] = connections[--count];
        }
        if (watched[1].revents) {
            connection new = {.client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), .server = connected_to(port), .hold = tls ? (unsigned)rand() % 3 : 0};
            if (new.client >= 0 && new.server >= 0) {
                connections[count++] = new;
            } else {
                if (new.client >= 0) close(new.client);
                if (new.server >= 0) close(new.server);
            }
        }
    }
}
