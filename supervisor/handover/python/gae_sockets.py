# SPDX-License-Identifier: Apache-2.0
"""Sockets that can be pickled, for programs under gae-run: see gae_sockets(3).

As on App Engine, an object with an open connection in it can be passed to another process of the same app:

    import gae_sockets
    gae_sockets.install()              # socket.socket is gae_sockets.socket from now on

    news = nntplib.NNTP("news.example.com")
    text = pickle.dumps(news)          # in a request ...
    news = pickle.loads(text)          # ... in a task, in another process: the same connection

Pickling takes the socket out of this process: what is left here gives EPIPE when it is written to, and is at
its end when it is read (unless the policy says `descriptors shared`).  A pickle can be loaded once.  Files of
makefile() go along with what they have buffered, those for text excepted.  A TLS connection cannot be pickled.
"""
import io
import socket as _socket

SOL_GAE = 0x47414500
GAE_DESCRIPTOR = 1
GAE_DESCRIPTOR_MAX = 128

__all__ = ["GAE_DESCRIPTOR", "GAE_DESCRIPTOR_MAX", "SOL_GAE", "claim", "install", "offer", "socket"]


def offer(sock):
    """Put a socket on offer.  The token for it, as bytes."""
    return sock.getsockopt(SOL_GAE, GAE_DESCRIPTOR, GAE_DESCRIPTOR_MAX)


def claim(token, family=_socket.AF_INET, kind=_socket.SOCK_STREAM):
    """The socket that a token stands for, as a gae_sockets.socket."""
    sock = socket(family, kind)
    try:
        sock.setsockopt(SOL_GAE, GAE_DESCRIPTOR, token)
    except BaseException:
        sock.close()
        raise
    return sock


def _unpickle(cls, family, kind, timeout, token):
    sock = cls(family, kind)
    if token is None:
        sock.close()
        return sock
    try:
        sock.settimeout(timeout)
        sock.setsockopt(SOL_GAE, GAE_DESCRIPTOR, token)
    except BaseException:
        sock.close()
        raise
    return sock


class socket(_socket.socket):
    """A socket that can be pickled, and that makes files that can."""
    __slots__ = ()

    def __reduce_ex__(self, protocol):
        # ssl.SSLSocket is a subclass where ssl was imported after install().
        if hasattr(self, "_sslobj"):
            raise TypeError("cannot pickle a TLS connection")
        closed = self.fileno() < 0
        token = None if closed else offer(self)
        return _unpickle, (type(self), int(self.family), int(self.type), self.gettimeout(), token)

    def makefile(self, mode="r", buffering=None, *, encoding=None, errors=None, newline=None):
        if "b" not in mode or buffering == 0:
            return super().makefile(mode, buffering, encoding=encoding, errors=errors, newline=newline)
        return _File(self, mode.replace("b", ""), buffering)


class _File(io.BufferedIOBase):
    """What socket.makefile("rwb") gives, in Python, so that its buffers can go along."""

    def __init__(self, sock, mode, buffering=None):
        super().__init__()
        self._sock = sock
        self._mode = mode
        self._room = buffering if buffering and buffering > 1 else io.DEFAULT_BUFFER_SIZE
        self._in = b""
        self._out = []
        self._out_size = 0
        sock._io_refs += 1

    def __getstate__(self):
        return {"sock": None if self.closed else self._sock, "mode": self._mode, "room": self._room,
                "in": self._in, "out": b"".join(self._out)}

    def __setstate__(self, state):
        if state["sock"] is None:
            self._out = []
            super().close()
            return
        self.__init__(state["sock"], state["mode"], state["room"])
        self._in = state["in"]
        if state["out"]:
            self._out = [state["out"]]
            self._out_size = len(state["out"])

    def __reduce_ex__(self, protocol):
        return _empty_file, (), self.__getstate__()

    def readable(self):
        return "r" in self._mode

    def writable(self):
        return "w" in self._mode

    def fileno(self):
        self._check()
        return self._sock.fileno()

    @property
    def name(self):
        return -1 if self.closed else self.fileno()

    @property
    def mode(self):
        return self._mode + "b"

    def _check(self, can=True):
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if not can:
            raise io.UnsupportedOperation("not open for that")

    def _more(self):
        """More bytes in the buffer.  False: the end, or none for now."""
        try:
            data = self._sock.recv(self._room)
        except BlockingIOError:
            return False
        self._in += data
        return bool(data)

    def _take(self, size):
        data, self._in = self._in[:size], self._in[size:]
        return data

    def read(self, size=-1):
        self._check(self.readable())
        wanted = size is not None and size >= 0
        while (not wanted or len(self._in) < size) and self._more():
            pass
        return self._take(size if wanted else len(self._in))

    def read1(self, size=-1):
        self._check(self.readable())
        if not self._in:
            self._more()
        return self._take(size if size is not None and size >= 0 else len(self._in))

    def peek(self, size=0):
        self._check(self.readable())
        if not self._in:
            self._more()
        return self._in

    def readinto(self, buffer):
        data = self.read(len(memoryview(buffer).cast("B")))
        memoryview(buffer).cast("B")[:len(data)] = data
        return len(data)

    def readline(self, size=-1):
        self._check(self.readable())
        limit = size if size is not None and size >= 0 else None
        seen = 0
        while True:
            end = self._in.find(b"\n", seen)
            if end >= 0 or (limit is not None and len(self._in) >= limit):
                break
            seen = len(self._in)
            if not self._more():
                break
        end = end + 1 if end >= 0 else len(self._in)
        return self._take(end if limit is None else min(end, limit))

    def write(self, data):
        self._check(self.writable())
        data = bytes(data)
        self._out.append(data)
        self._out_size += len(data)
        if self._out_size >= self._room:
            self.flush()
        return len(data)

    def flush(self):
        self._check()
        if self._out:
            data = b"".join(self._out)
            self._out, self._out_size = [], 0
            self._sock.sendall(data)

    def close(self):
        if self.closed:
            return
        try:
            self.flush()
        finally:
            sock, self._sock = self._sock, None
            super().close()
            sock._decref_socketios()


def _empty_file():
    return _File.__new__(_File)


def install():
    """Have all of Python's own libraries make such sockets: socket.create_connection() and what uses it."""
    _socket.socket = socket
    _socket.SocketType = socket
