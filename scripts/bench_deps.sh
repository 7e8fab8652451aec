#!/bin/sh
# Install what `make bench` starts beside the gateway: nginx, wrk, HAProxy and Node by apt-get as
# root, Node's modules and Envoy into the folder $1. What is missing is left out of the table.
set -eu
folder=$1

missing=""
need() { # a command, and the package that has it
    command -v "$1" >/dev/null || missing="$missing $2"
}
need nginx nginx
need wrk wrk
need haproxy haproxy
need node nodejs
need npm npm
if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "missing:$missing. There is no apt-get here: install them as your system does" >&2
        exit 1
    fi
    if [ "$(id -u)" != 0 ]; then
        echo "missing:$missing. Only root can install them: sudo make bench-deps" >&2
        exit 1
    fi
    # The benchmarks start servers of their own: none is to run as a service, now or after a boot.
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
        for unit in nginx haproxy; do
            case "$missing" in *"$unit"*) systemctl disable "$unit" >/dev/null 2>&1 || true ;; esac
        done
    fi
fi

mkdir -p "$folder/node"
cp benchmarks/node/package.json benchmarks/node/package-lock.json "$folder/node/"
npm ci --prefix "$folder/node" --ignore-scripts --no-audit --no-fund --loglevel=error

if ! "$folder/venv/bin/python" -c 'import pip' 2>/dev/null; then
    "${PYTHON:-python3}" -m venv --clear "$folder/venv"
fi
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement requirements/bench.txt
