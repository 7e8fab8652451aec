#!/bin/sh
# Install what tests start: redis-server (which is the Sentinel, too) and libfaketime. Without
# them those tests are skipped.
set -eu

missing=""
command -v redis-server >/dev/null || missing="$missing redis-server"
faketime=""
for file in /usr/lib/*/faketime /usr/lib/faketime /usr/local/lib/faketime; do
    [ ! -e "$file/libfaketimeMT.so.1" ] || faketime=$file
done
[ -n "$faketime" ] || missing="$missing libfaketime"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "missing:$missing. There is no apt-get here: install them as your system does" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "missing:$missing. Only root can install them: sudo make test-deps" >&2
    exit 1
fi

# The tests start servers of their own: none is to run as a service, now or after a boot.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -qq
# shellcheck disable=SC2086  # several words on purpose
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
case "$missing" in *redis-server*)
    if command -v systemctl >/dev/null; then
        systemctl disable redis-server >/dev/null 2>&1 || true
    fi
    ;;
esac
