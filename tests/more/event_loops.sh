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
programs="blocking_loop $(cd bindings/c/build && ls epoll_server uv_server curl_fetch 2>/dev/null)"
observe() { # observe PART PROGRAM
    path=bindings/c/build/$2
    [ "$2" = blocking_loop ] && path=$work/blocking_loop
    "$PYTHON" tests/more/event_loops/run.py "$1" "$path" "$work/slow_files.so" >"$work/$1-$2" 2>&1
    echo $? >"$work/$1-$2.status"
}
observed() { # observed PART PROGRAM
    cat "$work/$1-$2"
    return "$(cat "$work/$1-$2.status")"
}
# All programs at the same time: they wait for files and servers that hang.
for part in tick trace; do
    for program in $programs; do observe "$part" "$program" & done
    wait
    for program in $programs; do check "$program, $part" observed "$part" "$program"; done
done
finish event_loops
