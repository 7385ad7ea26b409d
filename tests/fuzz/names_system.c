/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as resolv.conf(5): addresses that are addresses, and search domains that are names. */
#include "fuzz.h"
#include "net/names.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVERS_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int file = -1;
	static char path[48];
	struct net_addr servers[SERVERS_MAX];
	char search[NAMES_SEARCH_MAX][NAMES_TEXT_MAX];
	size_t n;

	if (file < 0) {
		file = memfd_create("resolv.conf", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	expect(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
	n = names_system_resolvers(path, servers, SERVERS_MAX);
	expect(n >= 1 && n <= SERVERS_MAX);
	for (size_t i = 0; i < n; i++) {
		expect(servers[i].family == AF_INET || servers[i].family == AF_INET6);
		/* 0.0.0.0 is where connect(2) would take it. */
		expect(servers[i].family != AF_INET ||
		       memcmp(servers[i].bytes, "\0\0\0\0", 4) != 0);
	}
	n = names_system_search(path, search);
	expect(n <= NAMES_SEARCH_MAX);
	for (size_t i = 0; i < n; i++) {
		size_t length = strnlen(search[i], NAMES_TEXT_MAX);

		expect(length > 0 && length < NAMES_TEXT_MAX && search[i][length - 1] != '.');
		for (size_t at = 0; at < length; at++)
			expect(search[i][at] < 'A' || search[i][at] > 'Z');
	}
	return 0;
}
