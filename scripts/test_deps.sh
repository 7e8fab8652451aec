#!/bin/sh
# Install what tests start: Redis (which is the Sentinel, too), libfaketime, HAProxy, Prometheus, a
# browser, slowhttptest, Node, and what builds and runs images. Without them those tests are skipped.
set -eu

missing=""
need() { # a command, and the package that has it
    command -v "$1" >/dev/null || missing="$missing $2"
}
need redis-server redis-server
need openssl openssl
need curl curl
need slowhttptest slowhttptest
need haproxy haproxy
need promtool prometheus
need chromium chromium
need buildah buildah
need podman podman
need runc runc
need catatonit catatonit
need mmdebstrap mmdebstrap
need node nodejs
need npm npm
need ip iproute2
need nsenter util-linux
faketime=""
for file in /usr/lib/*/faketime /usr/lib/faketime /usr/local/lib/faketime; do
    [ ! -e "$file/libfaketimeMT.so.1" ] || faketime=$file
done
[ -n "$faketime" ] || missing="$missing libfaketime"
[ -e /usr/lib/cni/bridge ] || [ -e /opt/cni/bin/bridge ] || missing="$missing containernetworking-plugins"
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
if command -v systemctl >/dev/null; then
    for unit in redis-server haproxy prometheus; do
        case "$missing" in *"$unit"*) systemctl disable "$unit" >/dev/null 2>&1 || true ;; esac
    done
fi
