#!/usr/bin/python3 -Wignore
"""Python's own client libraries, one a command; each prints one line."""
import asyncio
import concurrent.futures
import ftplib
import imaplib
import nntplib
import poplib
import smtplib
import socket
import socketserver
import ssl
import subprocess
import sys
import urllib.request

LETTER = "Subject: from the test\r\n\r\nhello\r\n"


def context():
    return ssl.create_default_context()


def submit(host, port, subject):
    with smtplib.SMTP(host, int(port), timeout=10) as smtp:
        smtp.starttls(context=context())
        refused = smtp.sendmail("a@example.com", ["b@example.com"], f"Subject: {subject}\r\n\r\nhi\r\n")
    return f"accepted {refused}"


def smtps(host):
    with smtplib.SMTP_SSL(host, 465, timeout=10, context=context()) as smtp:
        return f"noop {smtp.noop()[0]}"


def smtp25(host):
    with smtplib.SMTP(host, 25, timeout=10) as smtp:
        return f"noop {smtp.noop()[0]}"


def pop3s(host):
    box = poplib.POP3_SSL(host, timeout=10, context=context())
    box.user("lab")
    box.pass_("secret")
    count = box.stat()[0]
    box.quit()
    return f"letters {count}"


def imaps(host):
    with imaplib.IMAP4_SSL(host, ssl_context=context(), timeout=10) as box:
        box.login("lab", "secret")
        return f"letters {int(box.select('INBOX')[1][0])}"


def nntp(host):
    with nntplib.NNTP(host, timeout=10) as news:
        _, count, first, _, name = news.group("lab.test")
        return f"group {name} {count} {news.head(str(first))[1].message_id}"


def ftp(host):
    with ftplib.FTP(host, timeout=10) as files:
        files.login()
        return f"files {files.nlst('pub')}"


def url(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return f"{answer.status} {answer.read().decode().strip()}"


def tls(host, port):
    with socket.create_connection((host, int(port)), 10) as plain:
        with context().wrap_socket(plain, server_hostname=host) as sock:
            return f"tls {sock.version()}"


def asynchronous(host, port, count):
    async def one():
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return line.split()[1]

    async def all_of_them():
        return await asyncio.gather(*(one() for _ in range(int(count))))

    answers = asyncio.run(all_of_them())
    return f"answers {len(answers)} {set(answers)}"


def threads(address, count):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(url, [address] * int(count)))
    return f"answers {len(answers)} {set(answers)}"


def processes(address):
    command = [sys.executable, "-Wignore", __file__, "url", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        return "child " + child.stdout.read().decode().strip()


def server():
    with socketserver.TCPServer(("", 0), socketserver.BaseRequestHandler) as tcp:
        return f"listening {tcp.server_address[0]}"


def resolve(name):
    return "addresses " + " ".join(sorted({row[4][0] for row in socket.getaddrinfo(name, 443)}))


def query(address, port):
    """One DNS question (A, www.example.com) over UDP."""
    question = b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(question, (address, int(port)))
        return "answer " + socket.inet_ntoa(sock.recv(512)[-4:])


def timeout_by_alarm(address, port):
    import signal

    def ring(*_):
        raise InterruptedError("alarm")

    signal.signal(signal.SIGALRM, ring)
    with socket.socket() as sock:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        sock.connect((address, int(port)))
    return "connected"


COMMANDS = {
    "submit": submit, "smtps": smtps, "smtp25": smtp25, "pop3s": pop3s, "imaps": imaps,
    "nntp": nntp, "ftp": ftp, "url": url, "tls": tls, "asyncio": asynchronous,
    "threads": threads, "processes": processes, "server": server, "resolve": resolve,
    "query": query, "alarm": timeout_by_alarm,
}

try:
    print(sys.argv[1] + ": " + COMMANDS[sys.argv[1]](*sys.argv[2:]))
except Exception as error:  # whatever a library makes of it is what users see
    print(f"{sys.argv[1]}: {type(error).__name__}: {error}")
