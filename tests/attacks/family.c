/* SPDX-License-Identifier: Apache-2.0 */
/* family NUMBER: a socket of that family, of any type. */
#include "attack.h"

int main(int argc, char **argv)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_RDM};
	int family = argc == 2 ? atoi(argv[1]) : 0, error = EAFNOSUPPORT;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (socket(family, types[i], 0) >= 0) {
			attack_hit("socket");
			return 0;
		}
		if (errno != EAFNOSUPPORT)
			error = errno;
	}
	errno = error;
	if (error == EAFNOSUPPORT && !attack_is_fenced())
		attack_skip("no such family in this kernel");
	/* Fenced it is refused whether the kernel has it or not: by the errno that is promised, for every type. */
	if (attack_is_fenced() && error != EAFNOSUPPORT)
		attack_hit("another errno");
	attack_say("socket", -1);
	return 0;
}
