#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the Paho interoperability suite for MQTT 3.1.1 against a broker in a network namespace of its
# own.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tools/common.sh
. "$root/tools/common.sh"

if [ ! -f "${1-}/interoperability/client_test.py" ]; then
    say "usage: tests/compat/run-paho311.sh CHECKOUT-OF-PAHO.MQTT.TESTING [QUICKSTART-OPTION...]"
    exit 2
fi
require_root "$@"
if [ "${LINEMQ_PAHO_INSIDE-}" != yes ]; then
    LINEMQ_PAHO_INSIDE=yes exec unshare --net "$0" "$@"
fi
checkout=$1
shift

output=$(mktemp "${TMPDIR:-/tmp}/linemq-paho.XXXXXX")
"$root/tools/quickstart.sh" --no-install --config "$root/tests/compat/paho311.yaml" "$@" >"$output" &
quickstart=$!
trap 'kill "$quickstart" 2>/dev/null || true; wait "$quickstart" || true; rm -f "$output"' EXIT
until grep -q '^ready ' "$output"; do
    kill -0 "$quickstart"
    sleep 0.2
done
/usr/bin/python3 "$root/tests/compat/paho311.py" "$checkout" 10.88.0.2
