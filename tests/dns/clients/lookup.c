// SPDX-License-Identifier: Apache-2.0
// getaddrinfo(3) of whatever C library it is linked with.  Prints "NAME ADDRESS" or "NAME error" for each NAME.
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
		char text[64] = "error";

		if (getaddrinfo(argv[i], "80", &hints, &found) == 0) {
			getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0,
				    NI_NUMERICHOST);
			freeaddrinfo(found);
		}
		printf("%s %s\n", argv[i], text);
	}
	return 0;
}
