/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/check.h"

#include "launcher/handover.h"
#include "launcher/landlock.h"
#include "launcher/probe.h"
#include "shared/base/errname.h"
#include "shared/base/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/*
 * Each feature is tried for real in a child that is forked for it: what a
 * version number promises, a container's profile may take away.
 */
enum verdict { OK, FALLBACK, UNAVAILABLE };

struct feature {
	const char *name;
	int (*probe)(void); /* 0 or more, or -errno */
	bool needed;
	const char *good;    /* what it is for */
	const char *without; /* what is done without it, or how to get it */
};

static const struct feature features[] = {
    {"seccomp filter", probe_filter, true, "decides in the kernel what registers alone decide",
     "CONFIG_SECCOMP_FILTER, and a sandbox that allows seccomp(2), are needed"},
    {"user notification", probe_listener, true, "the supervisor answers calls",
     "Linux 5.9 or later is needed"},
    {"ADDFD", probe_addfd, true, "the supervisor places sockets", "Linux 5.9 or later is needed"},
    {"ADDFD with SEND", probe_addfd_send, false, "placing and answering in one step",
     "in two steps: a racing thread may see the number early (Linux 5.14 has it)"},
    {"sealed memory", probe_memory_file, true, "the filter is handed over unchanged",
     "a sandbox that allows memfd_create(2) is needed"},
    {"WAIT_KILLABLE_RECV", probe_wait_killable, false,
     "signals do not cut a call short that is being answered",
     "a signal may make a trapped call fail with EINTR (Linux 5.19 has it)"},
    {"SYNC_WAKE_UP", probe_sync_wake_up, false, "answers without a change of processor",
     "answers take longer (Linux 6.6 has it)"},
    {"pidfd_getfd", probe_pidfd_getfd, true, "the supervisor works on the socket itself",
     "allow it: docker run --cap-add SYS_PTRACE, or a seccomp profile with pidfd_getfd"},
    {"PIDFD_THREAD", probe_pidfd_thread, false, "descriptors of the calling thread itself",
     "descriptors of its thread group (Linux 6.9 has it)"},
    {"process_vm_readv", probe_vm_readv, false, "the program's memory is read in one call",
     "/proc/PID/mem is read"},
    {"/proc/PID/mem", probe_proc_mem, false, "the program's memory where the former is refused",
     "process_vm_readv alone"},
    {"io_uring", probe_io_uring, false, "present; the filter refuses it",
     "not there; nothing to refuse"},
    {"user namespaces", probe_user_namespace, false, "tests can make networks without root",
     "only root can make test networks"},
};

static void check_print(FILE *out, const char *name, enum verdict verdict, const char *text)
{
	static const char *const words[] = {"ok", "fallback", "unavailable"};

	fprintf(out, "%-20s %-12s %s\n", name, words[verdict], text);
}

static bool check_feature(FILE *out, const struct feature *feature)
{
	int rc = feature->probe();
	char text[512];

	if (rc >= 0) {
		check_print(out, feature->name, OK, feature->good);
		return true;
	}
	if (rc == -EBUSY)
		handover_explain(EBUSY, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s (%s)", feature->without, errname(-rc));
	check_print(out, feature->name, feature->needed ? UNAVAILABLE : FALLBACK, text);
	return !feature->needed;
}

/* What the kernel knows must be usable: the launcher stage sets this fence or does not start the program. */
static bool check_landlock(FILE *out)
{
	int abi = landlock_abi(), rc = probe_landlock();
	char text[160];

	if (rc < 0) {
		snprintf(text, sizeof(text), "the kernel knows it, but it cannot be set (%s)",
			 errname(-rc));
		check_print(out, "Landlock", UNAVAILABLE, text);
		return false;
	}
	snprintf(text, sizeof(text), "ABI %d fences %s", abi,
		 abi >= 6   ? "TCP bind and connect, signals, abstract sockets"
		 : abi >= 4 ? "TCP bind and connect; signals and abstract sockets from ABI 6"
			    : "nothing of the network; the filter alone stands (ABI 4, Linux 6.7, "
			      "has it)");
	check_print(out, "Landlock", abi >= 6 ? OK : FALLBACK, text);
	return true;
}

static bool check_yama(FILE *out)
{
	CLEANUP_FREE char *data = NULL;
	size_t size;
	int scope = 0;

	if (!fd_read_file("/proc/sys/kernel/yama/ptrace_scope", 64, &data, &size))
		scope = atoi(data);
	if (!data)
		check_print(out, "Yama", OK, "not there");
	else if (scope <= 1)
		check_print(out, "Yama", OK, "the supervisor is an ancestor, which scope 1 allows");
	else if (scope == 2 && !probe_vm_readv())
		check_print(out, "Yama", OK, "scope 2, and CAP_SYS_PTRACE is there");
	else
		check_print(out, "Yama", UNAVAILABLE,
			    "kernel.yama.ptrace_scope forbids reading the program's memory; set it "
			    "to 0 or 1");
	return scope <= 1 || (scope == 2 && !probe_vm_readv());
}

bool check_run(FILE *out)
{
	struct utsname kernel;
	bool works = true;

	uname(&kernel);
	/* Ignored, it would keep the children's results from us. */
	signal(SIGCHLD, SIG_DFL);
	check_print(out, "kernel", OK, kernel.release);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		works &= check_feature(out, &features[i]);
	works &= check_landlock(out);
	works &= check_yama(out);
	if (probe_vm_readv() < 0 && probe_proc_mem() < 0) {
		check_print(out, "memory", UNAVAILABLE, "the program's memory cannot be read");
		works = false;
	}
	fprintf(out, "gae-run %s here\n", works ? "works" : "cannot work");
	return works;
}
