/*
 * Emulators that a test starts itself: one that speaks plain http or TLS, and a relay in front of
 * it that delays each connection. With the relay, refreshes are slow in TLS too. No fault can be
 * set there, because the control API is available over plain http only.
 */
#ifndef EMULATORS_H
#define EMULATORS_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    char fast[64], slow[64]; /* base URLs: the emulator itself, and the relay */
    char ca_file[512];       /* empty without TLS */
    pid_t emulator, relay;
    int emulator_stdin, relay_lifeline; /* both exit when these are closed, so that a killed test leaves no process */
} emulators;

/* The certificate is written to `directory`. Exits the program if the emulator does not start. */
emulators start_emulators(bool tls, const char *directory);
void stop_emulators(emulators *running);

#endif
