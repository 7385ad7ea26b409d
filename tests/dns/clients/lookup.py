# SPDX-License-Identifier: Apache-2.0
"""glibc's getaddrinfo(3). Prints "NAME ADDRESS" or "NAME error" for each NAME."""
import socket
import sys

for name in sys.argv[1:]:
    try:
        print(name, socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        print(name, "error")
