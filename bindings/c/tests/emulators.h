/*
 * Emulators that a test starts for itself: one that speaks plain http or TLS, and a relay in front of it that keeps each connection waiting.
 * The relay makes refreshes slow in TLS too, where no fault can be set: the control API is reached over plain http only.
 */
#ifndef EMULATORS_H
#define EMULATORS_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    char fast[64], slow[64]; /* base URLs: the emulator itself, and the relay */
    char ca_file[512];       /* empty without TLS */
    pid_t emulator, relay;
    int emulator_stdin, relay_lifeline; /* both end when these are closed, so that a killed test leaves nothing behind */
} emulators;

/* `directory` is where the certificate goes. Ends the program when the emulator does not start. */
emulators start_emulators(bool tls, const char *directory);
void stop_emulators(emulators *running);

#endif
