#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The public scripts of packetdrill as an outside judge: runs those that apply to a server that speaks
# TCP as we do against packetdrill_shim.c, which translates between the two (see there). packetdrill
# is under the GPL and no part of this tree; it is got and built elsewhere, as its own README says.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

help() {
    cat <<END
Usage: tests/packet/packetdrill.sh [-v] CHECKOUT [BUILD]

CHECKOUT  a built checkout of packetdrill, with gtests/net/packetdrill/packetdrill in it
BUILD     our build directory; default: build
-v        what packetdrill said to each script that failed

Prints pass, fail or n/a and the reason for each script, and how many there are of each. Exit status: 1
when one failed, 2 wrong usage.
END
}

verbose=no
case ${1-} in
--help | -h)
    help
    exit 0
    ;;
-v)
    verbose=yes
    shift
    ;;
esac
checkout=${1-}
shim=$(realpath "${2-$root/build}")/tests/packet/packetdrill-shim.so
packetdrill=$checkout/gtests/net/packetdrill/packetdrill
if [ $# -lt 1 ] || [ ! -x "$packetdrill" ] || [ ! -f "$shim" ]; then
    help >&2
    exit 2
fi
scripts=$checkout/gtests/net/tcp

# not_applicable SCRIPT: why not, or nothing.
not_applicable() {
    case $1 in
    fastopen/*) echo 'TCP fast open' ;;
    zerocopy/* | splice/* | sendfile/* | timestamping/*) echo 'socket calls for zero copy and time stamps' ;;
    epoll/* | notsent_lowat/* | inq/* | eor/* | tcp_info/* | syscall_bad_arg/*) echo 'socket calls of Linux' ;;
    blocking/*) echo 'blocking socket calls' ;;
    ecn/* | cwnd_moderation/*ecn*) echo 'ECN' ;;
    nagle/*) echo 'Nagle and cork: we send at the end of a turn' ;;
    md5/*) echo 'MD5 signatures' ;;
    mtu_probe/*) echo 'path MTU probing (RFC 4821)' ;;
    gro/*) echo 'offload of the kernel' ;;
    user_timeout/*) echo 'TCP_USER_TIMEOUT' ;;
    mss/mss-getsockopt-*) echo 'getsockopt(TCP_MAXSEG)' ;;
    sack/sack-route-refresh-*) echo 'routes of the kernel' ;;
    cubic/cubic-rto-ss-ca-cwnd-bump.pkt)
        echo 'the ssthresh of Linux is of the window, that of RFC 5681 3.1 of what is in flight' ;;
    limited_transmit/*)
        echo 'Linux grows by what has newly arrived, RFC 5681 3.1 by what is newly acknowledged' ;;
    fast_retransmit/fr-4pkt-fack-last-byte.pkt)
        echo 'Linux takes no notice of a SACK for part of a segment' ;;
    fast_retransmit/fr-4pkt-fack-last-mss.pkt)
        echo 'a timer of Linux in its ticks; by RFC 8985 6.2 it is a quarter of the round trip' ;;
    shutdown/shutdown-rdwr-write-queue-close.pkt)
        echo 'Linux lets a FIN go beyond the congestion window' ;;
    cubic/cubic-hystart-*) echo 'HyStart, and growth by more than two segments an ACK' ;;
    slow_start/slow-start-ack-per-4pkt.pkt | slow_start/slow-start-after-*)
        echo 'Linux grows by all that an ACK covers, we by two segments (RFC 3465 2.3)' ;;
    slow_start/slow-start-fq-*) echo 'pacing by the queueing discipline' ;;
    shutdown/shutdown-wr-close.pkt) echo 'reading after our own half-close' ;;
    ts_recent/invalid_ack.pkt)
        echo 'Linux does not acknowledge an ACK of what was not sent, RFC 9293 3.10.7.4 does' ;;
    *) if grep -q 'connect(' "$scripts/$1"; then echo 'active open'; fi ;;
    esac
}

work=$(mktemp -d "${TMPDIR:-/tmp}/linemq-packetdrill.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 left=0
while read -r name; do
    reason=$(not_applicable "$name")
    if [ -n "$reason" ]; then
        printf 'n/a   %s: %s\n' "$name" "$reason"
        left=$((left + 1))
        continue
    fi
    # Commands change the settings of the kernel, and code looks at its struct tcp_info: both become
    # a call that does nothing, so that the times stay. PSH is Linux's own matter.
    perl -0pe 's/^[ \t]*`[^`]*`//mg; s/`[^`]*`|%\{.*?\}%/fcntl(3, F_GETFL) = 0/sg;
        s/(\s>\s+[SFR]*)P/$1/g' "$scripts/$name" >"$work/script.pkt"
    if timeout 30 "$packetdrill" --ip_version=ipv4 --tolerance_usecs=5000 --so_filename="$shim" \
        "$work/script.pkt" >"$work/log" 2>&1; then
        printf 'pass  %s\n' "$name"
        passed=$((passed + 1))
    else
        printf 'fail  %s\n' "$name"
        failed=$((failed + 1))
        [ "$verbose" = no ] || sed "s,^.*script.pkt:,      line ,; s,^   *,      ," "$work/log"
    fi
done < <(cd "$scripts" && find . -name '*.pkt' -printf '%P\n' | sort)
printf '%d passed, %d failed, %d not applicable\n' "$passed" "$failed" "$left"
[ "$failed" -eq 0 ]
