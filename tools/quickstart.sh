#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# From a clean Debian 12 to a broker that answers: installs what is missing, builds, opens a TAP
# software NIC, runs the broker in the foreground until it is told to stop, leaves nothing behind.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tools/common.sh
. "$root/tools/common.sh"

help() {
    cat <<END
Usage: sudo tools/quickstart.sh [OPTION...]

Installs what is missing, builds, opens a TAP software NIC and runs the broker in the foreground.
When a client can connect it prints a line that begins with \`ready\`. Ctrl-C ends it.

  --host ADDRESS/LENGTH      this machine's side of the software NIC (10.88.0.1/24)
  --host6 ADDRESS/LENGTH     and its IPv6 address (fd88::1/64); "none": no IPv6
  --config FILE              configuration; without one everything has its default. The options
                             below change single values of it:
  --address ADDRESS/LENGTH   the broker                              (default 10.88.0.2/24)
  --address6 ADDRESS/LENGTH  and its IPv6 address                    (default fd88::2/64)
  --port PORT                the broker's TCP port                   (default 1883)
  --interface NAME           the software NIC to create              (default linemq0)
  --socket PATH              the Unix socket of ctl                  (default /run/linemq/ctl.sock)
  --workers N                worker threads                          (default 1)
  --set KEY=VALUE            any other value, as linemqd --set does
  --build-dir DIR            where to build                          (build)
  --no-install               install nothing
  --install-only             install and build, then stop
  --help

Exit status: 0 stopped as asked (Ctrl-C, SIGTERM), or --install-only done; 1 something is missing,
the build failed, or the broker failed; 2 wrong usage.
END
}

host=10.88.0.1/24
host6=fd88::1/64
address6_given=no
config=
settings=() # --set KEY=VALUE for linemqd
build=$root/build
install=yes
install_only=no

while [ $# -gt 0 ]; do
    option=$1
    case $option in
    --help | -h)
        help
        exit 0
        ;;
    --no-install) install=no ;;
    --install-only) install_only=yes ;;
    --*=*)
        set -- "${option%%=*}" "${option#*=}" "${@:2}"
        continue
        ;;
    --host | --host6 | --address | --address6 | --port | --interface | --socket | --workers | \
        --config | --set | --build-dir)
        [ -n "${2-}" ] || usage_error "$option needs a value"
        case $option in
        --host) host=$2 ;;
        --host6) host6=$2 ;;
        --config) config=$2 ;;
        --build-dir) build=$(realpath -m "$2") ;;
        --set) settings+=(--set "$2") ;;
        --address) settings+=(--set "ports[0].address=$2") ;;
        --address6)
            settings+=(--set "ports[0].address6=$2")
            address6_given=yes
            ;;
        --port) settings+=(--set "listeners[0].port=$2") ;;
        --interface) settings+=(--set "ports[0].device=$2") ;;
        --socket) settings+=(--set "control.socket=$(realpath -m "$2")") ;;
        --workers) settings+=(--set "workers.count=$2") ;;
        esac
        shift
        ;;
    *) usage_error "unknown option $option" ;;
    esac
    shift
done

[[ $host =~ ^[0-9]+(\.[0-9]+){3}/[0-9]+$ ]] ||
    usage_error "--host: $host is not an IPv4 address with a prefix length, like 10.88.0.1/24"
[ "$host6" = none ] || [[ $host6 =~ ^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*/[0-9]+$ ]] ||
    usage_error "--host6: $host6 is not an IPv6 address with a prefix length, like fd88::1/64"
if [ "$host6" = none ] && [ "$address6_given" = no ]; then
    settings+=(--set "ports[0].address6=null")
fi
if [ -n "$config" ] && [ ! -r "$config" ]; then
    die "cannot read $config"
fi

broker=

# Waits for the broker; its status is in $status. One that was killed has left its socket.
reap() {
    status=0
    wait "$broker" 2>/dev/null || status=$?
    broker=
    [ "$status" -lt 128 ] || rm -f "$socket"
}

# Ends the broker (it says goodbye to its clients, two seconds at most) and removes what is ours.
# Its interface goes with the process.
clean_up() {
    local i
    trap '' INT TERM HUP
    if [ -n "$broker" ] && kill -0 "$broker" 2>/dev/null; then
        kill -TERM "$broker" 2>/dev/null || true
        for ((i = 0; i < 30; i++)); do
            kill -0 "$broker" 2>/dev/null || break
            sleep 0.1
        done
        if kill -KILL "$broker" 2>/dev/null; then
            say "the broker did not end within three seconds and was killed"
        fi
        reap
    fi
}
trap clean_up EXIT
trap 'exit 0' INT TERM HUP

require_root "$@"
if [ "$install" = yes ]; then
    install_packages "${build_packages[@]}" "${run_packages[@]}"
else
    require_build_tools
    command -v ip >/dev/null || die "cannot run without: ip (Debian 12: apt-get install iproute2)"
fi
require_tun

say "building in $build"
[ -f "$build/build.ninja" ] || configure "$build" --buildtype=release -Dtests=false
compile "$build" linemqd ctl
[ "$install_only" = no ] || exit 0

# What the configuration in force says, defaults included. Mistakes are named here.
printed=$("$build/linemqd" --print ${config:+"$config"} "${settings[@]}") ||
    die "nothing is started with mistakes in the configuration"
setting() { # SECTION KEY: of its first entry, without quotes
    awk -v section="$1:" -v key="$2:" '
        /^[^ #-]/ { inside = ($1 == section) }
        inside { sub(/^ *- */, " "); if ($1 == key) { print $2; exit } }' <<<"$printed" |
        tr -d "\"'"
}
interface=$(setting ports device)
address=$(setting ports address)
address6=$(setting ports address6)
port=$(setting listeners port)
socket=$(setting control socket)
[ "$(setting ports kind)" = tap ] ||
    die "the first port of $config is not a tap, the only kind this script can prepare;" \
        "start $build/linemqd --config $config yourself"
[ "$address" != null ] || address=
[ "$address6" != null ] || address6=
[ -n "$address" ] || die "the first port of $config has no IPv4 address"

# Never into a network that the machine already knows.
if ip link show dev "$interface" >/dev/null 2>&1; then
    die "the interface $interface exists: another instance runs, or choose a name with --interface"
fi
taken=$(ip -4 -o address show to "$host" | awk '{ print $2; exit }')
[ -z "$taken" ] || die "$host overlaps with an address of $taken: choose others with --host, --address"

"$build/linemqd" ${config:+--config "$config"} "${settings[@]}" &
broker=$!

# wait_until SECONDS WHAT COMMAND...: as long as the broker lives.
wait_until() {
    local tries=$(($1 * 20)) what=$2
    shift 2
    while ! "$@" >/dev/null 2>&1; do
        if ! kill -0 "$broker" 2>/dev/null; then
            reap
            die "the broker ended with status $status while it was waited for $what (see above)"
        fi
        [ $((tries -= 1)) -gt 0 ] || die "gave up waiting for $what"
        sleep 0.05
    done
}

wait_until 20 "$interface" ip link show dev "$interface"
ip address add "$host" dev "$interface"
ip link set dev "$interface" up
if [ "$host6" != none ] && [ -n "$address6" ] &&
    ! ip address add "$host6" dev "$interface" nodad 2>/dev/null; then
    say "IPv6 is off here: IPv4 only"
    address6=
fi

# Whether an MQTT client is answered: CONNECT out, CONNACK back; that anonymous clients are refused
# is an answer too.
answers() {
    # shellcheck disable=SC2016
    timeout 2 bash -c '
        exec 3<>"/dev/tcp/$1/$2"
        printf "\x10\x16\x00\x04MQTT\x04\x02\x00\x0a\x00\x0aquickstart" >&3
        answer=$(head -c 4 <&3 | od -A n -t x1)
        printf "\xe0\x00" >&3
        [[ $answer == " 20 02 00 0"[045] ]]' answers "${address%/*}" "$port"
}
wait_until 20 "an MQTT client to be answered at ${address%/*}:$port" answers
wait_until 10 "$socket" test -S "$socket"

option=
[ "$socket" = /run/linemq/ctl.sock ] || option=" --socket $socket"
at="-h ${address%/*}"
[ "$port" = 1883 ] || at+=" -p $port"
printf 'ready mqtt=%s:%s%s ctl=%s interface=%s\n' "${address%/*}" "$port" \
    "${address6:+ mqtt6=[${address6%/*}]:$port}" "$socket" "$interface"
cat <<END
  mosquitto_sub $at -t 'demo/#' -v            # subscribe
  mosquitto_pub $at -t demo/hello -m hello    # publish
  $build/ctl$option status
END

reap
[ "$status" -eq 0 ] || die "the broker ended with status $status"
