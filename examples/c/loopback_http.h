/*
 * A minimal HTTP client for the examples and the tests: one request over a plain socket, to
 * loopback only. Use an HTTP library with TLS in a real program.
 */
#ifndef LOOPBACK_HTTP_H
#define LOOPBACK_HTTP_H

#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The response to a request. The caller releases `body` with free(). */
typedef struct {
    int status; /* 200 */
    char *body; /* NUL-terminated; never NULL after success */
} loopback_reply;

/*
 * Sends METHOD {base}{path} and reads the complete response.
 *
 * `base`: http://127.0.0.1:PORT, http://localhost:PORT or http://[::1]:PORT. Any other URL is
 *         rejected before a byte is sent, because a bearer token must never be sent over a network
 *         unencrypted.
 * `headers`: complete header lines, each terminated by \r\n; may be "".
 * `body`: sent as application/json; NULL for no body.
 *
 * Returns 0 and fills `reply`, or returns -1 and sets `problem` to a static error message.
 */
int loopback_http(const char *method, const char *base, const char *path, const char *headers, const char *body,
                  loopback_reply *reply, const char **problem);

/*
 * The socket address of a base URL that loopback_http() accepts, for programs that connect without
 * blocking. `host` receives the value of the Host header, "host:port"; 64 bytes are enough.
 *
 * Returns 0, or -1 and sets `problem` to a static error message.
 */
int loopback_address(const char *base, struct sockaddr_storage *address, socklen_t *length, char *host, size_t host_size, const char **problem);

#ifdef __cplusplus
}
#endif

#endif
