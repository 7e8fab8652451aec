#!/bin/sh
# Resolve requirements/*.txt from pyproject.toml, for every supported Python, hashed, without addresses.
set -eu
venv=$1
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
compile() {
    "$venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$@"
}
compile pyproject.toml --output-file requirements/run.txt
compile pyproject.toml --group dev --output-file requirements/dev.txt
