/*
 * The planted fault for tests/more/event_loops.sh: a server that calls the blocking functions on its
 * loop. Both checks must find it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <tokenwell.h>
#include <unistd.h>

int main(void)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    if (tokenwell_config_new(&config, NULL) != 0 || tokenwell_config_use_environment(config, NULL) != 0 || tokenwell_client_new(config,
            &client, NULL) != 0) {
        return 1;
    }
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof here;
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    int epoll = epoll_create1(EPOLL_CLOEXEC), signals = signalfd(-1, &stop, SFD_CLOEXEC), listener = socket(AF_INET,
                                                                                                            SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) != 0 || listen(listener, 128) != 0 ||
        getsockname(listener, (struct sockaddr *)&here, &length) != 0) {
        return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = signals;
    epoll_ctl(epoll, EPOLL_CTL_ADD, signals, &event);
    printf("listening on 127.0.0.1:%u\n", ntohs(here.sin_port));
    fflush(stdout);
    while (epoll_wait(epoll, &event, 1, -1) >= 0 && event.data.fd == listener) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        tokenwell_token *token = NULL;
        /* This is the fault. */
        const char *answer = tokenwell_client_token(client, 0, 3000, 0, &token, NULL) == TOKENWELL_STATUS_OK ? "200\n" : "failed\n";
        if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0) return 1;
        tokenwell_token_free(token);
        close(fd);
    }
    tokenwell_client_free(client);
    tokenwell_config_free(config);
    return 0;
}
