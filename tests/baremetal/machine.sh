# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
#
# The emulated machine of run.sh: its kernel, its files, its network, and how it is spoken to. To be
# sourced by bash with `set -euo pipefail`; the caller sets `work` (a directory for what is made here),
# `build` (with linemqd and ctl), `root` and the names below, and has sourced tools/common.sh.

: "${root:?}" "${work:?}" "${build:?}"

nic=0000:00:05.0       # in the machine
pair=0000:00:06         # two older NICs (82540, e1000) that share an IOMMU group
nic_mac=52:54:00:4c:51:05
lifetime=900           # seconds until a machine is ended whatever it does
patience=60            # seconds for one command in it
namespace=linemq-baremetal-$$
machine=               # its process

# Debian's kernel, downloaded and not installed: $work/kernel has vmlinuz and the modules.
kernel_get() {
    local package module patterns=('./boot/vmlinuz*' './lib/modules/*/modules.*')
    package=$(apt-cache depends linux-image-amd64 | awk '$1 == "Depends:" { print $2; exit }')
    [ -n "$package" ] || die "apt knows no linux-image-amd64; apt-get update"
    [ ! -f "$work/kernel/$package" ] || return 0
    say "downloading $package"
    rm -rf "$work/kernel"
    mkdir -p "$work/kernel"
    (cd "$work/kernel" && apt-get -q download "$package" >download.log 2>&1) ||
        die "apt-get download $package failed (log: $work/kernel/download.log)"
    for module in e1000 e1000e irqbypass vfio vfio_virqfd vfio_iommu_type1 vfio-pci-core vfio-pci uio \
        uio_pci_generic; do
        patterns+=("*/$module.ko")
    done
    dpkg-deb --fsys-tarfile "$work/kernel/"*.deb |
        tar -x -C "$work/kernel" --wildcards "${patterns[@]}"
    mv "$work/kernel/boot/vmlinuz"* "$work/kernel/vmlinuz"
    rm "$work/kernel/"*.deb
    touch "$work/kernel/$package"
}

# $work/initrd: busybox, linemqd, ctl, and what they load. Libraries keep their places, as DPDK finds
# its drivers by theirs.
files_make() { # CONFIGURATION
    local files=$work/files pmds library
    pmds=$(pkg-config --variable=libdir libdpdk)/dpdk/pmds-23.0
    [ -d "$pmds" ] || die "no drivers of DPDK in $pmds"
    rm -rf "$files"
    mkdir -p "$files/bin" "$files/etc" "$files/usr/lib" "$files/usr/lib64"
    ln -s usr/lib "$files/lib"
    ln -s usr/lib64 "$files/lib64"
    cp -r "$work/kernel/lib/modules" "$files/usr/lib/"
    cp "$(command -v busybox)" "$build/linemqd" "$build/ctl" "$files/bin/"
    cp "$root/tests/baremetal/init" "$files/init"
    cp "$1" "$files/etc/linemq.yaml"
    {
        realpath "$pmds"
        ldd "$build/linemqd" "$build/ctl" "$pmds"/*.so |
            awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }' | sort -u |
            while read -r library; do
                printf '%s/%s\n' "$(realpath "${library%/*}")" "${library##*/}"
                realpath "$library"
            done
    } | sed 's,^/,,' | sort -u | tar -C / -c -T - | tar -x -C "$files"
    (cd "$files" && find . | busybox cpio -o -H newc | gzip -1) >"$work/initrd" 2>/dev/null
    rm -rf "$files"
}

# A namespace with one TAP interface, `wire`, whose other end is the NIC of the machine.
network_make() {
    ip netns add "$namespace"
    ip -n "$namespace" link set lo up
    ip -n "$namespace" tuntap add dev wire mode tap
    ip -n "$namespace" link set wire mtu 2000 up
    ip -n "$namespace" address add 10.88.0.1/24 dev wire
    ip -n "$namespace" address add fd88::1/64 dev wire nodad
}

outside() { # COMMAND...: on the other end of the wire
    ip netns exec "$namespace" "$@"
}

# machine_start [OPTION-OF-QEMU...]: boots; ready when it answers.
machine_start() {
    local name
    for name in command monitor; do
        rm -f "$work/$name.in" "$work/$name.out"
        mkfifo "$work/$name.in" "$work/$name.out"
    done
    ip netns exec "$namespace" timeout -k 5 "$lifetime" qemu-system-x86_64 \
        -accel tcg -machine q35 -cpu max -smp 3 -m 1536 -nodefaults -display none -no-reboot \
        -kernel "$work/kernel/vmlinuz" -initrd "$work/initrd" \
        -append 'console=ttyS0 panic=-1 intel_iommu=on' "$@" \
        -netdev tap,id=wire,ifname=wire,script=no,downscript=no,vnet_hdr=off \
        -device "e1000e,id=nic,netdev=wire,mac=$nic_mac,addr=5.0" \
        -device e1000,addr=6.0,multifunction=on -device e1000,addr=6.1 \
        -serial "file:$work/console.log" -serial "pipe:$work/command" \
        -chardev "pipe,id=monitor,path=$work/monitor" -mon chardev=monitor \
        </dev/null >"$work/qemu.log" 2>&1 &
    machine=$!
    exec {to}<>"$work/command.in" {from}<>"$work/command.out" {monitor}<>"$work/monitor.in"
    answer >"$work/boot.log" || die "the machine did not boot (log: $work/console.log, qemu.log)"
}

machine_stop() {
    [ -n "$machine" ] || return 0
    kill "$machine" 2>/dev/null || true
    wait "$machine" 2>/dev/null || true
    machine=
    exec {to}>&- {from}>&- {monitor}>&-
}

# What a command printed; its status.
answer() {
    local line
    while read -r -t "$patience" -u "$from" line; do
        case $line in
        '@@ '*) return "${line#@@ }" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done
    printf 'the machine does not answer\n'
    return 125
}

inside() { # COMMAND: shell for the machine; its lines are joined with blanks
    printf '%s\n' "${1//$'\n'/ }" >&"$to"
    answer
}

monitor() { # COMMAND: of QEMU's monitor
    printf '%s\n' "$1" >&"$monitor"
}
