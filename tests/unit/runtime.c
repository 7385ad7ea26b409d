/* SPDX-License-Identifier: Apache-2.0 */
#include "status/runtime.h"

#include "shared/base/fd.h"
#include "status/instances.h"
#include "status/status.h"
#include "status/status_server.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_S 20

static char base[] = "/tmp/gae-unit-runtime.XXXXXX";
static char path[128];

static void set_up(void)
{
	cr_assert(mkdtemp(base));
	cr_assert_eq(setenv("XDG_RUNTIME_DIR", base, 1), 0);
	snprintf(path, sizeof(path), "%s/gae-run", base);
}

static void tear_down(void)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf -- %s", base);
	cr_expect_eq(system(command), 0); /* NOLINT(cert-env33-c): a path of our own making */
}

TestSuite(runtime, .init = set_up, .fini = tear_down, .timeout = DEADLINE_S);

static int open_dir(void)
{
	char found[128], error[256] = "";
	int dir = runtime_dir_open(found, sizeof(found), error, sizeof(error));

	cr_assert_geq(dir, 0, "%s", error);
	return dir;
}

static int listen_in(int dir, char name[RUNTIME_NAME_MAX])
{
	char error[128] = "";
	int listener = status_listen(dir, name, RUNTIME_NAME_MAX, error, sizeof(error));

	cr_assert_geq(listener, 0, "%s", error);
	return listener;
}

static void expect_refused(const char *why)
{
	char found[128], error[256] = "";

	cr_expect_eq(runtime_dir_open(found, sizeof(found), error, sizeof(error)), -EPERM);
	cr_expect(strstr(error, why) && strstr(error, path), "\"%s\"", error);
}

