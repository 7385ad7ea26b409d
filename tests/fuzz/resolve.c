/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the program to be run: its ELF header, or the line behind "#!". */
#include "launcher/resolve.h"
#include "fuzz.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void remove_file(void)
{
	unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resolved resolved;
	char error[PATH_MAX + 512] = "";
	int fd, rc;

	if (!*path) {
		strcpy(path, "/dev/shm/gae-fuzz-program-XXXXXX");
		fd = mkstemp(path);
		expect(fd >= 0 && fchmod(fd, 0700) == 0);
		atexit(remove_file);
	} else {
		fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	}
	expect(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
	rc = resolve_program(path, NULL, &resolved, error, sizeof(error));
	expect(rc == 0 || rc == 126 || rc == 127);
	expect(strcmp(resolved.path, path) == 0);
	expect(rc == 0 || *error);
	expect(strnlen(error, sizeof(error)) < sizeof(error) && !strchr(error, '\n'));
	/* What is run by a shell is no program, and has no NUL in its first line. */
	if (rc == 0 && resolved.text)
		expect(size > 0 && data[0] != '\0' &&
		       (size < 4 || memcmp(data, "\177ELF", 4) != 0));
	return 0;
}
