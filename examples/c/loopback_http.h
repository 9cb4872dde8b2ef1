/*
 * The smallest HTTP client that the examples and the tests need: one request over a plain socket, to loopback only.
 * Use a real HTTP library with TLS in a real program.
 */
#ifndef LOOPBACK_HTTP_H
#define LOOPBACK_HTTP_H

/* The answer to one request. Free `body` with free(). */
typedef struct {
    int status; /* 200 */
    char *body; /* NUL-terminated; never NULL after success */
} loopback_reply;

/*
 * Sends METHOD {base}{path} and reads the whole answer.
 *
 * `base`: http://127.0.0.1:PORT, http://localhost:PORT or http://[::1]:PORT. Anything else is refused before a byte is sent,
 *         because a bearer token must never cross a network in clear text.
 * `headers`: complete header lines, each ended by \r\n; may be "".
 * `body`: sent as application/json; NULL sends none.
 *
 * Returns 0 and fills `reply`, or returns -1 and points `problem` at a text that says what went wrong (static, never NULL).
 */
int loopback_http(const char *method, const char *base, const char *path, const char *headers, const char *body,
                  loopback_reply *reply, const char **problem);

#endif
