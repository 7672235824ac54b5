#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds a release with the benchmarks, measures, prints one table.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tools/common.sh
. "$root/tools/common.sh"

help() {
    cat <<END
Usage: sudo bench/run.sh [OPTION...]

Builds a release in build-bench and prints one table:
  micro        single parts, by Google Benchmark
  end-to-end   messages through linemqd over TAP, with clients on the Linux stack of this machine
  idle         what a connected device with one subscription costs, by component and resident
  line         cycles a message, messages and connects a second of a worker's busy time: linemqd on
               memif, its worker on one CPU, tools/loadgen on another
  scale        devices held idle by tools/loadgen, as many as asked for: bytes, connects, longest turn
  crowd        cycles a message when each goes through another of so many connections
  attack       what a SYN flood does to clients that work
  lossy        throughput and times over links that lose and delay frames, against mosquitto on the
               TCP of this machine's kernel over the same links

  --only NAME      only that part; may be repeated
  --filter REGEX   of the micro benchmarks only those
  --idle N         idle devices of the part idle (default 50000, with --quick 5000; at most 60000)
  --devices N      devices of scale and crowd (default 100000; 1 GiB holds about two million)
  --results FILE   append the whole results of line, scale, crowd and lossy, a JSON object a line
  --quick          short runs, to see that it works: not figures to quote
  --no-install     install nothing
  --install-only   install, then stop
  --help
END
}

install=yes
install_only=no
parts=()
micro=()
measure=()
line=()
lossy=()
given=("$@")
value() {
    [ -n "${2-}" ] || usage_error "$1 needs a value"
}
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        help
        exit 0
        ;;
    --no-install) install=no ;;
    --install-only) install_only=yes ;;
    --only)
        [[ ${2-} =~ ^(micro|end-to-end|idle|line|scale|crowd|attack|lossy)$ ]] ||
            usage_error "--only micro, end-to-end, idle, line, scale, crowd, attack or lossy"
        parts+=("$2")
        shift
        ;;
    --filter)
        value "${@:1:2}"
        micro+=("--benchmark_filter=$2")
        shift
        ;;
    --idle)
        value "${@:1:2}"
        [[ $2 =~ ^[1-9][0-9]{0,4}$ && $2 -le 60000 ]] ||
            usage_error "--idle is a number of devices from 1 to 60000, not '$2'"
        measure+=(--idle "$2")
        shift
        ;;
    --devices)
        value "${@:1:2}"
        line+=("$1" "$2")
        shift
        ;;
    --results)
        value "${@:1:2}"
        line+=("$1" "$2")
        lossy+=("$1" "$2")
        shift
        ;;
    --quick)
        micro+=(--benchmark_min_time=0.01)
        measure+=(--quick)
        line+=(--quick)
        lossy+=(--quick)
        ;;
    *) usage_error "unknown argument $1" ;;
    esac
    shift
done
[ ${#parts[@]} -gt 0 ] || parts=(micro line scale crowd end-to-end idle attack lossy)

cd "$root"
require_root "${given[@]}"
if [ "$install" = yes ]; then
    packages=("${build_packages[@]}" "${run_packages[@]}"
        libbenchmark-dev libcmocka-dev libmosquitto-dev python3-paho-mqtt)
    [[ " ${parts[*]} " != *" lossy "* ]] || packages+=(mosquitto)
    install_packages "${packages[@]}"
else
    require_build_tools
fi
[ "$install_only" = no ] || exit 0
require_tun
say "building in build-bench"
configure build-bench --buildtype=release -Dtests=true -Dbench=true
compile build-bench linemqd ctl loadgen bench/micro/bench_micro tests/system/fleet \
    tests/system/attack tests/system/lossy bench/flows

results=$(mktemp "${TMPDIR:-/tmp}/linemq-bench.XXXXXX")
trap 'rm -f "$results" "$results.rows"' EXIT
for part in "${parts[@]}"; do
    say "measuring: $part"
    if [ "$part" = micro ]; then
        build-bench/bench/micro/bench_micro --benchmark_format=json "${micro[@]}" >"$results"
        /usr/bin/python3 bench/table.py --micro "$results" --append "$results.rows"
    elif [[ $part =~ ^(line|scale|crowd)$ ]]; then
        /usr/bin/python3 bench/line.py --binaries build-bench "${line[@]}" "$part" \
            >>"$results.rows"
    elif [ "$part" = lossy ]; then
        /usr/bin/python3 bench/lossy.py --binaries build-bench "${lossy[@]}" >>"$results.rows"
    else
        /usr/bin/python3 bench/measure.py --binaries build-bench "${measure[@]}" "$part" \
            >>"$results.rows"
    fi
done
/usr/bin/python3 bench/table.py --print "$results.rows"
