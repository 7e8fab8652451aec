#!/bin/sh
# Install the servers that tests start. Where they are missing, those tests are skipped.
set -eu
if command -v redis-server >/dev/null; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    # The tests start their own: none is to run as a service.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server
    exit 0
fi
echo "redis-server is missing, and only root can install it: sudo apt-get install redis-server" >&2
exit 1
