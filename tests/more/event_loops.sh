#!/bin/sh
# The example programs with event loops never block their loop, while the server, the cache directory and the file of the secret each hang for 3 s.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
need strace "it shows the system calls of the thread that runs the loop; install strace"
[ "$(uname -s)" = Linux ] || { skip "the programs use epoll, and strace is for Linux"; finish event_loops; exit; }
pkg-config --exists libuv || skip "libuv is missing: its example is not tested; install libuv1-dev"
pkg-config --exists libcurl || skip "libcurl is missing: its example is not tested; install libcurl4-openssl-dev"
make -s -C bindings/c PREFIX="$DIST" examples || exit 1
"$CC" -std=c11 -Wall -Wextra -Werror -O1 -shared -fPIC tests/more/event_loops/slow_files.c -o "$work/slow_files.so" -ldl || exit 1
"$CC" -std=c11 -Wall -Wextra -Werror -O1 -g -I"$DIST/include" tests/more/event_loops/blocking_loop.c \
    -L"$DIST/lib" -ltokenwell -Wl,-rpath,"$DIST/lib" -o "$work/blocking_loop" || exit 1
for program in blocking_loop epoll_server uv_server curl_fetch; do
    path=bindings/c/build/$program
    [ "$program" = blocking_loop ] && path=$work/blocking_loop
    [ -x "$path" ] || continue
    for part in tick trace; do
        check "$program, $part" "$PYTHON" tests/more/event_loops/run.py "$part" "$path" "$work/slow_files.so"
    done
done
finish event_loops
