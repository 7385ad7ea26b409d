# SPDX-License-Identifier: Apache-2.0
"""A name server that answers as a test wants it, and messages of DNS (RFC 1035) as bytes."""
import socket
import struct
import threading
import time


def name_bytes(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".") if x) + b"\0"


def question(name, kind=1, group=1, ident=0x1234, flags=0x0100, counts=(1, 0, 0, 0), more=b""):
    return struct.pack("!6H", ident, flags, *counts) + name_bytes(name) + struct.pack("!2H", kind, group) + more


class Hostile(threading.Thread):
    """A name server whose answer to a question is what reply(packet, name, kind) gives: bytes, a list of them, or None."""

    def __init__(self, reply, address):
        super().__init__(daemon=True)
        self.reply, self.asked = reply, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.start()

    def run(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(65536)
            except OSError:
                return
            if packet == b"end":
                return
            name, kind = self.parse(packet)
            self.asked.append((name, kind, peer, time.monotonic(), packet))
            replies = self.reply(packet, name, kind)
            for reply in replies if isinstance(replies, list) else [replies]:
                if reply is not None:
                    self.socket.sendto(reply, peer)

    @staticmethod
    def parse(packet):
        labels, at = [], 12
        while at < len(packet) and packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
            at += 1 + packet[at]
        return ".".join(labels), int.from_bytes(packet[at + 1:at + 3], "big")

    def names(self):
        return [a[0] for a in self.asked]

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"end", self.socket.getsockname())
        self.join(20)
        self.socket.close()


def answer(packet, *addresses, ttl=60, rcode=0, flags=0x8180):
    """The answer to the question in @packet, whose own name is repeated."""
    end = packet.index(b"\0", 12) + 5
    records = b""
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        data = socket.inet_pton(family, address)
        records += b"\xc0\x0c" + struct.pack("!2HIH", 28 if len(data) == 16 else 1, 1, ttl, len(data)) + data
    header = packet[:2] + struct.pack("!5H", flags | rcode, 1, len(addresses), 0, 0)
    return header + packet[12:end] + records
