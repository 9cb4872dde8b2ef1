/* tokenwell_emulator.h, compiled alone as C99 and as C++11, with the command that TOKENWELL_BIN names. */
#include <tokenwell_emulator.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static int failed;

static void expect(int condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "failed: %s\n", what);
    failed = 1;
}

/* Whether the emulator at this base URL reports that it is healthy. */
static int is_healthy(const char *base_url)
{
    static const char request[] = "GET /_emulator/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    char reply[64];
    size_t length = 0;
    ssize_t received;
    const char *colon = strrchr(base_url, ':');
    struct sockaddr_in address;
    int connection = socket(AF_INET, SOCK_STREAM, 0), healthy = 0;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)strtoul(colon ? colon + 1 : "0", NULL, 10));
    if (connection >= 0 && connect(connection, (struct sockaddr *)&address, sizeof address) == 0 &&
        write(connection, request, sizeof request - 1) == (ssize_t)(sizeof request - 1)) {
        while (length < sizeof reply - 1 && (received = read(connection, reply + length, sizeof reply - 1 - length)) > 0) length += (size_t)received;
        reply[length] = '\0';
        healthy = strncmp(reply, "HTTP/1.1 200", 12) == 0;
    }
    if (connection >= 0) close(connection);
    return healthy;
}

int main(void)
{
    static const char *const flags[] = {"--tls", "--ca-file", NULL, NULL}, *const wrong_flags[] = {"--no-such-flag", NULL};
    const char *secure_flags[4];
    char directory[] = "/tmp/tokenwell it's XXXXXX", ca_file[64], value[256];
    tokenwell_emulator first, second, none;

    expect(tokenwell_emulator_start(&first, NULL, NULL) == 0, "an emulator starts");
    expect(tokenwell_emulator_get(&first, "MONGODB_ATLAS_BASE_URL", value, sizeof value) == 0 && is_healthy(value), "it serves");
    expect(tokenwell_emulator_setenv(&first) == 0 && getenv("MONGODB_ATLAS_BASE_URL") && strcmp(getenv("MONGODB_ATLAS_BASE_URL"), value) == 0,
           "the variables are set");
    expect(getenv("MONGODB_ATLAS_CLIENT_SECRET") && getenv("TOKENWELL_CACHE_DIR"), "all variables are set");
    expect(tokenwell_emulator_get(&first, "MONGODB_ATLAS", value, sizeof value) == -1, "a part of a name is no name");
    expect(tokenwell_emulator_get(&first, "MONGODB_ATLAS_ORG_ID", value, 24) == -1, "a buffer that is too small");
    expect(tokenwell_emulator_get(&first, "MONGODB_ATLAS_ORG_ID", value, 25) == 0 && strlen(value) == 24, "a buffer that is large enough");

    expect(mkdtemp(directory) != NULL, "a directory");
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", directory);
    memcpy(secure_flags, flags, sizeof secure_flags);
    secure_flags[2] = ca_file;
    expect(tokenwell_emulator_start(&second, NULL, secure_flags) == 0, "another emulator starts");
    expect(tokenwell_emulator_get(&second, "TOKENWELL_CA_FILE", value, sizeof value) == 0 && strcmp(value, ca_file) == 0, "a value with quotes");
    tokenwell_emulator_stop(&second);
    unlink(ca_file);
    rmdir(directory);

    tokenwell_emulator_get(&first, "MONGODB_ATLAS_BASE_URL", value, sizeof value);
    expect(is_healthy(value), "the first one still serves");
    tokenwell_emulator_stop(&first);
    tokenwell_emulator_stop(&first);
    expect(!is_healthy(value), "it has ended");

    expect(tokenwell_emulator_start(&none, NULL, wrong_flags) == -1, "a wrong flag is an error");
    expect(tokenwell_emulator_start(&none, "/nonexistent/tokenwell", NULL) == -1, "a missing command is an error");
    return failed;
}
