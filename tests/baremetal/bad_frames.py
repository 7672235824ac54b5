#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends three TCP SYNs with a bad IPv4 checksum and three with a bad TCP checksum to the broker.

bad_frames.py INTERFACE MAC
"""
import socket
import struct
import sys

COUNT = 3
CLIENT, BROKER = socket.inet_aton("10.88.0.1"), socket.inet_aton("10.88.0.2")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def syn(port, damage_ip, damage_tcp):
    def tcp(value):
        return struct.pack("!HHIIBBHHH", port, 1883, 1, 0, 5 << 4, 2, 65535, value, 0)

    def ip(value):
        return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, value, CLIENT, BROKER)
    pseudo = CLIENT + BROKER + struct.pack("!BBH", 0, 6, 20)
    return ip(checksum(ip(0)) ^ damage_ip) + tcp(checksum(pseudo + tcp(0)) ^ damage_tcp)


def main(interface, mac):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((interface, 0))
    ours = wire.getsockname()[4]
    header = bytes.fromhex(mac.replace(":", "")) + ours + b"\x08\x00"
    for i in range(COUNT):
        wire.send(header + syn(50000 + i, 0x0101, 0))
        wire.send(header + syn(51000 + i, 0, 0x0101))


if __name__ == "__main__":
    main(*sys.argv[1:])
