/* A library of another version, as far as a program can tell before it uses it. */
#include <stdint.h>

uint32_t tokenwell_abi_version(void) { return 9; }
const char *tokenwell_version(void) { return "9.9.9"; }
int tokenwell_newer_function(void) { return 0; }
