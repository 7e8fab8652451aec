#!/bin/sh
# Install clients that have Zoom's hosts in their code into the folder $1: one of Python, in an
# environment of its own, and one of Node. Tests run them as they are.
set -eu
folder=$1

missing=""
need() { # a command, and the package that has it
    command -v "$1" >/dev/null || missing="$missing $2"
}
need node nodejs
need npm npm
if [ -n "$missing" ]; then
    echo "missing:$missing. make test-deps installs them" >&2
    exit 1
fi

mkdir -p "$folder/node"
cp tests/processes/clients/node/package.json tests/processes/clients/node/package-lock.json "$folder/node/"
npm ci --prefix "$folder/node" --ignore-scripts --no-audit --no-fund --loglevel=error

if ! "$folder/venv/bin/python" -c 'import pip' 2>/dev/null; then
    "${PYTHON:-python3}" -m venv --clear "$folder/venv"
fi
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement requirements/clients.txt
