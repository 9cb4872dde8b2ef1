/*
 * LD_PRELOAD: a file system that hangs, and a measure of how long an event loop does not wait.
 *
 * SLOW_DIRECTORY: every open, flock and read of a file below it takes SLOW_MS, on whatever thread.
 * LOOP_REPORT: a file. The time between the end of one wait for events of the main thread
 * (epoll_wait, epoll_pwait or poll) and the begin of its next one is how late a ticker on this loop
 * can be. Each new maximum is appended to the file: nanoseconds, and the name of the wait. So are
 * the waits of this thread for locks, as "futex".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t waited_until, longest, longest_futex;

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

/* Declares `real`, the function of this type in the C library. ISO C has no conversion from an
 * object pointer to a function pointer. */
#define REAL(like, name) \
    __typeof__(&like) real; \
    do { \
        void *found_ = next(name); \
        memcpy(&real, &found_, sizeof real); \
    } while (0)

/* ---- the hanging file system ---- */

static int is_slow_path(const char *path)
{
    const char *slow = getenv("SLOW_DIRECTORY");
    return slow && path && strncmp(path, slow, strlen(slow)) == 0;
}

static int is_slow_descriptor(int fd)
{
    char link[64], path[1024];
    if (!getenv("SLOW_DIRECTORY") || fd < 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = '\0';
    return is_slow_path(path);
}

static void hang(void)
{
    const char *ms = getenv("SLOW_MS");
    unsigned long long left = ms ? strtoull(ms, NULL, 10) : 3000;
    struct timespec pause = {.tv_sec = (time_t)(left / 1000), .tv_nsec = (long)(left % 1000) * 1000000};
    int before = errno;
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {}
    errno = before;
}

static int open_at(const char *name, int directory, const char *path, int flags, mode_t mode)
{
    REAL(openat, name);
    if (path && path[0] == '/' ? is_slow_path(path) : is_slow_descriptor(directory)) hang();
    return real(directory, path, flags, mode);
}

#define MODE_OF(flags, mode) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) { MODE_OF(flags, mode) return open_at("openat", AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags, mode) return open_at("openat64", AT_FDCWD, path, flags, mode); }
int openat(int directory, const char *path, int flags, ...) { MODE_OF(flags, mode) return open_at("openat", directory, path, flags, mode); }
int openat64(int directory, const char *path, int flags, ...) { MODE_OF(flags, mode) return open_at("openat64", directory, path, flags,
                                                                                                    mode); }

int flock(int fd, int operation)
{
    REAL(flock, "flock");
    if (is_slow_descriptor(fd)) hang();
    return real(fd, operation);
}

ssize_t read(int fd, void *bytes, size_t size)
{
    REAL(read, "read");
    if (is_slow_descriptor(fd)) hang();
    return real(fd, bytes, size);
}

/* ---- the loop ---- */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int is_loop(int timeout)
{
    return getenv("LOOP_REPORT") && getpid() == gettid() && timeout != 0;
}

static void append(uint64_t took, const char *name, uint64_t *maximum)
{
    if (took <= *maximum) return;
    *maximum = took;
    char line[100];
    int length = snprintf(line, sizeof line, "%llu %s\n", (unsigned long long)took, name);
    REAL(openat, "openat");
    int fd = real(AT_FDCWD, getenv("LOOP_REPORT"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, (size_t)length) != length) abort();
    close(fd);
}

static void wait_begins(const char *name)
{
    if (waited_until) append(now_ns() - waited_until, name, &longest);
}

#define MEASURED(name, timeout, call) \
    int loop = is_loop(timeout); \
    if (loop) wait_begins(name); \
    int result = call; \
    if (loop) waited_until = now_ns(); \
    return result;

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
    REAL(epoll_wait, "epoll_wait");
    MEASURED("epoll_wait", timeout, real(fd, events, count, timeout))
}

int epoll_pwait(int fd, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
    REAL(epoll_pwait, "epoll_pwait");
    MEASURED("epoll_pwait", timeout, real(fd, events, count, timeout, mask))
}

int poll(struct pollfd *watched, nfds_t count, int timeout)
{
    REAL(poll, "poll");
    MEASURED("poll", timeout, real(watched, count, timeout))
}

/* What poll() is called in a library that was compiled with _FORTIFY_SOURCE. */
int __poll_chk(struct pollfd *watched, nfds_t count, int timeout, size_t size)
{
    (void)size;
    return poll(watched, count, timeout);
}

/* The shutdown begins here. Afterwards the loop has ended, and the program waits for what still runs. */
int tokenwell_client_close(void *client, void **error)
{
    REAL(tokenwell_client_close, "tokenwell_client_close");
    if (getpid() == gettid()) waited_until = 0;
    return real(client, error);
}

/* How Rust waits for locks. */
long syscall(long number, ...)
{
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
    va_end(rest);
    REAL(syscall, "syscall");
    long command = a[1] & FUTEX_CMD_MASK;
    int waits = number == SYS_futex && (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET) && waited_until &&
                getenv("LOOP_REPORT") && getpid() == gettid();
    uint64_t before = waits ? now_ns() : 0;
    long result = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (waits) {
        int problem = errno;
        append(now_ns() - before, "futex", &longest_futex);
        errno = problem;
    }
    return result;
}
