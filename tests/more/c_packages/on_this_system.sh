#!/bin/sh
# Installs the Debian packages on this system with apt, as the README says, and uses them without any path:
#   unshare --mount on_this_system.sh WORK PACKAGES
# Called in a mount namespace of its own: the changes are made in memory, above the directories of the system, and end with this process.
set -eu
work=$1 packages=$2
mkdir -p "$work/layer"
mount -t tmpfs tmpfs "$work/layer"
for directory in usr var etc; do
    mkdir -p "$work/layer/$directory/upper" "$work/layer/$directory/work"
    mount -t overlay overlay -o "lowerdir=/$directory,upperdir=$work/layer/$directory/upper,workdir=$work/layer/$directory/work" "/$directory"
done
unset PKG_CONFIG_PATH PKG_CONFIG_LIBDIR LD_LIBRARY_PATH TOKENWELL_LIBRARY TOKENWELL_BIN
export DEBIAN_FRONTEND=noninteractive APT_CONFIG="$work/apt.conf"
printf 'APT::Get::Assume-Yes "true";\nAPT::Install-Recommends "false";\nAPT::Sandbox::User "root";\n' >"$APT_CONFIG"

(cd "$packages" && sh -e "$work/apt.sh")
PATH=/usr/sbin:/usr/bin:/sbin:/bin
[ "$(command -v tokenwell)" = /usr/bin/tokenwell ]
tokenwell --version
# The directories of the system are searched anyway: nothing else is printed.
[ "$(pkg-config --cflags --libs tokenwell | tr -d ' ')" = -ltokenwell ]
cd "$work/on_this_system"
sh -e "$work/compile.sh"
cmake -S . -B build
cmake --build build
for program in ./hello ./hello_cpp build/hello build/hello_static; do "$program" | grep 'a token of [1-9]'; done

apt-get remove libtokenwell0
if ./hello >said 2>&1; then exit 1; fi
grep 'libtokenwell.so.0: cannot open shared object file' said
build/hello_static
if ls /usr/lib/*/libtokenwell* /usr/include/tokenwell* 2>/dev/null; then exit 1; fi