Test(runtime, the_directory_is_made_for_its_user_alone)
{
	char found[128], error[256];
	struct stat st;
	int dir;

	umask(0);
	dir = runtime_dir_open(found, sizeof(found), error, sizeof(error));
	cr_assert_geq(dir, 0);
	cr_expect_str_eq(found, path);
	cr_assert_eq(fstat(dir, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	cr_expect(fcntl(dir, F_GETFD) & FD_CLOEXEC);
	close(dir);
	dir = runtime_dir_open(found, sizeof(found), error, sizeof(error));
	cr_expect_geq(dir, 0, "found again");
	close(dir);
}

Test(runtime, a_symbolic_link_is_refused)
{
	cr_assert_eq(symlink("/tmp", path), 0);
	expect_refused("symbolic link");
}

Test(runtime, a_file_is_refused)
{
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	expect_refused("no directory");
}

Test(runtime, a_directory_open_to_others_is_refused)
{
	static const mode_t modes[] = {0701, 0702, 0704, 0710, 0720, 0740};

	cr_assert_eq(mkdir(path, 0700), 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		cr_assert_eq(chmod(path, modes[i]), 0);
		expect_refused("open to others");
	}
}

Test(runtime, a_directory_of_somebody_else_is_refused)
{
	if (geteuid() != 0)
		cr_skip_test("needs root to give a directory away");
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(chown(path, 12345, 0), 0);
	expect_refused("belongs to user 12345");
}

Test(runtime, where_it_is)
{
	char found[128], wanted[64];

	setenv("XDG_RUNTIME_DIR", "relative", 1);
	cr_assert(runtime_dir_path(found, sizeof(found)));
	snprintf(wanted, sizeof(wanted), "/run/user/%u/gae-run", geteuid());
	if (strcmp(found, wanted) != 0) {
		snprintf(wanted, sizeof(wanted), "/tmp/gae-run-%u", geteuid());
		cr_expect_str_eq(found, wanted);
	}
	setenv("XDG_RUNTIME_DIR", "/a/b", 1);
	cr_expect_str_eq(runtime_dir_path(found, sizeof(found)), "/a/b/gae-run");
	cr_expect_null(runtime_dir_path(found, 12), "too long");
}

Test(runtime, names_of_sockets)
{
	cr_expect(runtime_name_is_status("1.status"));
	cr_expect(runtime_name_is_status("4194304-2.status"));
	cr_expect_not(runtime_name_is_status(".1.new"));
	cr_expect_not(runtime_name_is_status("status"));
	cr_expect_not(runtime_name_is_status("1.statusx"));
	cr_expect_not(runtime_name_is_status("1-22.status"));
	cr_expect_not(runtime_name_is_status("12345678901.status"));
	cr_expect_not(runtime_name_is_status("../1.status"));
}

Test(runtime, a_socket_is_its_users_alone_and_goes)
{
	int dir = open_dir(), listener;
	char name[RUNTIME_NAME_MAX];
	struct stat st;

	umask(0);
	listener = listen_in(dir, name);
	cr_assert_eq(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect(S_ISSOCK(st.st_mode));
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect_eq(atoi(name), getpid());
	cr_expect(fcntl(listener, F_GETFD) & FD_CLOEXEC);
	cr_expect_eq(status_accept(listener), -EAGAIN, "does not wait");
	status_unlink(dir, name);
	cr_expect_neq(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	close(listener);
	close(dir);
}

/* As the supervisor is: its /proc/self belongs to root, and the names are bound by way of that. */
Test(runtime, who_is_not_dumpable_listens_all_the_same)
{
	char name[RUNTIME_NAME_MAX];
	int dir, listener, client;

	if (geteuid() == 0) {
		cr_assert_eq(chown(base, 12345, 12345), 0);
		cr_assert_eq(setresgid(12345, 12345, 12345), 0);
		cr_assert_eq(setresuid(12345, 12345, 12345), 0);
	}
	cr_assert_eq(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), 0);
	dir = open_dir();
	listener = listen_in(dir, name);
	client = runtime_connect(dir, name, geteuid());
	cr_expect_geq(client, 0);
	close(client);
	close(listener);
	close(dir);
}

Test(runtime, a_name_is_taken_from_the_dead_and_left_to_the_living)
{
	char first[RUNTIME_NAME_MAX], second[RUNTIME_NAME_MAX], third[RUNTIME_NAME_MAX];
	int dir = open_dir(), one = listen_in(dir, first), two = listen_in(dir, second);

	cr_expect(runtime_name_is_status(second));
	cr_expect_str_neq(first, second);
	close(one);
	one = listen_in(dir, third);
	cr_expect_str_eq(third, first);
	close(one);
	close(two);
	close(dir);
}

static const struct status small = {.app = "app", .program = "p", .pid = 1};

/* An instance that serves whoever comes until its listener is shut. */
static void *serve(void *argument)
{
	int listener = *(int *)argument, client;
	struct pollfd poller = {.fd = listener, .events = POLLIN};

	while (poll(&poller, 1, DEADLINE_S * 1000) == 1 && (client = status_accept(listener)) >= 0)
		status_serve(client, &small);
	return NULL;
}

/* A socket that has nobody behind it who speaks gae-run's language. */
static int listen_raw(int dir, const char *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(runtime_bind(dir, name, fd), 0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

static void *say_and_close(void *argument)
{
	int client = accept4(*(int *)argument, NULL, NULL, SOCK_CLOEXEC);

	if (write(client, "{\"gae_run_status\":1,", 20) == 20)
		close(client);
	return NULL;
}

/* In another PID namespace there may be an instance with our number that is just beginning to listen. */
Test(runtime, what_an_instance_of_the_same_number_has_begun_is_left_alone)
{
	int dir = open_dir(), fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), listener;
	char begun[RUNTIME_NAME_MAX], name[RUNTIME_NAME_MAX];
	struct sockaddr_un address;
	socklen_t size = sizeof(address);
	struct stat before, after;

	snprintf(begun, sizeof(begun), ".%d%s.new", getpid(), RUNTIME_STATUS);
	cr_assert_eq(runtime_bind(dir, begun, fd), 0);
	cr_assert_eq(fstatat(dir, begun, &before, AT_SYMLINK_NOFOLLOW), 0);
	listener = listen_in(dir, name);
	cr_expect_eq(fstatat(dir, begun, &after, AT_SYMLINK_NOFOLLOW), 0, "it was removed");
	cr_expect_eq(before.st_ino, after.st_ino);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	cr_expect(runtime_is_ours(&address, size), "%s", address.sun_path);
	cr_expect_null(strstr(address.sun_path, begun), "%s", address.sun_path);
	close(listener);
	close(fd);
	close(dir);
}

Test(runtime, a_picture_comes_through_whatever_the_others_do)
{
	int dir = open_dir(), silent = listen_raw(dir, "1.status"), half;
	int dead = listen_raw(dir, "2.status"), listener;
	char name[RUNTIME_NAME_MAX];
	struct instances instances;
	pthread_t server, cutter;

	half = listen_raw(dir, "3.status");
	close(dead);
	cr_assert_eq(symlinkat("/dev/null", dir, "4.status"), 0);
	listener = listen_in(dir, name);
	cr_assert_eq(pthread_create(&server, NULL, serve, &listener), 0);
	cr_assert_eq(pthread_create(&cutter, NULL, say_and_close, &half), 0);
	cr_assert_eq(instances_read(dir, geteuid(), 500, &instances), 0);
	cr_assert_eq(instances.n, 4);
	cr_expect_str_eq(instances.list[0].error, "does not answer");
	cr_expect_str_eq(instances.list[1].name, "3.status", "the dead one is not listed");
	cr_expect_str_eq(instances.list[1].error, "not understood: not JSON, or cut short");
	cr_expect_str_eq(instances.list[2].error, "Permission denied");
	cr_expect_str_eq(instances.list[3].name, name);
	cr_assert(instances.list[3].status, "%s", instances.list[3].error);
	cr_expect_str_eq(instances.list[3].status->app, "app");
	instances_free(&instances);
	cr_expect_neq(faccessat(dir, "2.status", F_OK, 0), 0, "the dead one's socket is gone");
	cr_expect_eq(faccessat(dir, "4.status", F_OK, AT_SYMLINK_NOFOLLOW), 0, "no other file");
	shutdown(listener, SHUT_RDWR);
	pthread_join(server, NULL);
	pthread_join(cutter, NULL);
	close(listener);
	close(silent);
	close(half);
	close(dir);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

Test(runtime, who_does_not_read_is_dropped)
{
	struct status large = {.app = "", .n_sockets = 100000};
	double begun = seconds();
	int ends[2];

	large.sockets = calloc(large.n_sockets, sizeof(*large.sockets));
	cr_assert(large.sockets);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_expect_eq(status_serve(ends[0], &large), -EIO);
	cr_expect_lt(seconds() - begun, 5);
	cr_expect_lt(fcntl(ends[0], F_GETFD), 0, "closed");
	free(large.sockets);
	close(ends[1]);
}

/* Takes a little every few milliseconds, for as long as there is something. */
static void *read_slowly(void *argument)
{
	static const struct timespec pause = {.tv_nsec = 5000000};
	char text[4096];

	while (read(*(int *)argument, text, sizeof(text)) > 0)
		nanosleep(&pause, NULL);
	return NULL;
}

Test(runtime, who_reads_slowly_is_dropped)
{
	struct status large = {.app = "", .n_sockets = 100000};
	double begun = seconds();
	pthread_t reader;
	int ends[2];

	large.sockets = calloc(large.n_sockets, sizeof(*large.sockets));
	cr_assert(large.sockets);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(pthread_create(&reader, NULL, read_slowly, &ends[1]), 0);
	cr_expect_eq(status_serve(ends[0], &large), -EIO);
	cr_expect_lt(seconds() - begun, 5);
	pthread_join(reader, NULL);
	free(large.sockets);
	close(ends[1]);
}

Test(runtime, who_has_gone_is_no_harm)
{
	struct status large = {.app = "", .n_sockets = 1000};
	int ends[2];

	large.sockets = calloc(large.n_sockets, sizeof(*large.sockets));
	cr_assert(large.sockets);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	close(ends[1]);
	cr_expect_eq(status_serve(ends[0], &large), -EIO, "and no SIGPIPE");
	free(large.sockets);
}

Test(runtime, another_user_is_shown_nothing)
{
	char text[16];
	int ends[2];

	if (geteuid() != 0)
		cr_skip_test("needs root to be another user");
	cr_assert_eq(seteuid(12345), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(seteuid(0), 0);
	cr_expect_eq(status_serve(ends[0], &small), -EACCES);
	cr_expect_eq(read(ends[1], text, sizeof(text)), 0);
	close(ends[1]);
}

Test(runtime, a_key_is_made_once_and_is_the_users_alone)
{
	uint8_t first[32] = {0}, again[32] = {0};
	char file[160];
	struct stat st;
	int dir = open_dir();

	cr_assert_eq(runtime_key(dir, "app.key", first, sizeof(first), false), 0);
	cr_expect_eq(runtime_key(dir, "app.key", again, sizeof(again), false), 0);
	cr_expect_eq(memcmp(first, again, sizeof(first)), 0);
	cr_expect_eq(runtime_key(dir, "other.key", again, sizeof(again), false), 0);
	cr_expect_neq(memcmp(first, again, sizeof(first)), 0);
	/* Removed, and made again of what it was. */
	cr_assert_eq(unlinkat(dir, "app.key", 0), 0);
	memcpy(again, first, sizeof(first));
	cr_expect_eq(runtime_key(dir, "app.key", again, sizeof(again), true), 0);
	cr_expect_eq(memcmp(first, again, sizeof(first)), 0);
	cr_assert_eq(runtime_key(dir, "app.key", again, sizeof(again), false), 0);
	cr_expect_eq(memcmp(first, again, sizeof(first)), 0, "it is in the file");
	snprintf(file, sizeof(file), "%s/app.key", path);
	cr_assert_eq(stat(file, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600u);
	cr_assert_eq(chmod(file, 0640), 0);
	cr_expect_eq(runtime_key(dir, "app.key", again, sizeof(again), false), -EPERM);
	cr_assert_eq(chmod(file, 0600), 0);
	cr_assert_eq(truncate(file, 31), 0);
	cr_expect_eq(runtime_key(dir, "app.key", again, sizeof(again), false), -EPERM,
		     "half a key");
	cr_assert_eq(unlinkat(dir, "app.key", 0), 0);
	cr_assert_eq(symlinkat("other.key", dir, "app.key"), 0);
	cr_expect_eq(runtime_key(dir, "app.key", again, sizeof(again), false), -EPERM, "a link");
	cr_assert_eq(unlinkat(dir, "app.key", 0), 0);
	cr_assert_eq(mkdirat(dir, "app.key", 0700), 0);
	cr_expect_eq(runtime_key(dir, "app.key", again, sizeof(again), false), -EPERM, "no file");
	close(dir);
}

/* What getpeername(2) says of a connection to @name. */
static bool is_ours(int dir, const char *name)
{
	struct sockaddr_un peer;
	socklen_t size = sizeof(peer);
	int fd = runtime_connect(dir, name, geteuid());
	bool ours;

	cr_assert_geq(fd, 0);
	cr_assert_eq(getpeername(fd, (struct sockaddr *)&peer, &size), 0);
	ours = runtime_is_ours(&peer, size);
	close(fd);
	return ours;
}

Test(runtime, a_supervisors_socket_is_known_wherever_its_file_is)
{
	struct sockaddr_un other = {.sun_family = AF_UNIX, .sun_path = "/proc/self/fd/3/.1.news"};
	char name[RUNTIME_NAME_MAX];
	int dir = open_dir(), listener = listen_in(dir, name);

	cr_expect(is_ours(dir, name));
	cr_assert_eq(renameat(dir, name, dir, "1.status"), 0);
	cr_expect(is_ours(dir, "1.status"));
	cr_assert_eq(linkat(dir, "1.status", dir, "2.status", 0), 0);
	cr_expect(is_ours(dir, "2.status"));
	cr_expect_not(runtime_is_ours(&other, sizeof(other)));
	strcpy(other.sun_path, "/tmp/.1.new");
	cr_expect_not(runtime_is_ours(&other, sizeof(other)));
	cr_expect_not(runtime_is_ours(&other, 2), "no name");
	cr_expect(runtime_name_is("1.handover", RUNTIME_HANDOVER));
	cr_expect_not(runtime_name_is("1.status", RUNTIME_HANDOVER));
	close(listener);
	close(dir);
}
