// SPDX-License-Identifier: Apache-2.0
// getaddrinfo(3) of whatever C library it is linked with.  Prints "NAME ADDRESS" or "NAME error" for each NAME,
// and "slow" behind it after 4 s.
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
		char text[64] = "error";
		time_t begun = time(NULL);

		if (getaddrinfo(argv[i], "80", &hints, &found) == 0) {
			getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0,
				    NI_NUMERICHOST);
			freeaddrinfo(found);
		}
		printf("%s %s%s\n", argv[i], text, time(NULL) - begun > 4 ? " slow" : "");
	}
	return 0;
}
