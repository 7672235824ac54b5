# SPDX-License-Identifier: Apache-2.0
"""Reads what `ctl capture` writes: a pcapng file with Ethernet frames, down to TCP."""

import ipaddress
import struct


class Packet:
    """A frame: direction ("in", "out"), time in seconds, and of TCP addresses, ports, flags, payload."""

    def __init__(self, interface, time, data, wire_len, sent):
        self.interface, self.time, self.data, self.wire_len = interface, time, data, wire_len
        self.direction = "out" if sent else "in"
        self.tcp = False
        self.payload = b""
        kind, = struct.unpack_from("!H", data, 12)
        if kind == 0x0800:
            ip = data[14:]
            at, protocol = (ip[0] & 15) * 4, ip[9]
            self.source, self.destination = (str(ipaddress.ip_address(ip[i:i + 4]))
                                             for i in (12, 16))
            length, = struct.unpack_from("!H", ip, 2)
        elif kind == 0x86dd:
            ip = data[14:]
            at, protocol = 40, ip[6]
            self.source, self.destination = (str(ipaddress.ip_address(ip[i:i + 16]))
                                             for i in (8, 24))
            length = 40 + struct.unpack_from("!H", ip, 4)[0]
        else:
            return
        if protocol != 6:
            return
        self.tcp = True
        tcp = ip[at:length]
        self.source_port, self.destination_port = struct.unpack_from("!HH", tcp)
        self.seq, self.ack = struct.unpack_from("!II", tcp, 4)
        self.flags = tcp[13]
        self.payload = bytes(tcp[(tcp[12] >> 4) * 4:])

    @property
    def client_port(self):
        return self.source_port if self.direction == "in" else self.destination_port


def read(path):
    """The names of the interfaces, the packets, and the last block's statistics."""
    with open(path, "rb") as file:
        data = file.read()
    interfaces, packets, statistics = [], [], {}
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        assert size % 4 == 0 and size >= 12 and at + size <= len(data), f"a bad block at {at}"
        assert struct.unpack_from("<I", data, at + size - 4)[0] == size
        body = data[at + 8:at + size - 4]
        if kind == 0x0a0d0d0a:
            assert at == 0 and struct.unpack_from("<IHH", body) == (0x1a2b3c4d, 1, 0)
        elif kind == 1:
            assert struct.unpack_from("<H", body)[0] == 1  # Ethernet
            interfaces.append(options(body[8:])[2].decode())
        elif kind == 6:
            interface, high, low, length, wire_len = struct.unpack_from("<IIIII", body)
            frame = body[20:20 + length]
            flags, = struct.unpack("<I", options(body[20 + (length + 3) // 4 * 4:])[2])
            packets.append(Packet(interface, (high << 32 | low) / 1e6, frame, wire_len,
                                  flags & 3 == 2))
        elif kind == 5:
            found = options(body[12:])
            statistics = {name: struct.unpack("<Q", found[code])[0]
                          for name, code in (("written", 4), ("missed", 5))}
        else:
            raise AssertionError(f"a block of type {kind:#x}")
        at += size
    return interfaces, packets, statistics


def options(data):
    found, at = {}, 0
    while at < len(data):
        code, length = struct.unpack_from("<HH", data, at)
        if code == 0:
            break
        found[code] = data[at + 4:at + 4 + length]
        at += 4 + (length + 3) // 4 * 4
    return found
