# SPDX-License-Identifier: Apache-2.0
"""glibc's getaddrinfo(3). Prints "NAME ADDRESS" or "NAME error" for each NAME, and "slow" behind it after 4 s."""
import socket
import sys
import time

for name in sys.argv[1:]:
    begun = time.monotonic()
    try:
        found = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)[0][4][0]
    except OSError:
        found = "error"
    print(name, found, *["slow"] * (time.monotonic() - begun > 4))
