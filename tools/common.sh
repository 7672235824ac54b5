# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
#
# What the scripts a user runs have in common: messages, checks, packages, builds. To be sourced by
# bash with `set -euo pipefail`; the caller sets `root` to the repository's root.

: "${root:?}"

# What the broker is built with, and what quickstart.sh runs: Debian 12 packages.
build_packages=(
    meson ninja-build pkg-config gcc g++
    libdpdk-dev libssl-dev libjemalloc-dev libyaml-dev libjansson-dev
    libuv1-dev libedit-dev libxxhash-dev
)
run_packages=(iproute2 mosquitto-clients)

say() {
    printf '%s\n' "$*" >&2
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

usage_error() {
    printf '%s: %s; see --help\n' "${0##*/}" "$*" >&2
    exit 2
}

# require_root OPTION...: those the user gave, for the hint.
require_root() {
    [ "$(id -u)" -eq 0 ] ||
        die "must run as root (it creates a network interface): sudo$(printf ' %q' "$0" "$@")"
}

# "debian 12", or what it is instead.
distribution() {
    # shellcheck source=/dev/null
    (. /etc/os-release 2>/dev/null && printf '%s %s\n' "${ID:-unknown}" "${VERSION_ID:-}") ||
        printf 'an unknown distribution\n'
}

# Of the named packages those that are not installed, one a line.
missing_packages() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            printf '%s\n' "$package"
    done
}

# Has a log made for a step, in $log, which a subshell that calls this removes when it ends, also when
# it is interrupted. keep_log: what went wrong can be read there.
make_log() {
    log=$(mktemp "${TMPDIR:-/tmp}/linemq-$1.XXXXXX")
    trap 'rm -f "$log"' EXIT
    trap 'exit 130' INT TERM HUP
}

keep_log() {
    trap - EXIT
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 "$@" </dev/null
}

# Installs what is missing of the named packages; says nothing when nothing is. Only on Debian 12:
# elsewhere the names and versions mean something else.
install_packages() (
    if [ "$(distribution)" != "debian 12" ]; then
        die "packages are installed on Debian 12 only; this is $(distribution)." \
            "Install what corresponds to: $* -- then try --no-install"
    fi
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || die "must run as root to install: ${missing[*]}"
    make_log apt
    say "installing ${missing[*]} (log: $log)"
    # The lists on the machine may be absent or older than the archive: then once more with new ones.
    if ! apt_get install --no-install-recommends "${missing[@]}" >"$log" 2>&1 &&
        ! { apt_get update && apt_get install --no-install-recommends "${missing[@]}"; } \
            >>"$log" 2>&1; then
        keep_log
        tail -n 15 "$log" >&2
        die "apt-get could not install: ${missing[*]} (whole log: $log)"
    fi
)

# What a build without an installation needs: says exactly what is absent.
require_build_tools() {
    local absent=() tool library
    for tool in meson ninja cc c++ pkg-config; do
        command -v "$tool" >/dev/null || absent+=("$tool")
    done
    if command -v pkg-config >/dev/null; then
        for library in libdpdk libcrypto jemalloc libuv jansson yaml-0.1 libedit libxxhash; do
            pkg-config --exists "$library" || absent+=("$library (pkg-config)")
        done
    fi
    [ ${#absent[@]} -eq 0 ] ||
        die "cannot build without:$(printf ' %s,' "${absent[@]}" | sed 's/,$//')." \
            "On Debian 12: apt-get install ${build_packages[*]}"
}

# The TAP driver of the kernel. Loads the module, creates no device node.
require_tun() {
    if [ ! -c /dev/net/tun ] && command -v modprobe >/dev/null; then
        modprobe tun 2>/dev/null || true
    fi
    [ -c /dev/net/tun ] ||
        die "/dev/net/tun is missing: load the kernel module (modprobe tun); in a container, pass the" \
            "device in (docker run --device /dev/net/tun --cap-add NET_ADMIN)"
    (exec 3<>/dev/net/tun) 2>/dev/null ||
        die "/dev/net/tun cannot be opened: this container may not use it (--device /dev/net/tun)"
}

# configure DIR OPTION...: sets a build directory up, or sets the options of an existing one.
configure() (
    directory=$1
    shift
    make_log meson
    if [ -f "$directory/build.ninja" ]; then
        meson configure "$directory" "$@" >"$log" 2>&1
    else
        meson setup "$directory" "$root" "$@" >"$log" 2>&1
    fi || {
        keep_log
        tail -n 30 "$log" >&2
        die "meson could not configure $directory (whole log: $log)"
    }
)

# compile DIR [TARGET...]: quiet when all is well, the compiler's words when not.
compile() (
    directory=$1
    shift
    make_log build
    if ! ninja -C "$directory" "$@" >"$log" 2>&1; then
        keep_log
        grep -v '^\[[0-9]*/[0-9]*\] ' "$log" | tail -n 60 >&2
        die "the build in $directory failed (whole log: $log)"
    fi
)
