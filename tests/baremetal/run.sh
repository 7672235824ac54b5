#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Rehearses the port kind `pci` on an emulated machine with an IOMMU and an Intel NIC (82574, e1000e):
# hands the NIC over to vfio-pci as README.md says, runs linemqd on it, lets clients outside of the
# machine talk to it, pulls the cable, and provokes what goes wrong for users. Then once more without
# an IOMMU, with uio_pci_generic. The last line is `N passed, M failed`.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tools/common.sh
. "$root/tools/common.sh"

help() {
    cat <<END
Usage: sudo tests/baremetal/run.sh [OPTION...]

Installs what is missing, builds, downloads Debian's kernel (once, about 70 MB), and boots it twice in
QEMU under software emulation: some minutes, no hardware needed, nothing of this machine changed.

  --build-dir DIR  where to build; DIR/baremetal keeps the kernel and the logs    (default build)
  --no-install     install nothing
  --help
END
}

given=("$@")
build=$root/build
install=yes
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        help
        exit 0
        ;;
    --build-dir)
        [ -n "${2-}" ] || usage_error "$1 needs a value"
        build=$(realpath -m "$2")
        shift
        ;;
    --no-install) install=no ;;
    *) usage_error "unknown argument $1" ;;
    esac
    shift
done

require_root "${given[@]}"
if [ "$install" = yes ]; then
    install_packages "${build_packages[@]}" "${run_packages[@]}" \
        qemu-system-x86 busybox-static iputils-ping
fi
require_tun
configure "$build" --buildtype=release
compile "$build" linemqd ctl
work=$build/baremetal
mkdir -p "$work"
# shellcheck source=tests/baremetal/machine.sh
. "$root/tests/baremetal/machine.sh"
# shellcheck source=tests/baremetal/cases.sh
. "$root/tests/baremetal/cases.sh"

cat >"$work/linemq.yaml" <<END
workers:
  count: 2
ports:
  - kind: pci
    device: $nic
    address: 10.88.0.2/24
    address6: fd88::2/64
END

results=$work/results
: >"$results"
clean_up() {
    machine_stop
    ip netns delete "$namespace" 2>/dev/null || true
    rm -f "$work/initrd" "$work"/*.in "$work"/*.out
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# check NAME COMMAND...: what it prints is shown when it fails.
check() {
    local name=$1 began=$SECONDS verdict=ok
    shift
    "$@" >"$work/output" 2>&1 || verdict='not ok'
    [ "$verdict" = ok ] || tail -n 40 "$work/output"
    printf '%-6s  %s (%d s)\n' "$verdict" "$name" $((SECONDS - began))
    printf '%s\n' "$verdict" >>"$results"
    [ "$verdict" = ok ] || inside true >/dev/null || die "the machine is gone (logs: $work)"
}

kernel_get
files_make "$work/linemq.yaml"
network_make

say "== with an IOMMU"
machine_start -device intel-iommu,intremap=off,caching-mode=on
inside 'sysctl -w vm.nr_hugepages=140' >/dev/null
check 'an address that no NIC has: the NICs are named' \
    refused "the NICs of this machine: $nic (driver e1000e), $pair.0" --set 'ports[0].device=01:00.0'
check 'the address of another device: the NICs are named' \
    refused "this PCI device is no NIC" --set 'ports[0].device=00:1f.2'
check 'a NIC of the kernel: what hands it over is named' \
    refused "its driver is e1000e, not vfio-pci; \`dpdk-devbind.py --bind=vfio-pci $nic\`"
check 'the NIC of the default route is refused' default_route_refused
check 'the NIC is handed over to vfio-pci' handed_over vfio-pci
check 'without the IOMMU module of vfio: it is named' \
    refused 'modprobe vfio_iommu_type1'
inside 'modprobe vfio_iommu_type1' >/dev/null
hand_over vfio-pci "$pair.0" >/dev/null
check 'another device in the IOMMU group: it is said' \
    refused 'other devices of its IOMMU group' --set "ports[0].device=$pair.0"
check 'without interrupt remapping: the setting is named' \
    refused 'allow_unsafe_interrupts'
inside 'echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts'
check 'without the driver of DPDK: its package is named' driver_missing
check 'an MTU beyond the packet buffers is refused' \
    refused 'mtu: 9000 is outside of' --set 'ports[0].mtu=9000'

check 'it starts without a cable, and says so' starts_without_cable
check 'the cable comes: link up, 1000 Mbit/s' cable_comes
check 'ping, IPv4 and IPv6' ping_both
check 'QoS 0, 1 and 2 between clients, IPv4 and IPv6' messages
check 'messages of 500 KB come through unchanged' large_message
check 'checksums are left to the NIC' \
    port_has '"offloads": ["rx-checksum", "tx-ipv4-checksum", "tx-tcp-checksum"]'
check 'two workers share clients of a NIC with one queue' workers_share
check 'bad checksums are dropped and counted' bad_frames
check 'the cable is pulled and put back' cable_pulled
check 'a second broker on the NIC is refused' \
    refused 'another LineMQ runs on this device' --set control.socket=/run/second.sock
check 'another process on the NIC: it is said' process_refused
inside 'ctl status; ctl port list; ctl worker list; ctl drops' >"$work/ctl.log"
check 'SIGTERM ends it within two seconds' broker_end
check 'the NIC stays with vfio-pci' driver_is vfio-pci

check 'IP packets of 2000 bytes' large_frames
check 'killed, it starts again' killed_and_again
check 'another MAC address' other_mac
inside 'sysctl -w vm.nr_hugepages=0' >/dev/null
check 'with an IOMMU it runs without hugepages' runs_without_hugepages
check 'the kernel gets the NIC back' given_back
machine_stop

say "== without an IOMMU"
machine_start
check 'vfio-pci without an IOMMU: the ways out are named' vfio_without_iommu
check 'the NIC is handed over to uio_pci_generic' handed_over uio_pci_generic
check 'without hugepages: they are asked for' refused 'without vfio-pci it needs hugepages'
inside 'sysctl -w vm.nr_hugepages=140' >/dev/null
check 'with hugepages it runs' broker_runs
check 'the kernel gets the NIC back' given_back
machine_stop

printf 'took %d s\n' "$SECONDS"
passed=$(grep -c '^ok' "$results" || true)
failed=$(grep -c '^not ok' "$results" || true)
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
