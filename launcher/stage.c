/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/stage.h"

#include "launcher/app_yaml.h"
#include "launcher/caps.h"
#include "launcher/handover.h"
#include "launcher/inherit.h"
#include "launcher/landlock.h"
#include "launcher/options.h"
#include "launcher/resolve.h"
#include "shared/base/fd.h"
#include "shared/wire/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

extern char **environ;

__attribute__((format(printf, 2, 3))) static _Noreturn void stage_fail(const struct stage *stage,
								       const char *format, ...)
{
	char text[WIRE_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	wire_send_plain(stage->socket, WIRE_STAGE_FAILED, 0, text);
	_exit(125);
}

/* A supervisor that is gone has had its reason told elsewhere; whoever is below it is ended. */
static void stage_receive(const struct stage *stage, enum wire_type type,
			  struct wire_message *message, int *fd)
{
	int rc = wire_receive(stage->socket, message, fd);

	if (rc == 0)
		_exit(125);
	if (rc < 0)
		stage_fail(stage, "message from the supervisor: %s", strerror(-rc));
	if (message->type != type)
		stage_fail(stage, "unexpected message %u from the supervisor", message->type);
}

/* sd_listen_fds(3), sd_watchdog_enabled(3): meant for the pid that the service manager started. */
static void stage_rename_pid(const struct stage *stage, const char *variable)
{
	const char *value = getenv(variable);
	char text[16];

	if (!value || atol(value) != stage->front)
		return;
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv(variable, text, 1);
}

static bool stage_yaml_has(const struct app_yaml *yaml, const char *name)
{
	return yaml && app_yaml_get(yaml, name);
}

/*
 * HTTP goes to gae-urlfetch at @port.  A no_proxy that came with the caller's environment was
 * meant for another proxy; one of app.yaml's is the app's own wish.
 */
static int stage_set_proxy(const struct app_yaml *yaml, int port)
{
	static const char *const names[] = {"http_proxy", "https_proxy", "HTTP_PROXY",
					    "HTTPS_PROXY"};
	char url[40];
	int rc = 0;

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		rc |= setenv(names[i], url, 1);
	if (!stage_yaml_has(yaml, "no_proxy"))
		rc |= unsetenv("no_proxy");
	if (!stage_yaml_has(yaml, "NO_PROXY"))
		rc |= unsetenv("NO_PROXY");
	return rc;
}

/* The program's alone: the supervisor keeps the caller's. @port: of gae-urlfetch, 0: none. */
static void stage_set_environment(const struct stage *stage, int port)
{
	const struct app_yaml *yaml = stage->options->yaml;
	int rc = 0;

	for (size_t i = 0; yaml && i < yaml->n_variables; i++)
		rc |= putenv(yaml->variables[i]);
	if (port)
		rc |= stage_set_proxy(yaml, port);
	if (rc)
		stage_fail(stage, "the environment cannot be set: out of memory");
}

/* Return: what the supervisor must know of the inherited descriptors (WIRE_STAGE_READY.a). */
static int stage_confine(const struct stage *stage)
{
	char error[WIRE_TEXT_MAX];
	int rc, inherited = inherit_check(stage->socket, error, sizeof(error));

	if (inherited < 0)
		stage_fail(stage, "%s", error);
	rc = caps_drop(stage->options->keep_caps.items);
	if (rc < 0)
		stage_fail(stage, "capabilities cannot be dropped: %s", strerror(-rc));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		stage_fail(stage, "no_new_privs cannot be set: %s", strerror(errno));
	return inherited == INHERIT_LOCAL ? WIRE_LOCAL_SOCKETS : 0;
}

static void stage_install(const struct stage *stage, int inherited)
{
	struct wire_message message = {0};
	struct sock_fprog program;
	char error[WIRE_TEXT_MAX];
	int fd, rc;

	rc = wire_send(stage->socket, WIRE_STAGE_READY, inherited, NULL, -1);
	if (rc < 0)
		_exit(125);
	stage_receive(stage, WIRE_FILTER, &message, &fd);
	rc = handover_read_filter(fd, &program);
	fd_close(&fd);
	if (rc < 0)
		stage_fail(stage, "the filter from the supervisor is unusable: %s", strerror(-rc));
	rc = message.a & WIRE_LANDLOCK ? landlock_fence(landlock_abi()) : 0;
	if (rc < 0)
		stage_fail(stage, "the Landlock fence cannot be set: %s", strerror(-rc));
	if (handover_run(stage->socket, &program, error, sizeof(error)) < 0)
		stage_fail(stage, "%s", error);
	free(program.filter);
}

/* execvp(3): a text without #! is run by the shell. */
static void stage_exec_text(const char *path, char **argv)
{
	size_t n = 0;

	while (argv[n])
		n++;
	char **words = calloc(n + 2, sizeof(*words));
	if (!words)
		return;
	words[0] = argv[0];
	words[1] = strdup(path);
	memcpy(words + 2, argv + 1, n * sizeof(*words));
	if (words[1])
		execve("/bin/sh", words, environ);
}

static _Noreturn void stage_exec(const struct stage *stage)
{
	char **argv = stage->options->argv;
	int error;

	if (stage->no_children)
		signal(SIGCHLD, SIG_IGN);
	/* A signal that came since the start is delivered here, as it would have been to the program. */
	sigprocmask(SIG_SETMASK, &stage->mask, NULL);
	execve(stage->program->path, argv, environ);
	error = errno;
	if (error == ENOEXEC && stage->program->text)
		stage_exec_text(stage->program->path, argv);
	signal(SIGPIPE, SIG_IGN);
	wire_send_plain(stage->socket, WIRE_EXEC_FAILED, error, NULL);
	_exit(error == ENOENT ? 127 : 126);
}

_Noreturn void stage_run(const struct stage *stage)
{
	struct wire_message message = {0};
	int inherited;

	/* Inherited from the guard as 0; the supervisor may look at this process from now on. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	inherited = stage_confine(stage);
	stage_rename_pid(stage, "LISTEN_PID");
	stage_rename_pid(stage, "WATCHDOG_PID");
	stage_install(stage, inherited);
	stage_receive(stage, WIRE_GO, &message, NULL);
	stage_set_environment(stage, message.a);
	stage_exec(stage);
}
