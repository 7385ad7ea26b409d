/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gae-urlfetch: HTTP for a program that gae-supervisor runs, as App Engine's URL Fetch did it.
 * Started by gae-supervisor, outside the fence: what it may reach is asked of the supervisor.
 */
#include "shared/base/log.h"
#include "urlfetch/confine.h"
#include "urlfetch/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OWN_FAILURE = 125, DEADLINE_S = 10, DEADLINE_MAX_S = 60 };

static int number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	return *text && !*end && value >= 0 && value <= 65535 ? (int)value : -1;
}

/* "10" or "10,60"; gae-run has checked it. */
static void read_deadline(struct gateway *gateway, const char *text)
{
	char *end;

	gateway->deadline_s = (uint32_t)strtoul(text, &end, 10);
	gateway->deadline_max_s =
	    *end == ','
		? (uint32_t)strtoul(end + 1, NULL, 10)
		: (gateway->deadline_s > DEADLINE_MAX_S ? gateway->deadline_s : DEADLINE_MAX_S);
}

/* The program may run as the same user: it must neither read nor write this memory. */
static void guard_self(void)
{
	struct __user_cap_header_struct who = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	/* Root's: nothing here needs one. */
	syscall(SYS_capset, &who, none);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	signal(SIGPIPE, SIG_IGN);
	/* The kernel sends it for whoever names us as the owner of a file; where no Landlock keeps it from us, it ends us. */
	signal(SIGIO, SIG_IGN);
}

static int run(struct gateway *gateway, int listener, int supervisor)
{
	int rc;

	guard_self();
	fcntl(listener, F_SETFD, FD_CLOEXEC);
	fcntl(supervisor, F_SETFD, FD_CLOEXEC);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	rc = confine_self(getenv("SSL_CERT_FILE"));
	if (rc < 0) {
		log_error("cannot put up its own fence: %s", strerror(-rc));
		return OWN_FAILURE;
	}
	rc = channel_init(&gateway->channel, supervisor, listener);
	/* Nobody can read us any more: the program may be started while libcurl gets ready. */
	if (rc == 0)
		rc = channel_ready(&gateway->channel);
	if (rc == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		rc = -ENOMEM;
	if (rc == 0)
		rc = gateway_init(gateway, listener, supervisor);
	if (rc == 0) {
		gateway_run(gateway);
		return 0;
	}
	log_error("cannot start: %s", strerror(-rc));
	return OWN_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option table[] = {
	    {"listen-fd", required_argument, NULL, 'l'},
	    {"supervisor-fd", required_argument, NULL, 's'},
	    {"app", required_argument, NULL, 'a'},
	    {"deadline", required_argument, NULL, 'd'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	static struct gateway gateway = {.deadline_s = DEADLINE_S,
					 .deadline_max_s = DEADLINE_MAX_S};
	int option, listener = -1, supervisor = -1;

	log_open("gae-urlfetch", LOG_WARN);
	gateway.app = "";
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (option == 'l')
			listener = number(optarg);
		else if (option == 's')
			supervisor = number(optarg);
		else if (option == 'a')
			gateway.app = optarg;
		else if (option == 'd')
			read_deadline(&gateway, optarg);
		else if (option == 'V')
			return printf("gae-urlfetch %s\n", GAE_RUN_VERSION) < 0;
		else
			return OWN_FAILURE;
	}
	if (listener < 0 || supervisor < 0 || optind != argc) {
		log_error("gae-urlfetch is started by gae-run; run `gae-run --config app.yaml "
			  "PROGRAM`");
		return OWN_FAILURE;
	}
	return run(&gateway, listener, supervisor);
}
