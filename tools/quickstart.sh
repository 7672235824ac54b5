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
  --set KEY=VALUE            any other value, as linemqd --set does; with ports[0].address=null
                             there is IPv6 only
  --build-dir DIR            where to build                          (build)
  --no-install               install nothing
  --install-only             install and build, then stop
  --help

Exit status: 0 stopped as asked (Ctrl-C, SIGTERM), or --install-only done; 1 something is missing,
the build failed, or the broker failed; 2 wrong usage.
END
}

given=("$@")
host=10.88.0.1/24
host6=fd88::1/64
address6_given=no
config=
settings=() # --set KEY=VALUE for linemqd
build=$root/build
install=yes
install_only=no

# The word as YAML has it, whatever is in it.
yaml() {
    printf "'%s'" "${1//\'/\'\'}"
}

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
        --interface) settings+=(--set "ports[0].device=$(yaml "$2")") ;;
        --socket) settings+=(--set "control.socket=$(yaml "$(realpath -m "$2")")") ;;
        --workers) settings+=(--set "workers.count=$2") ;;
        esac
        shift
        ;;
    *) usage_error "unknown option $option" ;;
    esac
    shift
done

octet='(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
dotted="$octet(\.$octet){3}"

is_length() { # TEXT MAX
    [[ $1 =~ ^[1-9][0-9]{0,2}$ ]] && [ "$1" -le "$2" ]
}

