/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/resolve.h"
#include "shared/base/fd.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[PATH_MAX / 2];
static struct resolved resolved;
static char error[2 * PATH_MAX];

static void set_up(void)
{
	snprintf(dir, sizeof(dir), "%s/resolve-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	cr_assert(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void tear_down(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(resolve, .init = set_up, .fini = tear_down);

static void make_file(const char *name, const void *text, size_t size, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);

	cr_assert_geq(fd, 0, "%s", name);
	cr_assert_eq(fd_write_full(fd, text, size), 0);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

static void make_script(const char *name, const char *text, mode_t mode)
{
	make_file(name, text, strlen(text), mode);
}

static void make_elf(const char *name, unsigned char class, Elf64_Half machine)
{
	Elf64_Ehdr head = {.e_machine = machine};

	memcpy(head.e_ident, ELFMAG, SELFMAG);
	head.e_ident[EI_CLASS] = class;
	make_file(name, &head, sizeof(head), 0755);
}

static int resolve(const char *name, const char *search)
{
	return resolve_program(name, search, &resolved, error, sizeof(error));
}

Test(resolve, a_bare_name_is_looked_for_in_path_and_passed_over_where_not_executable)
{
	mkdir("one", 0755);
	mkdir("two", 0755);
	make_script("one/tool", "#!/bin/sh\n", 0644);
	make_script("two/tool", "#!/bin/sh\n", 0755);
	cr_assert_eq(resolve("tool", "none:one:two"), 0, "%s", error);
	cr_expect_str_eq(resolved.path, "two/tool");
}

Test(resolve, an_empty_element_of_path_is_the_current_directory)
{
	make_script("tool", "#!/bin/sh\n", 0755);
	cr_assert_eq(resolve("tool", "/nowhere:"), 0, "%s", error);
	cr_expect_str_eq(resolved.path, "tool");
}

Test(resolve, not_found_is_127_and_not_executable_126)
{
	make_script("plain", "text\n", 0644);
	mkdir("folder", 0755);
	cr_expect_eq(resolve("tool", "one:two"), 127);
	cr_expect_str_eq(error, "tool: not found in PATH (one:two)");
	cr_expect_eq(resolve("./tool", NULL), 127);
	cr_expect_str_eq(error, "./tool: not found");
	cr_expect_eq(resolve("./folder", NULL), 126);
	cr_expect_eq(resolve("plain", "/nowhere:."), 126);
	cr_expect_str_eq(error, "./plain: may not be executed (permission denied)");
	cr_expect_eq(resolve("", "."), 127);
}

Test(resolve, a_32_bit_program_is_refused_with_the_remedy)
{
	make_elf("old", ELFCLASS32, EM_386);
	cr_expect_eq(resolve("./old", NULL), 126);
	cr_expect_str_eq(error, "./old: is a 32-bit program; gae-run fences native x86-64 programs "
				"only; use a 64-bit build");
}

Test(resolve, x32_and_other_machines_are_refused)
{
	make_elf("x32", ELFCLASS32, EM_X86_64);
	make_elf("arm", ELFCLASS64, EM_AARCH64);
	make_elf("native", ELFCLASS64, EM_X86_64);
	make_file("short", ELFMAG, SELFMAG, 0755);
	cr_expect_eq(resolve("./x32", NULL), 126);
	cr_expect(strstr(error, "x32"), "%s", error);
	cr_expect_eq(resolve("./arm", NULL), 126);
	cr_expect(strstr(error, "another machine"), "%s", error);
	cr_expect_eq(resolve("./short", NULL), 126);
	cr_expect_eq(resolve("./native", NULL), 0);
	cr_expect_eq(resolved.text, false);
}

Test(resolve, a_script_needs_its_interpreter)
{
	make_script("lost", "#! /no/such/interpreter -x\necho\n", 0755);
	make_script("empty", "#! \n", 0755);
	make_elf("old", ELFCLASS32, EM_386);
	make_script("aged", "#!./old\n", 0755);
	make_script("loop", "#!./loop\n", 0755);
	cr_expect_eq(resolve("./lost", NULL), 127);
	cr_expect(strstr(error, "/no/such/interpreter"), "%s", error);
	cr_expect_eq(resolve("./empty", NULL), 126);
	cr_expect_eq(resolve("./aged", NULL), 126);
	cr_expect(strstr(error, "./old: is a 32-bit program"), "%s", error);
	cr_expect_eq(resolve("./loop", NULL), 126);
}

Test(resolve, a_text_without_interpreter_is_left_to_the_shell)
{
	make_script("words", "echo hello\n", 0755);
	make_file("bytes", "\1\2\0\3\n", 5, 0755);
	cr_assert_eq(resolve("./words", NULL), 0);
	cr_expect_eq(resolved.text, true);
	cr_assert_eq(resolve("./bytes", NULL), 0);
	cr_expect_eq(resolved.text, false);
}

Test(resolve, a_setuid_program_is_warned_about)
{
	make_elf("root", ELFCLASS64, EM_X86_64);
	if (geteuid() || chown("root", 1, 1) < 0)
		cr_skip_test("only root can make another user's program");
	chmod("root", 04755);
	cr_assert_eq(resolve("./root", NULL), 0);
	cr_expect_str_eq(resolved.warning,
			 "./root is setuid: under gae-run it gains no rights (no_new_privs)");
}
