#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the Paho interoperability suite for MQTT 3.1.1 against a broker in a network namespace.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tools/common.sh
. "$root/tools/common.sh"

if [ ! -f "${1-}/interoperability/client_test.py" ]; then
    say "usage: tests/compat/run-paho311.sh CHECKOUT-OF-PAHO.MQTT.TESTING [WORKERS]"
    exit 2
fi
require_root "$@"
if [ "${LINEMQ_PAHO_INSIDE-}" != yes ]; then
    LINEMQ_PAHO_INSIDE=yes exec unshare --net "$0" "$@"
fi

directory=$(mktemp -d "${TMPDIR:-/tmp}/linemq-paho.XXXXXX")
trap 'kill "$quickstart" 2>/dev/null || true; wait "$quickstart" || true; rm -rf "$directory"' EXIT
{
    cat "$root/tests/compat/paho311.yaml"
    printf 'workers:\n  count: %s\ncontrol:\n  socket: %s/ctl.sock\n' "${2-1}" "$directory"
} >"$directory/paho311.yaml"

"$root/tools/quickstart.sh" --no-install ${LINEMQ_BUILD:+--build-dir "$LINEMQ_BUILD"} --config "$directory/paho311.yaml" \
    >"$directory/output" &
quickstart=$!
until grep -q '^ready ' "$directory/output"; do
    kill -0 "$quickstart"
    sleep 0.2
done
/usr/bin/python3 "$root/tests/compat/paho311.py" "$1" 10.88.0.2
