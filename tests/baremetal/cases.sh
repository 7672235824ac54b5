# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016
#
# What run.sh checks on the emulated machine. To be sourced after machine.sh; the sentences expected here
# are those of drivers/pci_device.c.

: "${root:?}" "${work:?}" "${build:?}" "${nic:?}" "${nic_mac:?}" "${namespace:?}"

# until_true SECONDS COMMAND...
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.5
    done
}

# As README.md says.
hand_over() { # DRIVER ADDRESS
    inside "modprobe $1 && echo $1 >/sys/bus/pci/devices/$2/driver_override
        && { [ ! -e /sys/bus/pci/devices/$2/driver ]
            || echo $2 >/sys/bus/pci/devices/$2/driver/unbind; }
        ; echo $2 >/sys/bus/pci/drivers_probe"
}

handed_over() { # DRIVER
    hand_over "$1" "$nic" && driver_is "$1"
}

driver_is() { # DRIVER
    [ "$(inside "basename \$(readlink /sys/bus/pci/devices/$nic/driver)")" = "$1" ]
}

# refused TEXT ARGUMENT...: linemqd does not start and says TEXT.
refused() {
    local text=$1 status=0
    shift
    inside "timeout 30 linemqd --config /etc/linemq.yaml $*" >"$work/said" || status=$?
    cat "$work/said"
    [ "$status" -eq 1 ] && grep -qF -- "$text" "$work/said"
}

default_route_refused() {
    local verdict=0
    inside 'ip link set eth0 up; ip addr add 10.88.0.3/24 dev eth0
        ; ip route add default via 10.88.0.1'
    refused 'it is eth0, which carries this machine' || verdict=1
    inside 'ip route del default; ip addr flush dev eth0; ip link set eth0 down'
    return $verdict
}

driver_missing() {
    local verdict=0 drivers='/usr/lib/*/dpdk/pmds-*'
    inside "mkdir /tmp/away; mv $drivers/librte_net_e1000* /tmp/away"
    refused 'no driver of DPDK knows this device (8086:10d3)' || verdict=1
    inside "mv /tmp/away/* $drivers/"
    return $verdict
}

# Its network namespace is another, so that it meets no lock of ours.
process_refused() {
    local status=0
    inside 'sysctl -w vm.nr_hugepages=280; unshare -n timeout 30 linemqd
        --config /etc/linemq.yaml --set control.socket=/run/second.sock' >"$work/said" || status=$?
    cat "$work/said"
    [ "$status" -eq 1 ] && grep -F 'another process drives it' "$work/said"
}

vfio_without_iommu() {
    hand_over vfio-pci "$nic"
    refused 'vfio-pci cannot have it without an IOMMU'
}

said() { # TEXT: by the broker that was started
    inside "grep -F '$1' /run/log"
}

broker_start() { # ARGUMENT...
    inside "linemqd --config /etc/linemq.yaml $* >/run/log 2>&1 & echo \$! >/run/pid"
    until_true 40 said 'running:' || { inside 'cat /run/log' && false; }
}

# Two seconds are what linemqd promises, but for $slack.
broker_end() {
    inside "pid=\$(cat /run/pid); kill \$pid; for i in \$(seq $((20 + 10 * ${slack:-0}))); do
        kill -0 \$pid 2>/dev/null || exit 0; sleep 0.1; done; exit 1"
}

broker_runs() { # ARGUMENT...: starts, answers, ends
    local verdict=0
    { broker_start "$@" && until_true 15 link_is up && ping_both && one_message 1; } || verdict=1
    broker_end && return $verdict
}

number() { # NAME: a counter
    inside "ctl counters --json" | grep -F "\"name\": \"$1\"" | sed 's/.*"count": \([0-9]*\).*/\1/'
}

port_has() { # TEXT
    inside 'ctl port list --json' | grep -F -- "$1"
}

link_is() { # up|down
    port_has "\"link\": \"$1\""
}

ping_both() {
    outside ping -c 2 -W 5 10.88.0.2 && outside ping -c 2 -W 5 fd88::2
}

