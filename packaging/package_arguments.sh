# Sourced, not run, by the scripts that build packages: SCRIPT DIST PACKAGES. Sets dist and packages, creates the latter, and goes to the root of the repository.
# SOURCE_DATE_EPOCH, the time of all packaged files, is that of the last commit by default.
# shellcheck disable=SC2034
umask 022
dist=$(cd "$1" && pwd)
mkdir -p "$2"
packages=$(cd "$2" && pwd)
cd "$(dirname "$0")/.." || exit
export LC_ALL=C TZ=UTC
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || true)}"
if [ -z "$SOURCE_DATE_EPOCH" ]; then
    echo "$(basename "$0" .sh): this is not a git checkout: set SOURCE_DATE_EPOCH to the time of the packaged files, in seconds since 1970" >&2
    exit 1
fi
export SOURCE_DATE_EPOCH
