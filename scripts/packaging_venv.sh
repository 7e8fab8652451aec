#!/bin/sh
# Make the virtual environment $1 with the tools that look at the image and the chart.
set -eu
venv=$1

python=
for candidate in ${PACKAGING_PYTHON:-} python3 python3.14 python3.13 python3.12 \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "The chart's engine needs Python 3.12 or newer: none found. Set PACKAGING_PYTHON=/path/to/python3." >&2
    exit 1
fi

echo "Making a virtual environment in $venv with $("$python" --version) ..."
"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement requirements/packaging.txt
