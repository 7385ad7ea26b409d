/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_FAKE_KERNEL_H
#define TESTS_FUZZ_FAKE_KERNEL_H

#include "policy/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct op;

/*
 * What the dispatcher meets in place of a kernel and a program: memory, sockets, the listener.  The
 * linker puts these in the place of the real calls (--wrap, see the Makefile).
 *
 * Memory lies at FAKE_BASE and changes under the reader: every other read sees the second image.
 * Descriptor numbers say by their low bits what they are (enum fake_kind).  What a call on a socket
 * gives comes from the script.  Whatever would leave the machine is checked against the plan: that
 * check reads the bytes the kernel would get, by its own simple rules, and aborts.
 */
#define FAKE_BASE 0x100u
#define FAKE_MEMORY_MAX 4096u
#define FAKE_SOCKETS 16u

enum fake_kind {
	FAKE_TCP4,
	FAKE_UDP4,
	FAKE_TCP6,
	FAKE_UDP6,
	FAKE_UNIX_STREAM,
	FAKE_UNIX_DATAGRAM,
	FAKE_NETLINK,
	FAKE_FILE,
	FAKE_MPTCP,
	FAKE_RAW,
	FAKE_NONE, /* not open; and all above */
};

struct fake {
	const struct plan *plan;
	const uint8_t *memory[2];
	size_t memory_size;
	unsigned int reads;
	const uint8_t *script;
	size_t script_size, script_at;

	unsigned int answers; /* to the present call: exactly one, unless it waits */
	long answer;
	int continued; /* its descriptor; -1 */
	struct op *waiting;
};

extern struct fake fake;

/** fake_expect() - end the fuzzer unless @condition. */
void fake_expect(bool condition);

/** fake_reset() - new sockets, for a new input. */
void fake_reset(void);

/** fake_script() - the next byte, 0 at the end. */
uint8_t fake_script(void);

/** fake_kind() - what the program's descriptor @fd is. */
enum fake_kind fake_kind(int fd);

#endif
