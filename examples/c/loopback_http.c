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

    /* With HTTP/1.0 the server closes the connection after the response and does not chunk it. */
    static const char format[] = "%s %s HTTP/1.0\r\nHost: %s\r\n%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s";
    size_t body_length = body ? strlen(body) : 0;
    int length = snprintf(NULL, 0, format, method, path, host, headers, body_length, body ? body : "");
    char *request = malloc((size_t)length + 1);
    char *answer = NULL;
    if (request) {
        snprintf(request, (size_t)length + 1, format, method, path, host, headers, body_length, body ? body : "");
        if (send_all(fd, request, (size_t)length) == 0) answer = read_all(fd);
        free(request);
    }
    close(fd);

    char *head_end = answer ? strstr(answer, "\r\n\r\n") : NULL;
    if (!head_end || sscanf(answer, "HTTP/1.%*d %d", &reply->status) != 1) {
        free(answer);
        *problem = "the server closed the connection without a complete HTTP response";
        return -1;
    }
    memmove(answer, head_end + 4, strlen(head_end + 4) + 1);
    reply->body = answer;
    return 0;
}

int loopback_address(const char *base, struct sockaddr_storage *address, socklen_t *length, char *host, size_t host_size, const char **problem)
{
    static const struct { const char *prefix; const char *name; int family; } allowed[] = {
        {"http://127.0.0.1:", "127.0.0.1", AF_INET}, {"http://localhost:", "localhost", AF_INET}, {"http://[::1]:", "[::1]", AF_INET6},
    };
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        size_t prefix = strlen(allowed[i].prefix);
        if (strncmp(base, allowed[i].prefix, prefix) != 0) continue;

        char *end;
        unsigned long port = strtoul(base + prefix, &end, 10);
        if (base[prefix] < '0' || base[prefix] > '9' || port == 0 || port > 65535 || (*end && strcmp(end, "/") != 0)) break;

        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        v6.sin6_addr = in6addr_loopback;
        int is_v4 = allowed[i].family == AF_INET;
        *length = is_v4 ? sizeof v4 : sizeof v6;
        memset(address, 0, sizeof *address);
        memcpy(address, is_v4 ? (const void *)&v4 : (const void *)&v6, *length);
        snprintf(host, host_size, "%s:%lu", allowed[i].name, port);
        return 0;
    }
    *problem = "unsupported base URL: this program supports only plain http to a loopback address with a port (http://127.0.0.1:PORT), "
               "like the base URL of the emulator; use an HTTP library with TLS for other servers";
    return -1;
}

/* Opens the connection and writes the value of the Host header, "host:port", to `host`. */
static int connect_to(const char *base, char *host, size_t host_size, const char **problem)
{
    struct sockaddr_storage address;
    socklen_t length;
    if (loopback_address(base, &address, &length, host, host_size, problem) != 0) return -1;

    int fd = socket(address.ss_family, SOCK_STREAM, 0);
    struct timeval timeout = {.tv_sec = 60};
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, length) != 0) {
        if (fd >= 0) close(fd);
        *problem = "cannot connect: check that the emulator is running and that MONGODB_ATLAS_BASE_URL is its base URL";
        return -1;
    }
    return fd;
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
    char *buffer = malloc(size);
    while (buffer) {
        ssize_t got = recv(fd, buffer + length, size - length - 1, 0);
        if (got <= 0) {
            buffer[length] = '\0';
            return buffer;
        }
        length += (size_t)got;
        if (size - length < 2) {
            char *larger = realloc(buffer, size *= 2);
            if (!larger) free(buffer);
            buffer = larger;
        }
    }
    return NULL;
}
