# SPDX-License-Identifier: Apache-2.0
"""asyncio, threads, selectors, subprocesses, multiprocessing. Prints "NAME RESULT" for each try."""
import asyncio
import collections
import concurrent.futures
import errno
import multiprocessing
import selectors
import socket
import socketserver
import subprocess

PUBLIC4, PUBLIC6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
PRIVATE4, PRIVATE6, METADATA = "10.9.9.9", "fd00:9::9", "169.254.169.254"
GOOGLE4, GOOGLE6 = "142.250.0.100", "2607:f8b0:4004:c1b::64"
ANY_PORT = 7007
PATIENCE = 15
HOSTS = {"public4": PUBLIC4, "public6": PUBLIC6, "mapped.public": "::ffff:" + PUBLIC4, "private4": PRIVATE4,
         "private6": PRIVATE6, "mapped.private": "::ffff:" + PRIVATE4, "metadata": METADATA, "google4": GOOGLE4,
         "google6": GOOGLE6}


def result(function, *arguments):
    try:
        return function(*arguments) or "ok"
    except OSError as error:
        return errno.errorcode.get(error.errno, repr(error))


def tcp(host, port=ANY_PORT):
    with socket.create_connection((host, port), PATIENCE) as sock:
        if not sock.recv(64):
            return "nothing"
    return "ok"


def udp(host):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.sendto(b"ping", (host, ANY_PORT))
        return "ok" if sock.recv(64) == b"ping" else "nothing"


async def open_one(host):
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, ANY_PORT), PATIENCE)
        line = await asyncio.wait_for(reader.readline(), PATIENCE)
        writer.close()
        return "ok" if line else "nothing"
    except OSError as error:
        return errno.errorcode.get(error.errno, repr(error))


async def open_many():
    allowed = [open_one((PUBLIC4, PUBLIC6)[i % 2]) for i in range(25)]
    denied = [open_one((PRIVATE4, PRIVATE6, METADATA, GOOGLE4, GOOGLE6)[i % 5]) for i in range(25)]
    found = await asyncio.gather(*allowed, *denied)
    return found[:25], found[25:]


def counted(found):
    return " ".join(f"{value}={n}" for value, n in sorted(collections.Counter(found).items()))


async def datagram(host):
    loop = asyncio.get_running_loop()
    answer = loop.create_future()

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            transport.sendto(b"ping")

        def datagram_received(self, data, addr):
            answer.done() or answer.set_result("ok")

        def error_received(self, exc):
            answer.done() or answer.set_exception(exc)

    try:
        transport, _ = await loop.create_datagram_endpoint(Echo, remote_addr=(host, ANY_PORT))
        value = await asyncio.wait_for(answer, PATIENCE)
        transport.close()
        return value
    except OSError as error:
        return errno.errorcode.get(error.errno, repr(error))


async def piped():
    process = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(b"through cat"), PATIENCE)
    return "ok" if out == b"through cat" and process.returncode == 0 else repr(out)


def pipeline():
    first = subprocess.Popen(["printf", "%s\\n", "b", "a"], stdout=subprocess.PIPE)
    second = subprocess.run(["sort"], stdin=first.stdout, stdout=subprocess.PIPE, timeout=PATIENCE, check=True)
    first.stdout.close()
    return "ok" if first.wait(PATIENCE) == 0 and second.stdout == b"a\nb\n" else repr(second.stdout)


def child_of(pipe):
    pipe.send((result(tcp, PUBLIC4), result(tcp, PRIVATE4)))
    pipe.close()


def multiprocess():
    """Pipe(duplex) is a pair of Unix sockets."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=child_of, args=(there,))
    process.start()
    found = here.recv() if here.poll(PATIENCE) else "nothing"
    process.join(PATIENCE)
    return found


def pair():
    one, other = socket.socketpair()
    with one, other, selectors.DefaultSelector() as selector:
        selector.register(other, selectors.EVENT_READ)
        one.sendmsg([b"over ", b"the pair"])
        if not selector.select(PATIENCE):
            return "nothing"
        return "ok" if other.recv(64) == b"over the pair" else "wrong"


def selected(host):
    """A non-blocking connect whose end the selector tells."""
    with socket.socket() as sock, selectors.DefaultSelector() as selector:
        sock.setblocking(False)
        code = sock.connect_ex((host, ANY_PORT))
        if code != errno.EINPROGRESS:
            return errno.errorcode.get(code, "ok")
        selector.register(sock, selectors.EVENT_WRITE)
        if not selector.select(PATIENCE):
            return "nothing"
        return errno.errorcode.get(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "ok")


def serve():
    with socketserver.TCPServer(("", 0), socketserver.BaseRequestHandler):
        return "ok"


def main():
    for name, host in HOSTS.items():
        print("tcp." + name, result(tcp, host))
        print("udp." + name, result(udp, host))
    print("tcp.smtp", result(tcp, PUBLIC4, 25))
    allowed, denied = asyncio.run(open_many())
    print("mix.allowed", counted(allowed))
    print("mix.denied", counted(denied))
    print("datagram.public4", asyncio.run(datagram(PUBLIC4)))
    print("datagram.private4", asyncio.run(datagram(PRIVATE4)))
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        print("threads.allowed", counted(pool.map(lambda _: result(tcp, PUBLIC6), range(20))))
        print("threads.denied", counted(pool.map(lambda _: result(tcp, PRIVATE6), range(20))))
    print("subprocess.async", asyncio.run(piped()))
    print("subprocess.pipeline", result(pipeline))
    allowed, denied = multiprocess()
    print("process.allowed", allowed)
    print("process.denied", denied)
    print("pair", result(pair))
    print("select.allowed", selected(PUBLIC4))
    print("select.denied", selected(PRIVATE4))
    print("name.a", result(socket.gethostbyname, "www.example.com"))
    print("name.aaaa", socket.getaddrinfo("www.example.com", 80, socket.AF_INET6)[0][4][0])
    print("listen", result(serve))


main()
