# Sourced by c_packages.sh: the Debian packages.
# shellcheck disable=SC2154,SC2034
# $root is a root directory in which they are installed, $control has their control files.

# dpkg installs into a directory only as root, and finds there the packages that they depend on, at the versions of this machine.
install_into_a_root() {
    mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
    dpkg-query -W -f 'Package: ${Package}\nStatus: install ok installed\nArchitecture: ${Architecture}\nMulti-Arch: ${Multi-Arch}\nVersion: ${Version}\nMaintainer: x\nDescription: x\n\n' \
        libc6 libc6-dev libgcc-s1 >"$root/var/lib/dpkg/status" || return 1
    for package in libc6 libc6-dev libgcc-s1; do
        for file in list symbols shlibs; do
            if [ -f "/var/lib/dpkg/info/$package:$debian.$file" ]; then cp "/var/lib/dpkg/info/$package:$debian.$file" "$root/var/lib/dpkg/info/"; fi
        done
    done
    dpkg --root="$root" --force-script-chrootless --log="$work/dpkg.log" -i "$@"
}
the_packages_install() {
    if [ "$(id -u)" -eq 0 ]; then
        install_into_a_root "$packages"/*.deb || return 1
        for package in libtokenwell0 libtokenwell-dev tokenwell; do
            dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Package} ${db:Status-Status}\n' "$package" | grep ' installed$' || return 1
        done
    else
        for package in "$packages"/*.deb; do dpkg-deb -x "$package" "$root" || return 1; done
    fi
    for package in "$packages"/*.deb; do dpkg-deb -e "$package" "$control/$(basename "$package" | sed 's/_.*//')" || return 1; done
    "$root/usr/bin/tokenwell" --version && [ -e "$root/usr/lib/$platform/libtokenwell.so" ]
}
every_file_of_the_installation_is_in_one_package() {
    sh bindings/c/install.sh "$DIST" "$work/all" /usr "lib/$platform" >/dev/null || return 1
    (cd "$work/all" && find . -type f -o -type l) | grep -v '/share/doc/' |
        sed 's|/zsh/site-functions/|/zsh/vendor-completions/|; s|\(/man1/.*\.1\)$|\1.gz|' | sort >"$work/wanted"
    for package in "$packages"/*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -t; done | grep -v -e '/$' -e '/share/doc/' | sort >"$work/packaged"
    diff "$work/wanted" "$work/packaged"
}
the_fields_are_right() {
    field() { sed -n "s/^$2: //p" "$control/$1/control"; }
    library=$root/usr/lib/$platform/libtokenwell.so.0
    gcc=$(highest_version "$library" GCC)
    field libtokenwell0 Depends | grep -x "libc6 (>= $(highest_version "$library" GLIBC))${gcc:+, libgcc-s1 (>= ${gcc%.0})}" || return 1
    field libtokenwell-dev Depends | grep "^libtokenwell0 (= $(field libtokenwell0 Version))," || return 1
    grep -x 'activate-noawait ldconfig' "$control/libtokenwell0/triggers" && grep -x 'libtokenwell 0 libtokenwell0 (>= 0.1.0)' "$control/libtokenwell0/shlibs" || return 1
    for package in libtokenwell0 libtokenwell-dev tokenwell; do
        gzip -dc "$root/usr/share/doc/$package/changelog.Debian.gz" | grep -q "^tokenwell ($(field $package Version))" || return 1
        # The crates in the library, with their licenses.
        grep -q '^ rustls v[0-9.]*: Apache-2.0' "$root/usr/share/doc/$package/copyright" || { echo "no crates in the copyright of $package"; return 1; }
        gzip -dc "$root/usr/share/doc/$package/THIRD-PARTY.txt.gz" | cmp - packaging/licenses/THIRD-PARTY.txt || return 1
    done
    [ -s "$root/usr/share/man/man1/tokenwell-exec.1.gz" ]
}
unpacked_library() { # the package as it was before it was built, which is where the tools of dpkg-dev find it
    [ -d "$work/libtokenwell0" ] || dpkg-deb -R "$packages"/libtokenwell0_*.deb "$work/libtokenwell0"
}
dpkg_finds_what_a_program_depends_on() {
    unpacked_library && mkdir -p "$work/shlibdeps/debian" || return 1
    printf 'Source: x\n\nPackage: x\nArchitecture: any\n' >"$work/shlibdeps/debian/control"
    from "$installed" lib eval "$CC examples/c/hello_token.c \$(pkg-config --cflags --libs tokenwell) -o '$work/shlibdeps/hello'" || return 1
    (cd "$work/shlibdeps" && dpkg-shlibdeps -S"$work/libtokenwell0" -O hello) | grep 'libtokenwell0 (>= 0\.1\.0)'
}
dpkg_gensymbols_agrees() {
    unpacked_library && mkdir -p "$work/gensymbols/debian" || return 1
    printf 'Source: tokenwell\n\nPackage: libtokenwell0\nArchitecture: any\n' >"$work/gensymbols/debian/control"
    printf 'tokenwell (0.1.0-1) unstable; urgency=medium\n\n  * x\n\n -- x <x@x.example>  Thu, 01 Jan 2026 00:00:00 +0000\n' >"$work/gensymbols/debian/changelog"
    # -c4: a new or a missing symbol is an error.
    symbols() { (cd "$work/gensymbols" && dpkg-gensymbols -c4 -plibtokenwell0 -P"$work/libtokenwell0" -I"$1" -O/dev/null); }
    symbols "$work/libtokenwell0/DEBIAN/symbols" || return 1
    # The check itself.
    grep -v 'tokenwell_version@' "$work/libtokenwell0/DEBIAN/symbols" >"$work/gensymbols/one_less"
    ! symbols "$work/gensymbols/one_less"
}
apt_can_install_them() { # the dependencies are found in the distribution; nothing is installed
    apt-get install --simulate -o APT::Sandbox::User=root "$packages"/*.deb | grep -c '^Inst .*tokenwell' | grep -x 3
}
they_install_on_this_system() { # by the line of the README, in a layer above this system, and removed again
    mkdir -p "$work/on_this_system" && snippet apt "$work/apt.sh" && snippet compile "$work/compile.sh" &&
        snippet hello "$work/on_this_system/hello.c" && snippet hello_cpp "$work/on_this_system/hello.cpp" &&
        snippet cmake "$work/on_this_system/CMakeLists.txt" || return 1
    unshare --mount sh tests/more/c_packages/on_this_system.sh "$work" "$packages"
}
a_layer_can_be_mounted() {
    mkdir -p "$work/probe/lower" "$work/probe/upper" && [ "$(id -u)" -eq 0 ] &&
        unshare --mount sh -c "mount -t tmpfs tmpfs '$work/probe/upper' && cd '$work/probe' && mkdir upper/upper upper/work &&
            mount -t overlay overlay -o lowerdir=/usr,upperdir=upper/upper,workdir=upper/work lower" 2>/dev/null
}
lintian_has_no_complaint() {
    # Not a package of the distribution, so its changelog closes no bug there.
    lintian --no-cfg --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs "$packages"/*.deb
}
a_purge_leaves_nothing() {
    dpkg --root="$root" --force-script-chrootless --log="$work/dpkg.log" --purge tokenwell libtokenwell-dev libtokenwell0 || return 1
    find "$root" -path "$root/var/lib/dpkg" -prune -o \( -type f -o -type l \) -print | grep tokenwell && return 1
    return 0
}
