/* SPDX-License-Identifier: Apache-2.0 */
/* What the launcher's tests run as PROGRAM: `launched WHAT`. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int show_signals(void)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");

	while (status && fgets(line, sizeof(line), status))
		if (!strncmp(line, "SigBlk", 6) || !strncmp(line, "SigIgn", 6) ||
		    !strncmp(line, "NoNewPrivs", 10) || !strncmp(line, "CapEff", 6))
			fputs(line, stdout);
	return 0;
}

static int show_descriptors(void)
{
	char path[300], target[256];
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0 || atoi(entry->d_name) == dirfd(dir))
			continue;
		target[n] = '\0';
		printf("%s %s\n", entry->d_name, target);
	}
	return 0;
}

/* Says "ready PID", then prints every signal it gets; SIGTERM ends it with 9. */
static int catch_signals(void)
{
	sigset_t all;
	int number;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	while (!sigwait(&all, &number)) {
		printf("signal %d\n", number);
		fflush(stdout);
		if (number == SIGTERM)
			return 9;
	}
	return 1;
}

/* Leaves a daemon that keeps none of our pipes but @keep, says its pid, and ends or stays. */
static int leave_daemon(int stay)
{
	int ready[2];
	pid_t daemon;

	if (pipe(ready) < 0)
		return 1;
	if (fork() == 0) {
		setsid();
		daemon = fork();
		if (daemon)
			_exit(0);
		daemon = getpid();
		if (write(ready[1], &daemon, sizeof(daemon)) < 0)
			_exit(1);
		for (int fd = 0; fd < 64; fd++)
			close(fd);
		for (;;)
			pause();
	}
	wait(NULL);
	if (read(ready[0], &daemon, sizeof(daemon)) != sizeof(daemon))
		return 1;
	printf("ready %d daemon %d supervisor %d\n", (int)getpid(), (int)daemon, (int)getppid());
	fflush(stdout);
	while (stay)
		pause();
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "signals"))
		return show_signals();
	if (!strcmp(what, "descriptors"))
		return show_descriptors();
	if (!strcmp(what, "catch"))
		return catch_signals();
	if (!strcmp(what, "daemon"))
		return leave_daemon(0);
	if (!strcmp(what, "tree"))
		return leave_daemon(1);
	if (!strcmp(what, "pid"))
		return printf("%d %s\n", (int)getpid(), getenv("LISTEN_PID")) < 0;
	fprintf(stderr, "launched: unknown word\n");
	return 2;
}
