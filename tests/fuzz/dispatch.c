/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole requests: random notifications over random memory go through the dispatcher and its
 * handlers to a kernel that is not one (fake/kernel.h).  Nothing forbidden reaches it, each call
 * gets exactly one answer, and no descriptor is left.
 *
 *   calls     up to CALLS times: number, then six arguments, each a byte that says how and 2 bytes
 *   0xff
 *   script    SCRIPT bytes: what the kernel answers
 *   the rest  the program's memory; every other read sees it with the byte that the script's first
 *             two name turned to the third
 */
#include "sys/dispatch.h"

#include "account.h"
#include "crew.h"
#include "fake/kernel.h"
#include "fuzz.h"
#include "policy/filter.h"
#include "policy/policy.h"
#include "quotas.h"
#include "supervisor.h"
#include "window.h"

#include <errno.h>
#include <linux/audit.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALLS 4
#define CALL_SIZE 19
#define SCRIPT 48
#define RESUMES 4

static const char policy[] = "gae-policy 1\n"
			     "deny tcp,udp to 127.0.0.0/8 port 1-1023 because \"low\"\n"
			     "allow tcp,udp to { 127.0.0.0/8 ::1 192.0.2.0/24 }\n"
			     "allow tcp to 2001:db8::/32 port 80\n"
			     "deny tcp,udp to any\n"
			     "listen deny EACCES\n"
			     "bind ephemeral\n"
			     "unix pair\n"
			     "netlink route-read\n"
			     "quota sends unlimited\n"
			     "sockopt SOL_SOCKET SO_SNDBUF mock 8192\n"
			     "sockopt SOL_SOCKET SO_ERROR pass\n"
			     "sockopt any any deny EACCES\n";

static struct supervisor sup;
static struct crew_worker worker;

static struct plan *parse(void)
{
	struct policy_error error;
	struct policy_parser *parser = policy_parser_new(NULL, NULL);

	policy_parser_file(parser, "fuzz.conf", policy, sizeof(policy) - 1, &error);
	return policy_parser_finish(parser, &error);
}

static void set_up(void)
{
	static const int pids[] = {1, 2, 3};
	static char error[256];
	struct filter_setup setup = {.trace = true,
				     .protected_pids = pids,
				     .n_protected = 3,
				     .local_sockets = true,
				     .window = {.low = 512, .low_end = 1024}};
	struct account_config config = {0};

	sup.listener = -1;
	sup.plan = parse();
	fake_expect(sup.plan != NULL);
	fake.plan = sup.plan;
	sup.spec = filter_spec_new(sup.plan, &setup);
	sup.window = window_new(&setup.window, true);
	config.plan = sup.plan;
	config.quotas = quotas_open(NULL, sup.plan->quotas, DAY_UTC, error, sizeof(error));
	sup.account = account_new(&config);
	sup.app = "";
	sup.trace = (struct trace *)(void *)&sup; /* only looked at: trace_decided() is a fake */
	sup.trace_all = true;
	worker.sup = &sup;
	worker.buffer = malloc(CREW_BUFFER_SIZE);
	fake_expect(sup.spec && sup.window && sup.account && worker.buffer);
}

static uint64_t argument(const uint8_t *at)
{
	uint64_t value = (uint64_t)at[1] | (uint64_t)at[2] << 8;

	switch (at[0] % 6) {
	case 0:
		return value;
	case 1:
		return FAKE_BASE + value % FAKE_MEMORY_MAX;
	case 2: /* in the window, mostly */
		return 512 + value % 520;
	case 3:
		return (uint64_t)(int64_t)(int16_t)value;
	case 4:
		return value << 48 | value;
	default:
		return 0;
	}
}

/* Waits in the loop, which says that it is ready, or gives up. */
static void resume(void)
{
	for (int i = 0; fake.waiting; i++) {
		struct op *op = fake.waiting;

		fake.waiting = NULL;
		fake_expect(fake.answers == 0);
		if (i < RESUMES && fake_script() != 0xfc)
			op->resume(&worker, op);
		else
			op_drop(op);
	}
}

static void call(const uint8_t *at)
{
	struct seccomp_notif notif = {.id = 1, .pid = (uint32_t)getpid()};

	notif.data.nr = sup.spec->rows[at[0] % sup.spec->n_rows].nr;
	notif.data.arch = at[0] == 0xfe ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
	if (at[0] == 0xfd)
		notif.data.nr = at[1];
	for (int i = 0; i < 6; i++)
		notif.data.args[i] = argument(at + 1 + i * 3);
	fake.answers = 0;
	dispatch(&worker, &notif);
	resume();
	fake_expect(fake.answers == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t other[FAKE_MEMORY_MAX];
	const uint8_t *calls = data;
	int n = 0, before, after;

	if (!sup.plan)
		set_up();
	while (n < CALLS && size >= CALL_SIZE && data[0] != 0xff) {
		data += CALL_SIZE;
		size -= CALL_SIZE;
		n++;
	}
	if (size < 1 + SCRIPT || n == 0)
		return 0;
	fake_reset();
	fake.script = data + 1;
	fake.script_size = SCRIPT;
	fake.script_at = 3;
	fake.memory_size = size - 1 - SCRIPT;
	if (fake.memory_size > FAKE_MEMORY_MAX)
		fake.memory_size = FAKE_MEMORY_MAX;
	fake.memory[0] = data + 1 + SCRIPT;
	memcpy(other, fake.memory[0], fake.memory_size);
	if (fake.memory_size)
		other[(fake.script[0] | (unsigned int)fake.script[1] << 8) % fake.memory_size] =
		    fake.script[2];
	fake.memory[1] = other;
	fake.reads = 0;
	before = dup(0);
	close(before);
	for (int i = 0; i < n; i++)
		call(calls + i * CALL_SIZE);
	/* The lowest free number is the same: nothing was left open. */
	after = dup(0);
	close(after);
	fake_expect(before == after);
	return 0;
}
