#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What runs on a worker makes no system call, takes no lock, uses no heap, prints nothing. This looks
# at the compiled dataplane (every object under dataplane/ of a build directory), function by
# function. What is used and not defined by the dataplane itself must be on the lists below: so
# neither the control plane nor drivers/ can be called, whose own code is all set-up. Locks that
# headers expand in place are looked for in the sources.
#
# First it looks at a file that breaks every rule, to see whether it would notice.
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
    __rseq_offset __rseq_size per_lcore__lcore_id rte_mempool_ops_table __rte_panic rte_eth_fp_ops rte_eth_call_rx_callbacks
    rte_eth_call_tx_callbacks __rte_pktmbuf_linearize rte_pktmbuf_copy rte_mempool_avail_count'

# FUNCTION SYMBOL...: what runs while the parts are created and taken apart, and what it may use
# beyond that. Nothing else may call these functions.
set_up='
    mailboxes_create aligned_alloc snprintf
    mailboxes_destroy free
    mailroom_create aligned_alloc
    mailroom_destroy free
    admission_init calloc
    admission_fini free
    ether_create calloc
    ether_destroy free
    interface_init inet_pton
    address_parse inet_pton strchr strtol
    neighbours_create calloc
    neighbours_destroy free
    tx_init calloc
    tx_close free
    fanouts_init calloc
    fanouts_free free
    flow_init calloc
    flow_fini free
    handover_create aligned_alloc calloc free rte_ring_create snprintf
    handover_destroy free rte_ring_free
    idle_init __errno_location epoll_create1 epoll_ctl eventfd rte_eth_dev_rx_intr_ctl_q_get_fd
    idle_close close
    matcher_init calloc
    matcher_free free
    mqtt_create calloc
    mqtt_destroy free
    region_reserve __errno_location madvise mmap64 munmap
    region_back __errno_location madvise
    region_release munmap
    remains_create calloc
    remains_destroy free
    router_create calloc
    router_destroy free
    routes_create aligned_alloc free
    routes_destroy free
    traces_init calloc
    traces_fini free
    tcp_create calloc free malloc
    tcp_destroy free
    interests_init
    interests_free
    trie_init calloc
    trie_free free
    worker_create aligned_alloc calloc snprintf
    worker_destroy free
    parts_open
    memory_open calloc
'

# FUNCTION SYMBOL...: the exceptions. A worker that has nothing to do sleeps in idle_sleep; idle_wake
# wakes one that has announced that it sleeps. The routes are changed by a control thread.
exceptions='
    idle_sleep epoll_pwait2 epoll_ctl read
    idle_wake write
    routes_change aligned_alloc
    routes_reclaim free
'

# look OBJECT...: each violation on a line. Words that stand in data, as in a table of functions, count
# as used by `data`.
look() {
    local own
    own=$(nm --defined-only "$@" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u)
    awk -v allowed="$allowed" -v set_up="$set_up" -v exceptions="$exceptions" '
    function excuse(list, is_set_up,    lines, line, fields, field, i, j) {
        lines = split(list, line, "\n")
        for (i = 1; i <= lines; i++) {
            fields = split(line[i], field, " ")
            for (j = 2; j <= fields; j++) excused[field[1], field[j]] = 1
            if (fields > 0 && is_set_up) early[field[1]] = 1
        }
    }
    BEGIN {
        split(allowed, words, /[ \n]+/)
        for (i in words) may[words[i]] = 1
        excuse(set_up, 1)
        excuse(exceptions, 0)
    }
    NR == FNR { own[$1] = 1; next }
    $3 in early && !($2 in early) { print $1 ": " $2 " uses " $3 ", which is for set-up"; next }
    $3 in own || $3 in may || ($2, $3) in excused { next }
    { print $1 ": " $2 " uses " $3 }' <(printf '%s\n' "$own") <(uses "$@")
}

# uses OBJECT...: lines of object, function, symbol.
uses() {
    {
        objdump -dr --no-show-raw-insn "$@"
        objdump -r "$@" | sed 's/^RELOCATION RECORDS FOR/section/'
    } | awk '
    /file format/ { object = $1; sub(/.*\//, "", object); sub(/:$/, "", object) }
    /^section / { name = $2 ~ /^\[\.(data|rodata|init_array|fini_array|bss|tdata)/ ? "data" : "" }
    /^Disassembly/ { name = "" }
    /^[0-9a-f]+ <.*>:$/ { name = $2; gsub(/[<>:]/, "", name); sub(/\..*/, "", name) }
    / R_X86_64_/ && name != "" { symbol = $3; sub(/[+-]0x.*/, "", symbol)
        if (symbol !~ /^\./) print object, name, symbol }' | sort -u
}

# Every rule is broken once; the names of functions and of what they use.
self_test() {
    local directory found pair missed=0
    directory=$(mktemp -d "${TMPDIR:-/tmp}/linemq-discipline.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$directory'" EXIT
    cat >"$directory/bad.c" <<'END'
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
void log_write(int level, const char *part, const char *format, ...);
int port_link_up(const void *port);
void trie_free(void *trie);
void trie_free(void *trie) { free(trie); }
int turn_logs(const void *port);
int turn_logs(const void *port) { log_write(1, "worker", "a turn"); return port_link_up(port); }
void thing_init(void);
void thing_init(void) { usleep(10); }
void *turn_allocates(size_t n);
void *turn_allocates(size_t n) { return malloc(n); }
void turn_takes_apart(void *trie);
void turn_takes_apart(void *trie) { trie_free(trie); memset(trie, 0, 1); }
extern time_t (*const table[])(time_t *);
time_t (*const table[])(time_t *) = {time};
END
    cc -O2 -fPIC -fno-inline -c -o "$directory/bad.c.o" "$directory/bad.c"
    found=$(look "$directory/bad.c.o")
    for pair in 'turn_logs uses log_write' 'turn_logs uses port_link_up' 'thing_init uses usleep' \
        'turn_allocates uses malloc' 'turn_takes_apart uses trie_free, which is for set-up' \
        'data uses time'; do
        if ! grep -qxF "bad.c.o: $pair" <<<"$found"; then
            printf 'this script does not find that %s\n' "$pair"
            missed=1
        fi
    done
    if [ "$(wc -l <<<"$found")" -ne 6 ]; then
        printf 'this script finds fault with what is good:\n%s\n' "$found"
        missed=1
    fi
    rm -rf "$directory"
    return "$missed"
}

self_test || exit 1

failed=0
mapfile -t objects < <(find "$1/dataplane" -name '*.c.o')
bad=$(look "${objects[@]}")
if [ -n "$bad" ]; then
    printf '%s\n' "$bad"
    failed=1
fi

locks='\b(rte_(spin|rw|ticket|mcs|pf|seq)lock\w*|pthread_(mutex|rwlock|spin|cond)\w*|sem_wait|mtx_lock|cnd_wait|futex)\b'
if grep -rnE --include='*.[ch]' "$locks" "$root/dataplane"; then
    printf 'locks have no place in the dataplane\n'
    failed=1
fi
[ "$failed" -eq 0 ] && printf '%d calls looked at\n' "$(uses "${objects[@]}" | wc -l)"
exit "$failed"
