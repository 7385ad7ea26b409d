# SPDX-License-Identifier: Apache-2.0
"""
A TLS 1.2 client whose state is a program's own: OpenSSL shakes hands, over memory; the records after that are made
here (RFC 5246), from keys that can be handed on.  TLS_RSA_WITH_NULL_SHA256, for the standard library has HMAC, but no cipher.
"""
import hmac
import os
import ssl
import struct
import subprocess

CIPHER = "NULL-SHA256:@SECLEVEL=0"
APPLICATION_DATA, VERSION, MAC_SIZE = 23, 0x0303, 32


def context(protocol):
    made = ssl.SSLContext(protocol)
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(CIPHER)
    return made


def prf(secret, label, seed, size):
    """RFC 5246, 5: with SHA-256."""
    a, out = label + seed, b""
    while len(out) < size:
        a = hmac.digest(secret, a, "sha256")
        out += hmac.digest(secret, a + label + seed, "sha256")
    return out[:size]


def shake_hands(s, ca, keys):
    """State of a connection over socket @s.  @keys: a file that gets its secret."""
    client = context(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(ca)
    client.keylog_filename = keys
    received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls, heard = client.wrap_bio(received, to_send, server_hostname="good.test"), b""
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            s.sendall(to_send.read())
            data = s.recv(65536)
            heard += data
            received.write(data)
    s.sendall(to_send.read())
    with open(keys, encoding="ascii") as f:
        words = [line.split() for line in f if line.startswith("CLIENT_RANDOM ")][-1]
    # The record's header (5), the message's (4), the version (2).
    server_random = heard[11:43]
    block = prf(bytes.fromhex(words[2]), b"key expansion", server_random + bytes.fromhex(words[1]), 2 * MAC_SIZE)
    # Number 0 was each side's Finished.
    return {"mac": block[:MAC_SIZE].hex(), "their_mac": block[MAC_SIZE:].hex(), "sent": 1, "heard": 1}


def mac_of(key, number, data):
    return hmac.digest(bytes.fromhex(key), struct.pack("!QBHH", number, APPLICATION_DATA, VERSION, len(data)) + data,
                       "sha256")


def send(s, state, data):
    record = data + mac_of(state["mac"], state["sent"], data)
    state["sent"] += 1
    s.sendall(struct.pack("!BHH", APPLICATION_DATA, VERSION, len(record)) + record)


def read_exactly(s, size):
    data = b""
    while len(data) < size:
        part = s.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


def receive(s, state):
    """A record's data; None: it is no data, or not theirs."""
    head = read_exactly(s, 5)
    kind, _, size = struct.unpack("!BHH", head) if head else (0, 0, 0)
    record = read_exactly(s, size) if head else None
    if kind != APPLICATION_DATA or record is None:
        return None
    data, mac = record[:-MAC_SIZE], record[-MAC_SIZE:]
    if not hmac.compare_digest(mac, mac_of(state["their_mac"], state["heard"], data)):
        return None
    state["heard"] += 1
    return data


def make_certificate(directory):
    """A certificate for good.test, and its key."""
    paths = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=good.test",
               "-addext", "subjectAltName=DNS:good.test", "-keyout", paths[1], "-out", paths[0]]
    subprocess.run(command, check=True, capture_output=True)
    return paths
