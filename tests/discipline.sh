#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What runs on a worker makes no system call, takes no lock, uses no heap, prints nothing. This looks
# at the compiled dataplane (every object under dataplane/ of a build directory), function by
# function: what is called and not our own must be on the list below. Functions that only run at
# set-up and at the end are excused by name. Locks that headers expand in place are looked for in
# the sources.
set -euo pipefail

if [ ! -d "${1-}/dataplane" ]; then
    printf 'usage: tests/discipline.sh BUILD_DIRECTORY\n' >&2
    exit 2
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Functions of the C library and of DPDK that may be called anywhere: they do neither wait nor
# allocate. __rte_panic stands behind a check in DPDK's inline code that a valid mempool passes.
allowed='memcpy memmove memset memcmp memccpy memchr strlen __memcpy_chk __memmove_chk __memset_chk
    __stack_chk_fail __tls_get_addr _GLOBAL_OFFSET_TABLE_
    per_lcore__lcore_id rte_mempool_ops_table __rte_panic rte_eth_fp_ops rte_eth_call_rx_callbacks
    rte_eth_call_tx_callbacks __rte_pktmbuf_linearize rte_pktmbuf_copy rte_mempool_avail_count'

# Set-up and end: not while packets flow.
set_up='_(create|destroy|init|fini)$'

# FUNCTION SYMBOL...: the exceptions. The first ones run at set-up and at the end alone: the address
# range of an arena is reserved and given back, the configured addresses are read, tables are taken
# apart. The routes are changed by a control thread. A worker that has nothing to do sleeps in
# idle_sleep; idle_wake wakes one that has announced that it sleeps.
exceptions='
    fanouts_free free
    matcher_free free
    trie_free free
    routes_change aligned_alloc
    routes_reclaim free
    region_reserve mmap64 munmap madvise __errno_location
    region_release munmap
    region_back madvise __errno_location
    address_parse inet_pton strchr strtol
    tx_close free
    idle_close close
    idle_sleep epoll_pwait2 epoll_ctl read
    idle_wake write
'

objects=$(find "$1/dataplane" -name '*.c.o')
# The names of this project: everything that any of its objects defines.
own=$(find "$1" -name '*.c.o' -print0 | xargs -0 nm --defined-only 2>/dev/null |
    awk 'NF == 3 { print $3 }' | sort -u)

failed=0
# shellcheck disable=SC2086
calls=$(objdump -dr --no-show-raw-insn $objects | awk '
    /file format/ { object = $1; sub(/.*\//, "", object); sub(/:$/, "", object) }
    /^[0-9a-f]+ <.*>:$/ { name = $2; gsub(/[<>:]/, "", name); sub(/\..*/, "", name) }
    / R_X86_64_/ { symbol = $3; sub(/[+-]0x.*/, "", symbol)
        if (symbol !~ /^\./) print object, name, symbol }' | sort -u)

bad=$(awk -v allowed="$allowed" -v set_up="$set_up" -v exceptions="$exceptions" '
    BEGIN {
        split(allowed, words, /[ \n]+/)
        for (i in words) may[words[i]] = 1
        lines = split(exceptions, line, "\n")
        for (i = 1; i <= lines; i++) {
            fields = split(line[i], field, " ")
            for (j = 2; j <= fields; j++) excused[field[1], field[j]] = 1
        }
    }
    NR == FNR { own[$1] = 1; next }
    $3 in own || $3 in may || $2 ~ set_up || ($2, $3) in excused { next }
    { print $1 ": " $2 " uses " $3 }' <(printf '%s\n' "$own") <(printf '%s\n' "$calls"))
if [ -n "$bad" ]; then
    printf '%s\n' "$bad"
    failed=1
fi

locks='\b(rte_(spin|rw|ticket|mcs|pf|seq)lock\w*|pthread_(mutex|rwlock|spin|cond)\w*|sem_wait|mtx_lock|cnd_wait|futex)\b'
if grep -rnE --include='*.[ch]' "$locks" "$root/dataplane"; then
    printf 'locks have no place in the dataplane\n'
    failed=1
fi
[ "$failed" -eq 0 ] && printf '%d calls looked at\n' "$(printf '%s\n' "$calls" | wc -l)"
exit "$failed"
