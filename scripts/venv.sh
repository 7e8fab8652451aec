#!/bin/sh
# Make the virtual environment $1 with the locked requirements and this package, editable.
set -eu
venv=$1

python=
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "zoom-gateway needs Python 3.11 or newer: none found. Set PYTHON=/path/to/python3." >&2
    exit 1
fi

if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    echo "Making a virtual environment in $venv with $("$python" --version) ..."
    if ! "$python" -m venv --clear "$venv"; then
        echo "$python cannot make a virtual environment. On Debian: apt-get install python3-venv" >&2
        exit 1
    fi
fi

echo "Installing the locked requirements ..."
# Two calls: with hashes required for what is fetched, without for the clone itself.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement requirements/dev.txt
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --no-build-isolation --editable .
