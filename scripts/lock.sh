#!/bin/sh
# Resolve requirements/*.txt from pyproject.toml, for every supported Python, hashed, without addresses.
set -eu
venv=$1
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
compile() {
    python=$1
    shift
    "$venv/bin/uv" pip compile --quiet --universal --python-version "$python" --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$@"
}
compile 3.11 pyproject.toml --output-file requirements/run.txt
compile 3.11 pyproject.toml --extra otel --output-file requirements/otel.txt
compile 3.11 pyproject.toml --extra otel --group dev --output-file requirements/dev.txt
compile 3.11 --group build --output-file requirements/build.txt
# checkov and the chart's engine go into an environment of their own.
compile 3.12 --group packaging --output-file requirements/packaging.txt
# Envoy, as a peer in the benchmarks.
compile 3.11 --group bench --output-file requirements/bench.txt
# Clients with hard-coded hosts, which pin old versions of what others use.
compile 3.11 --group clients --output-file requirements/clients.txt
