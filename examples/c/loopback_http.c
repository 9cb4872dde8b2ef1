#define _POSIX_C_SOURCE 200809L
#include "loopback_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int connect_to(const char *base, char *host, size_t host_size, const char **problem);
static int send_all(int fd, const char *bytes, size_t length);
static char *read_all(int fd);

int loopback_http(const char *method, const char *base, const char *path, const char *headers, const char *body,
                  loopback_reply *reply, const char **problem)
{
    char host[64];
    int fd = connect_to(base, host, sizeof host, problem);
    if (fd < 0) return -1;

    /* HTTP/1.0: the server closes the connection after its reply and never sends it in chunks. */
    static const char form[] = "%s %s HTTP/1.0\r\nHost: %s\r\n%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s";
    size_t body_length = body ? strlen(body) : 0;
    int length = snprintf(NULL, 0, form, method, path, host, headers, body_length, body ? body : "");
    char *request = malloc((size_t)length + 1);
    char *answer = NULL;
    if (request) {
        snprintf(request, (size_t)length + 1, form, method, path, host, headers, body_length, body ? body : "");
        if (send_all(fd, request, (size_t)length) == 0) answer = read_all(fd);
        free(request);
    }
    close(fd);

    char *head_end = answer ? strstr(answer, "\r\n\r\n") : NULL;
    if (!head_end || sscanf(answer, "HTTP/1.%*d %d", &reply->status) != 1) {
        free(answer);
        *problem = "the server closed the connection before a complete HTTP reply";
        return -1;
    }
    memmove(answer, head_end + 4, strlen(head_end + 4) + 1);
    reply->body = answer;
    return 0;
}

/* Opens the connection and writes "host:port" to `host` for the Host header. */
static int connect_to(const char *base, char *host, size_t host_size, const char **problem)
{
    static const struct { const char *prefix; const char *name; int family; } allowed[] = {
        {"http://127.0.0.1:", "127.0.0.1", AF_INET}, {"http://localhost:", "localhost", AF_INET}, {"http://[::1]:", "[::1]", AF_INET6},
    };
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        size_t length = strlen(allowed[i].prefix);
        if (strncmp(base, allowed[i].prefix, length) != 0) continue;

        char *end;
        unsigned long port = strtoul(base + length, &end, 10);
        if (base[length] < '0' || base[length] > '9' || port == 0 || port > 65535 || (*end && strcmp(end, "/") != 0)) break;

        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        v6.sin6_addr = in6addr_loopback;
        int is_v4 = allowed[i].family == AF_INET;
        const struct sockaddr *address = is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
        socklen_t address_length = is_v4 ? sizeof v4 : sizeof v6;

        int fd = socket(allowed[i].family, SOCK_STREAM, 0);
        struct timeval patience = {.tv_sec = 60};
        if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (fd < 0 || connect(fd, address, address_length) != 0) {
            if (fd >= 0) close(fd);
            *problem = "cannot connect: check that the emulator is running and that the environment has its base URL";
            return -1;
        }
        snprintf(host, host_size, "%s:%lu", allowed[i].name, port);
        return fd;
    }
    *problem = "refused: this program only supports plain http to a loopback address with a port (http://127.0.0.1:PORT), like the "
               "base URL of the emulator; use an HTTP library with TLS for other URLs";
    return -1;
}

static int send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0) return -1;
        bytes += sent;
        length -= (size_t)sent;
    }
    return 0;
}

static char *read_all(int fd)
{
    size_t size = 4096, length = 0;
    char *text = malloc(size);
    while (text) {
        ssize_t got = recv(fd, text + length, size - length - 1, 0);
        if (got <= 0) {
            text[length] = '\0';
            return text;
        }
        length += (size_t)got;
        if (size - length < 2) {
            char *more = realloc(text, size *= 2);
            if (!more) free(text);
            text = more;
        }
    }
    return NULL;
}
