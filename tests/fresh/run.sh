#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Shows that the commands of the README need nothing preinstalled: makes a bare Debian 12 root with
# debootstrap, copies a clean clone of HEAD into it, and runs each command there as root, from a fresh
# copy of that root.
#
# The commands install packages, which needs the machine's network, and run a broker, which gets a
# network namespace of its own here so that it meets nothing of the machine. So every command runs
# twice in the same root: first up to the end of its own installation, in the machine's namespace
# (`quickstart.sh --install-only`, `run.sh --install-only`), then as the README has it, in a new
# namespace, where it finds everything installed and has no network but its own.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tools/common.sh
. "$root/tools/common.sh"

help() {
    cat <<END
Usage: sudo tests/fresh/run.sh [OPTION...] [quickstart|tests|bench]...

Without names: quickstart and tests.

  --directory DIR   where the roots are made (a new directory, removed afterwards); about 4 GB
  --mirror URL      of the Debian archive; without it the first one of this machine's apt sources
  --keep            do not remove the roots
END
}

mirror=
directory=
keep=no
commands=()
given=("$@")
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        help
        exit 0
        ;;
    --directory) directory=${2?} && shift ;;
    --mirror) mirror=${2?} && shift ;;
    --keep) keep=yes ;;
    quickstart | tests | bench) commands+=("$1") ;;
    *) usage_error "unknown argument $1" ;;
    esac
    shift
done
[ ${#commands[@]} -gt 0 ] || commands=(quickstart tests)

require_root "${given[@]}"
require_tun
install_packages debootstrap git iproute2
if [ -z "$mirror" ]; then
    mirror=$(apt-cache policy | awk '$3 ~ /bookworm\/main/ { print $2; exit }')
fi
[ -n "$mirror" ] || die "no Debian archive among the apt sources; name one with --mirror"
directory=${directory:-$(mktemp -d "${TMPDIR:-/var/tmp}/linemq-fresh.XXXXXX")}
mkdir -p "$directory"

# Mounts live in a mount namespace of each command and are gone with it; what may be left are files.
clean_up() {
    [ "$keep" = yes ] || rm -rf --one-file-system "$directory"
}
trap clean_up EXIT

say "making a bare Debian 12 from $mirror"
debootstrap --variant=minbase bookworm "$directory/bare" "$mirror" >"$directory/debootstrap.log" ||
    die "debootstrap failed (log: $directory/debootstrap.log)"
git clone --quiet --no-local "$root" "$directory/bare/linemq"
git -C "$directory/bare/linemq" log -1 --format='clone of %h %s'
# How apt reaches the archive: as this machine does.
cp /etc/resolv.conf "$directory/bare/etc/resolv.conf" 2>/dev/null || true
for file in /etc/apt/apt.conf.d/*[Pp]roxy* /etc/apt/apt.conf; do
    [ ! -f "$file" ] || cp "$file" "$directory/bare/etc/apt/apt.conf.d/"
done

# inside ROOT NAMESPACE COMMAND: in that root with its own mounts, in the network namespace `host` or
# `own`, with a plain environment.
inside() {
    local target=$1 namespace=(--mount --pid --fork --ipc --uts) command=$3
    [ "$2" = host ] || namespace+=(--net)
    # shellcheck disable=SC2016
    unshare "${namespace[@]}" bash -c '
        set -e
        mount -t proc proc "$1/proc"
        mount -t sysfs -o ro sysfs "$1/sys"
        mount --rbind /dev "$1/dev"
        mount -t tmpfs tmpfs "$1/run"
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb CI="$3" \
            ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
            chroot "$1" bash -c "cd /linemq && $2"' inside "$target" "$command" "${CI-}"
}

# Starts it, lets a client from Debian talk to it, presses Ctrl-C.
# shellcheck disable=SC2016
quickstart='
    tools/quickstart.sh >/tmp/output & pid=$!
    until grep -q ^ready /tmp/output; do kill -0 $pid || exit 1; sleep 0.2; done
    cat /tmp/output
    mosquitto_sub -h 10.88.0.2 -t fresh -C 1 -W 20 & sub=$!
    sleep 1
    mosquitto_pub -h 10.88.0.2 -t fresh -m "a message came through" -q 1
    wait $sub
    build/ctl status
    kill $pid
    wait $pid
    ! ip link show dev linemq0 2>/dev/null
    ! test -e /run/linemq/ctl.sock'

failed=0
for name in "${commands[@]}"; do
    case $name in
    quickstart) script=tools/quickstart.sh command=$quickstart ;;
    tests) script=tests/run.sh command=tests/run.sh ;;
    bench) script=bench/run.sh command=bench/run.sh ;;
    esac
    say "== $script"
    cp -a "$directory/bare" "$directory/$name"
    if inside "$directory/$name" host "$script --install-only" &&
        inside "$directory/$name" own "set -e; $command"; then
        say "== $script: works from a bare Debian 12"
    else
        say "== $script: FAILED"
        failed=$((failed + 1))
    fi
    [ "$keep" = yes ] || rm -rf --one-file-system "${directory:?}/$name"
done
printf '%d passed, %d failed\n' $((${#commands[@]} - failed)) "$failed"
[ "$failed" -eq 0 ]