# The 32 hexadecimal digits of an IPv6 address, written without dots. False: it is none.
ipv6_digits() {
    local text=$1 left right half words=() more=() filler=
    left=${text%%::*}
    right=
    [[ $text != *::* ]] || right=${text#*::}
    for half in "$left" "$right"; do
        [[ $half =~ ^([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4})*)?$ ]] || return 1
    done
    IFS=: read -ra words <<<"$left"
    IFS=: read -ra more <<<"$right"
    if [[ $text == *::* ]]; then
        [ $((${#words[@]} + ${#more[@]})) -le 7 ] || return 1
        printf -v filler '%*s' $((8 - ${#words[@]} - ${#more[@]})) ''
        filler=${filler// /0 }
    elif [ ${#words[@]} -ne 8 ]; then
        return 1
    fi
    # shellcheck disable=SC2086
    for half in "${words[@]}" $filler "${more[@]}"; do
        printf '%04x' "0x$half"
    done
}

{ [[ $host =~ ^$dotted/ ]] && is_length "${host#*/}" 32; } ||
    usage_error "--host: $host is not an IPv4 address with a prefix length, like 10.88.0.1/24"
[ "$host6" = none ] ||
    { [[ $host6 == */* ]] && ipv6_digits "${host6%%/*}" >/dev/null && is_length "${host6#*/}" 128; } ||
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

require_root "${given[@]}"
if [ "$install" = yes ]; then
    install_packages "${build_packages[@]}" "${run_packages[@]}"
else
    require_build_tools
    command -v ip >/dev/null || die "cannot run without: ip (Debian 12: apt-get install iproute2)"
    command -v setpriv >/dev/null ||
        die "cannot run without: setpriv (Debian 12: apt-get install util-linux)"
fi
require_tun

say "building in $build"
[ -f "$build/build.ninja" ] || configure "$build" --buildtype=release -Dtests=false
compile "$build" linemqd ctl
[ "$install_only" = no ] || exit 0

# What the configuration in force says, defaults included. Mistakes are named here.
printed=$("$build/linemqd" --print ${config:+"$config"} "${settings[@]}") ||
    die "nothing is started with mistakes in the configuration"
setting() { # SECTION KEY: of its first entry, without quotes; nothing for null
    local value
    value=$(awk -v section="$1:" -v key="$2: " '
        /^[^ #-]/ { inside = ($1 == section) }
        inside { sub(/^ *(- *)?/, ""); if (index($0, key) == 1) { print; exit } }' <<<"$printed")
    value=${value#*: }
    case $value in
    null) ;;
    \"*\")
        value=${value:1:-1}
        printf '%b' "${value//\\\"/\\x22}"
        ;;
    *) printf '%s' "$value" ;;
    esac
}
interface=$(setting ports device)
address=$(setting ports address)
address6=$(setting ports address6)
port=$(setting listeners port)
socket=$(setting control socket)
[ "$(setting ports kind)" = tap ] ||
    die "the first port of $config is not a tap, the only kind this script can prepare;" \
        "start $build/linemqd --config $config yourself"
[ -n "$address" ] || host=
if [ -z "$address6" ] || [ "$host6" = none ]; then
    host6=
fi
[ -n "$host$host6" ] || die "the first port has an IPv6 address only, and --host6 is none"
[ -z "$host" ] || [ "${host%/*}" != "${address%/*}" ] ||
    die "--host and --address are both ${host%/*}: this machine and the broker need one each"
if [ -n "$host6" ] && digits=$(ipv6_digits "${address6%/*}") &&
    [ "$digits" = "$(ipv6_digits "${host6%/*}")" ]; then
    die "--host6 and --address6 are both ${host6%/*}: this machine and the broker need one each"
fi

# Never into a network that the machine already knows.
if ip link show dev "$interface" >/dev/null 2>&1; then
    die "the interface $interface exists: another instance runs, or choose a name with --interface"
fi
# not_taken NETWORK HINT: by an address of another interface.
not_taken() {
    local taken
    [ -n "$1" ] || return 0
    taken=$(ip -o address show to "$1" | awk '{ print $2; exit }')
    [ -z "$taken" ] || die "$1 overlaps with an address of $taken: choose others with $2"
}
not_taken "$host" "--host, --address"
not_taken "$host6" "--host6, --address6"

# The broker ends with this script, however that ends.
setpriv --pdeathsig TERM "$build/linemqd" ${config:+--config "$config"} "${settings[@]}" &
broker=$!

# comes SECONDS WHAT COMMAND...: whether it succeeds in time; the broker has to live.
comes() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    while ! "$@" >/dev/null 2>&1; do
        if ! kill -0 "$broker" 2>/dev/null; then
            reap
            die "the broker ended with status $status while it was waited for $what (see above)"
        fi
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

wait_until() {
    comes "$@" || die "gave up waiting for $2"
}

# reached ADDRESS: whether this machine sends to it through the interface.
reached() {
    [[ $(ip -o route get "$1" 2>/dev/null) == *" dev $interface "* ]]
}

wait_until 20 "$interface" ip link show dev "$interface"
[ -z "$host" ] || ip address add "$host" dev "$interface"
ip link set dev "$interface" up
if [ -n "$host6" ] && ! ip address add "$host6" dev "$interface" nodad 2>/dev/null; then
    [ -n "$host" ] || die "IPv6 is off here, and the broker has no IPv4 address"
    say "IPv6 is off here: IPv4 only"
    host6=
fi
[ -z "$host" ] || reached "${address%/*}" ||
    die "the broker's address $address is not reached through $interface with --host $host:" \
        "both must be in one network"

# Whether an MQTT client is answered: CONNECT out, CONNACK back; that anonymous clients are refused
# is an answer too.
answers() { # ADDRESS
    # shellcheck disable=SC2016
    timeout 2 bash -c '
        exec 3<>"/dev/tcp/$1/$2"
        printf "\x10\x16\x00\x04MQTT\x04\x02\x00\x0a\x00\x0aquickstart" >&3
        answer=$(head -c 4 <&3 | od -A n -t x1)
        printf "\xe0\x00" >&3
        [[ $answer == " 20 02 00 0"[045] ]]' answers "$1" "$port"
}
if [ -n "$host" ]; then
    comes 20 "an MQTT client to be answered" answers "${address%/*}" ||
        die "gave up: an MQTT client at ${host%/*} is not answered by ${address%/*}:$port"
fi
if [ -n "$host6" ]; then
    trouble=
    patience=20
    [ -z "$host" ] || patience=3 # it answers on IPv4
    if ! reached "${address6%/*}"; then
        trouble="is not reached through $interface with --host6 $host6: both must be in one network"
    elif ! comes "$patience" "an MQTT client to be answered" answers "${address6%/*}"; then
        trouble="does not answer an MQTT client at ${host6%/*}"
    fi
    if [ -n "$trouble" ]; then
        [ -n "$host" ] || die "the broker's address $address6 $trouble"
        say "the broker's address $address6 $trouble (IPv4 only)"
        host6=
    fi
fi
wait_until 10 "$socket" test -S "$socket"

# Where clients connect: IPv4 if there is.
if [ -n "$host" ]; then
    at=${address%/*}
    printf 'ready mqtt=%s:%s%s' "$at" "$port" "${host6:+ mqtt6=[${address6%/*}]:$port}"
else
    at=${address6%/*}
    printf 'ready mqtt=[%s]:%s' "$at" "$port"
fi
printf ' ctl=%q interface=%q\n' "$socket" "$interface"
at="-h $at"
[ "$port" = 1883 ] || at+=" -p $port"
ctl=$(printf '%q' "$build/ctl")
[ "$socket" = /run/linemq/ctl.sock ] || ctl+=$(printf ' --socket %q' "$socket")
cat <<END
  mosquitto_sub $at -t 'demo/#' -v            # subscribe
  mosquitto_pub $at -t demo/hello -m hello    # publish
  $ctl status
END

reap
[ "$status" -eq 0 ] || die "the broker ended with status $status"
