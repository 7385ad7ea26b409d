/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/resolve.h"

#include "shared/base/fd.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

/* execve(2) follows this many interpreters that are scripts themselves (fs/exec.c). */
#define SCRIPT_DEPTH_MAX 5

/* The kernel looks at this much of a file (BINPRM_BUF_SIZE). */
#define HEAD_SIZE 256

struct message {
	char *text;
	size_t room;
};

__attribute__((format(printf, 3, 4))) static int resolve_fail(const struct message *message,
							      int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(message->text, message->room, format, args);
	va_end(args);
	return status;
}

static int resolve_access(const char *path, struct stat *st)
{
	if (stat(path, st) < 0)
		return errno;
	if (S_ISDIR(st->st_mode))
		return EISDIR;
	if (!S_ISREG(st->st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

static int resolve_complain(const struct message *message, const char *path, int error)
{
	switch (error) {
	case ENOENT:
		return resolve_fail(message, NOT_FOUND, "%s: not found", path);
	case EISDIR:
		return resolve_fail(message, CANNOT_RUN, "%s: is a directory, not a program", path);
	case EACCES:
		return resolve_fail(message, CANNOT_RUN,
				    "%s: may not be executed (permission denied)", path);
	default:
		return resolve_fail(message, CANNOT_RUN, "%s: %s", path, strerror(error));
	}
}

/* One element of PATH with @name behind it; an empty one is the current directory. */
static bool resolve_join(char *path, const char *dir, size_t length, const char *name)
{
	int n = length ? snprintf(path, PATH_MAX, "%.*s/%s", (int)length, dir, name)
		       : snprintf(path, PATH_MAX, "%s", name);

	return n > 0 && n < PATH_MAX;
}

/* Walks PATH; as in execvp(3), what may not be executed is passed over but remembered. */
static int resolve_search(const char *name, const char *search, struct resolved *resolved,
			  struct stat *st, const struct message *message)
{
	char denied[PATH_MAX] = "";
	int why = 0;

	for (const char *dir = search;; dir++) {
		size_t length = strcspn(dir, ":");
		int error = ENAMETOOLONG;

		if (resolve_join(resolved->path, dir, length, name))
			error = resolve_access(resolved->path, st);
		if (!error)
			return 0;
		if (!why && (error == EACCES || error == EISDIR)) {
			why = error;
			memcpy(denied, resolved->path, sizeof(denied));
		}
		dir += length;
		if (!*dir)
			break;
	}
	if (why)
		return resolve_complain(message, denied, why);
	return resolve_fail(message, NOT_FOUND, "%s: not found in PATH (%s)", name, search);
}

static int resolve_check_elf(const char *path, const unsigned char *head, size_t size,
			     const struct message *message)
{
	const char *remedy = "gae-run fences native x86-64 programs only; use a 64-bit build";
	Elf64_Half machine;

	if (size < offsetof(Elf64_Ehdr, e_machine) + sizeof(machine))
		return resolve_fail(message, CANNOT_RUN, "%s: a damaged ELF file", path);
	memcpy(&machine, head + offsetof(Elf64_Ehdr, e_machine), sizeof(machine));
	if (machine == EM_X86_64 && head[EI_CLASS] == ELFCLASS64)
		return 0;
	if (machine == EM_X86_64)
		return resolve_fail(message, CANNOT_RUN, "%s: is an x32 program; %s", path, remedy);
	if (machine == EM_386)
		return resolve_fail(message, CANNOT_RUN, "%s: is a 32-bit program; %s", path,
				    remedy);
	return resolve_fail(message, CANNOT_RUN,
			    "%s: is a program for another machine (ELF machine %u); gae-run fences "
			    "native x86-64 programs only",
			    path, machine);
}

static int resolve_check_head(struct resolved *resolved, const char *path, int depth,
			      const struct message *message);

/* "#! interpreter [argument]": blanks around the name are spaces and tabs (fs/binfmt_script.c). */
static int resolve_check_script(struct resolved *resolved, const char *path, char *head, int depth,
				const struct message *message)
{
	char *name = head + 2 + strspn(head + 2, " \t");
	struct stat st;
	int error;

	name[strcspn(name, " \t\r\n")] = '\0';
	if (!*name)
		return resolve_fail(message, CANNOT_RUN, "%s: its #! line names no interpreter",
				    path);
	error = resolve_access(name, &st);
	if (error)
		return resolve_fail(message, error == ENOENT ? NOT_FOUND : CANNOT_RUN,
				    "%s: its interpreter %s cannot be run: %s", path, name,
				    strerror(error));
	return resolve_check_head(resolved, name, depth + 1, message);
}

/* As shells judge it: no NUL in the first line. */
static bool resolve_is_text(const char *head, size_t size)
{
	const char *line = memchr(head, '\n', size);

	return size && !memchr(head, '\0', line ? (size_t)(line - head) : size);
}

static int resolve_check_head(struct resolved *resolved, const char *path, int depth,
			      const struct message *message)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char head[HEAD_SIZE + 1];
	ssize_t n;

	/* A program need not be readable to be executed; the kernel says the rest. */
	if (fd < 0)
		return 0;
	n = fd_read_full(fd, head, HEAD_SIZE);
	if (n < 0)
		return resolve_complain(message, path, (int)-n);
	head[n] = '\0';
	if (n >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG))
		return resolve_check_elf(path, (unsigned char *)head, (size_t)n, message);
	if (depth > SCRIPT_DEPTH_MAX)
		return resolve_complain(message, path, ELOOP);
	if (n >= 2 && head[0] == '#' && head[1] == '!')
		return resolve_check_script(resolved, path, head, depth, message);
	/* Some other format: binfmt_misc may know it, execve(2) will tell. */
	if (!depth)
		resolved->text = resolve_is_text(head, (size_t)n);
	return 0;
}

static void resolve_warn(struct resolved *resolved, const struct stat *st)
{
	const char *what = NULL;

	if ((st->st_mode & S_ISUID) && st->st_uid != geteuid())
		what = "setuid";
	else if ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		 st->st_gid != getegid())
		what = "setgid";
	else if (geteuid() && getxattr(resolved->path, "security.capability", NULL, 0) > 0)
		what = "marked with file capabilities";
	resolved->warning[0] = '\0';
	if (what)
		snprintf(resolved->warning, sizeof(resolved->warning),
			 "%.128s is %s: under gae-run it gains no rights (no_new_privs)",
			 resolved->path, what);
}

int resolve_program(const char *name, const char *search, struct resolved *resolved, char *error,
		    size_t room)
{
	const struct message message = {error, room};
	struct stat st = {0};
	int rc;

	resolved->text = false;
	resolved->path[0] = resolved->warning[0] = '\0';
	if (!*name)
		return resolve_fail(&message, NOT_FOUND, "the program's name is empty");
	if (strchr(name, '/')) {
		if (!resolve_join(resolved->path, "", 0, name))
			return resolve_complain(&message, name, ENAMETOOLONG);
		rc = resolve_access(name, &st);
		if (rc)
			return resolve_complain(&message, name, rc);
	} else {
		rc = resolve_search(name, search ? search : "/bin:/usr/bin", resolved, &st,
				    &message);
		if (rc)
			return rc;
	}
	rc = resolve_check_head(resolved, resolved->path, 0, &message);
	if (!rc)
		resolve_warn(resolved, &st);
	return rc;
}