# one_message QOS [BROKER [FILE]]: from one client to another, compared.
one_message() {
    local broker=${2:-10.88.0.2} file=${3:-$work/linemq.yaml} subscriber
    outside mosquitto_sub -h "$broker" -t "from/$1" -q "$1" -C 1 -N -W 30 >"$work/received" &
    subscriber=$!
    until_true 15 subscribed "from/$1"
    outside timeout 30 mosquitto_pub -h "$broker" -t "from/$1" -q "$1" -f "$file"
    wait "$subscriber" && cmp "$file" "$work/received"
}

subscribed() { # FILTER
    inside 'ctl sub list --json' | grep -F "\"$1\""
}

messages() {
    local qos broker
    for qos in 0 1 2; do
        for broker in 10.88.0.2 fd88::2; do
            one_message $qos $broker || return
        done
    done
}

large_message() {
    head -c 500000 "$build/linemqd" >"$work/large"
    one_message 2 10.88.0.2 "$work/large" && one_message 1 fd88::2 "$work/large"
}

# Of 20 clients both workers get some, though all frames come in through one queue.
workers_share() {
    local i pids=() verdict=0
    for i in $(seq 20); do
        ip netns exec "$namespace" mosquitto_sub -h 10.88.0.2 -t "crowd/$i" -W 30 \
            >"$work/crowd" 2>&1 &
        pids+=($!)
    done
    until_true 20 subscribed crowd/20 || verdict=1
    inside 'ctl worker list --json'
    [ "$(inside 'ctl worker list --json' | grep -c '"connected": 0,')" -eq 0 ] || verdict=1
    [ "$(number worker.handed_over)" -gt 0 ] || verdict=1
    kill "${pids[@]}" || true
    wait "${pids[@]}" || true
    port_has '"queues": 1' && return $verdict
}

# The NIC finds bad checksums, and so does the broker where the NIC only leaves the mark out.
bad_frames() {
    outside /usr/bin/python3 "$root/tests/baremetal/bad_frames.py" wire "$nic_mac" &&
        until_true 5 counted ipv4.checksum 3 && until_true 5 counted ether.tcp_checksum 3
}

counted() { # NAME COUNT
    [ "$(number "$1")" -eq "$2" ]
}

starts_without_cable() {
    monitor 'set_link nic off'
    broker_start && link_is down && until_true 15 said 'no link' && link_is down
}

cable_comes() {
    monitor 'set_link nic on'
    until_true 15 said 'link up' && link_is up && port_has '"speed_mbit": 1000'
}

# A client lives through it, and what was published meanwhile arrives.
cable_pulled() {
    local subscriber
    outside mosquitto_sub -h 10.88.0.2 -t cable -q 1 -C 1 -W 60 >"$work/received" &
    subscriber=$!
    until_true 15 subscribed cable && monitor 'set_link nic off' &&
        until_true 15 said 'link down' && link_is down &&
        inside 'ctl publish cable --message meanwhile --qos 1' && sleep 2 &&
        monitor 'set_link nic on' && until_true 15 link_is up && wait "$subscriber" &&
        grep -x meanwhile "$work/received"
}

# The kernel takes back page after page when it ends; an emulated IOMMU makes that slow.
runs_without_hugepages() {
    local slack=8
    broker_runs && said 'packet buffers are in ordinary memory'
}

large_frames() {
    local verdict=0
    { broker_start --set 'ports[0].mtu=2000' && until_true 15 link_is up &&
        outside ping -c 2 -W 5 -M "do" -s 1972 10.88.0.2; } || verdict=1
    broker_end && return $verdict
}

other_mac() {
    broker_runs --set 'ports[0].mac=02:00:00:00:00:09' &&
        outside ip neighbour show 10.88.0.2 | grep 02:00:00:00:00:09
}

killed_and_again() {
    broker_start && inside 'kill -9 $(cat /run/pid)' && sleep 1 && broker_runs
}

# The kernel gets the NIC back as it was.
given_back() {
    inside "echo >/sys/bus/pci/devices/$nic/driver_override
        ; echo $nic >/sys/bus/pci/devices/$nic/driver/unbind
        ; echo $nic >/sys/bus/pci/drivers_probe" && driver_is e1000e &&
        inside "cat /sys/bus/pci/devices/$nic/net/*/address" | grep -x "$nic_mac" &&
        inside "ip addr add 10.88.0.3/24 dev eth0; ip link set eth0 up; sleep 4
            ; ping -c 2 -W 5 10.88.0.1"
}
