/*
 * A minimal HTTP client for the examples and tests: one request over a plain socket, to loopback
 * only. Use an HTTP library with TLS in other programs.
 */
#ifndef LOOPBACK_HTTP_H
#define LOOPBACK_HTTP_H

/* The reply to one request. Release `body` with free(). */
typedef struct {
    int status; /* 200 */
    char *body; /* NUL-terminated; never NULL after success */
} loopback_reply;

/*
 * Sends METHOD {base}{path} and reads the complete reply.
 *
 * `base`: http://127.0.0.1:PORT, http://localhost:PORT or http://[::1]:PORT. Other URLs are
 *         rejected before a byte is sent, because a bearer token must never cross a network
 *         unencrypted.
 * `headers`: complete header lines, each terminated by \r\n; may be "".
 * `body`: sent as application/json; NULL sends no body.
 *
 * Returns 0 and fills `reply`, or returns -1 and points `problem` to a static string that describes
 * the error (never NULL).
 */
int loopback_http(const char *method, const char *base, const char *path, const char *headers, const char *body,
                  loopback_reply *reply, const char **problem);

#endif
