import os, re, socket, ssl, sys, time, urllib.request
PORT = int(re.sub(r".*:", "", os.environ["http_proxy"]))


def connect():
    s = socket.create_connection(("127.0.0.1", PORT), 10)
    s.settimeout(20)
    return s


def answer(s):
    """All until the end; status of the first answer, bytes."""
    data = b""
    try:
        while True:
            part = s.recv(65536)
            if not part:
                break
            data += part
    except ConnectionError:
        pass
    return (int(data[9:12]) if data[:5] == b"HTTP/" else 0), data


def raw(text):
    s = connect()
    s.sendall(text if isinstance(text, bytes) else text.encode())
    s.shutdown(socket.SHUT_WR)
    return answer(s)


def head(s):
    data = b""
    while b"\r\n\r\n" not in data:
        part = s.recv(1)
        if not part:
            break
        data += part
    return data


