# SPDX-License-Identifier: Apache-2.0
"""MQTT 3.1.1 packets by hand, and a client that can also say what no client should."""

import socket
import struct

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = range(8, 15)


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(value)) + value


def length(value):
    """The variable length encoding of a fixed header (section 2.2.3)."""
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def packet(kind, flags, body=b""):
    return bytes([kind << 4 | flags]) + length(len(body)) + body


def connect(client_id, clean=True, keep_alive=0, will=None, username=None, password=None,
            name="MQTT", level=4):
    flags = 2 if clean else 0
    payload = text(client_id)
    if will is not None:
        topic, message, qos, retain = will
        flags |= 4 | qos << 3 | (0x20 if retain else 0)
        payload += text(topic) + text(message)
    if username is not None:
        flags |= 0x80
        payload += text(username)
    if password is not None:
        flags |= 0x40
        payload += text(password)
    return packet(CONNECT, 0, text(name) + bytes([level, flags]) + struct.pack("!H", keep_alive)
                  + payload)


def publish(topic, payload=b"", qos=0, identifier=1, retain=False, dup=False):
    body = text(topic) + (struct.pack("!H", identifier) if qos else b"")
    body += payload.encode() if isinstance(payload, str) else payload
    return packet(PUBLISH, (8 if dup else 0) | qos << 1 | (1 if retain else 0), body)


def acknowledgement(kind, identifier):
    return packet(kind, 2 if kind == PUBREL else 0, struct.pack("!H", identifier))


def subscribe(*filters, identifier=1):
    return packet(SUBSCRIBE, 2, struct.pack("!H", identifier)
                  + b"".join(text(f) + bytes([qos]) for f, qos in filters))


def unsubscribe(*filters, identifier=1):
    return packet(UNSUBSCRIBE, 2, struct.pack("!H", identifier) + b"".join(map(text, filters)))


class Packet:
    def __init__(self, kind, flags, body):
        self.kind, self.flags, self.body = kind, flags, body
        self.qos, self.dup, self.retain = flags >> 1 & 3, bool(flags & 8), bool(flags & 1)
        self.topic = self.payload = self.identifier = None
        if kind == PUBLISH:
            size, = struct.unpack_from("!H", body)
            self.topic = body[2:2 + size].decode()
            rest = body[2 + size:]
            if self.qos:
                self.identifier, = struct.unpack_from("!H", rest)
                rest = rest[2:]
            self.payload = rest
        elif kind in (PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK):
            self.identifier, = struct.unpack_from("!H", body)

    def __repr__(self):
        return f"Packet(kind={self.kind} flags={self.flags:x} body={self.body[:40]!r})"


class Wire:
    """A connection that sends what it is told, byte for byte, and acknowledges nothing by itself."""

    def __init__(self, address, port=1883, timeout=10, source_port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(timeout)
        if source_port:
            self.socket.bind(("::" if ":" in address else "0.0.0.0", source_port))
        try:
            self.socket.connect((address, port))
        except OSError:
            self.socket.close()
            raise
        self.buffer = b""
        self.client_id = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def abort(self):
        """A reset instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))
        return self

    def _more(self):
        chunk = self.socket.recv(65536)
        if not chunk:
            raise EOFError("the broker closed the connection")
        self.buffer += chunk

    def receive(self, kind=None):
        """The next packet; of that kind, or it is an error. TimeoutError when none comes."""
        while True:
            size = shift = 0
            for at in range(1, 5):
                if at >= len(self.buffer):
                    break
                digit = self.buffer[at]
                size |= (digit & 127) << shift
                shift += 7
                if not digit & 128:
                    if len(self.buffer) < at + 1 + size:
                        break
                    body = self.buffer[at + 1:at + 1 + size]
                    found = Packet(self.buffer[0] >> 4, self.buffer[0] & 15, body)
                    self.buffer = self.buffer[at + 1 + size:]
                    if kind is not None and found.kind != kind:
                        raise AssertionError(f"expected packet type {kind}, got {found}")
                    return found
            self._more()

    def closed(self):
        """Waits until the broker closes; anything it says before is an error."""
        try:
            found = self.receive()
        except (EOFError, ConnectionResetError, BrokenPipeError):
            return True
        raise AssertionError(f"expected the connection to be closed, got {found}")

    def connect(self, client_id, expect=0, **options):
        """CONNECT and its CONNACK; returns session present."""
        self.client_id = client_id
        self.send(connect(client_id, **options))
        answer = self.receive(CONNACK)
        assert answer.body[1] == expect, f"CONNACK code {answer.body[1]}, expected {expect}"
        return bool(answer.body[0])

    def subscribe(self, *filters, identifier=1):
        self.send(subscribe(*filters, identifier=identifier))
        return list(self.receive(SUBACK).body[2:])

    def ping(self):
        self.send(packet(PINGREQ, 0))
        self.receive(PINGRESP)
