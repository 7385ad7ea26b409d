/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#include "fence.h"
#include "loop.h"
#include "notify.h"
#include "request.h"
#include "sys/unix_path.h"
#include "target.h"
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake fake;

void fake_expect(bool condition)
{
	if (!condition)
		abort();
}

uint8_t fake_script(void)
{
	return fake.script_at < fake.script_size ? fake.script[fake.script_at++] : 0;
}

enum fake_kind fake_kind(int fd)
{
	unsigned int kind = (unsigned int)fd % FAKE_SOCKETS;

	return fd < 0 || kind >= FAKE_NONE ? FAKE_NONE : (enum fake_kind)kind;
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the names that the linker asks for. */

/* --- the program's memory --- */

static int copy(uint64_t address, void *out, size_t size, const uint8_t *memory)
{
	if (size == 0)
		return 0;
	if (address < FAKE_BASE || address - FAKE_BASE > fake.memory_size ||
	    size > fake.memory_size - (address - FAKE_BASE))
		return -EFAULT;
	memcpy(out, memory + (address - FAKE_BASE), size);
	return 0;
}

static const uint8_t *image(void)
{
	return fake.memory[fake.reads++ % 2];
}

int __wrap_target_read(pid_t tid, uint64_t address, void *buf, size_t size);
int __wrap_target_read(pid_t tid, uint64_t address, void *buf, size_t size)
{
	(void)tid;
	return copy(address, buf, size, image());
}

int __wrap_target_read_both(pid_t tid, uint64_t address, void *buf, size_t size, uint64_t address2,
			    void *buf2, size_t size2);
int __wrap_target_read_both(pid_t tid, uint64_t address, void *buf, size_t size, uint64_t address2,
			    void *buf2, size_t size2)
{
	int rc = __wrap_target_read(tid, address, buf, size);

	return rc < 0 ? rc : __wrap_target_read(tid, address2, buf2, size2);
}

int __wrap_target_read_vector(pid_t tid, const struct iovec *parts, size_t n, size_t skip,
			      void *buf, size_t size);
int __wrap_target_read_vector(pid_t tid, const struct iovec *parts, size_t n, size_t skip,
			      void *buf, size_t size)
{
	const uint8_t *memory = image();
	uint8_t *out = buf;

	(void)tid;
	for (size_t i = 0; i < n && size > 0; i++) {
		size_t length = parts[i].iov_len, left;

		if (skip >= length) {
			skip -= length;
			continue;
		}
		left = length - skip < size ? length - skip : size;
		if (copy((uintptr_t)parts[i].iov_base + skip, out, left, memory) < 0)
			return -EFAULT;
		out += left;
		size -= left;
		skip = 0;
	}
	return size ? -EFAULT : 0;
}

int __wrap_target_write(pid_t tid, uint64_t address, const void *buf, size_t size);
int __wrap_target_write(pid_t tid, uint64_t address, const void *buf, size_t size)
{
	uint8_t sum = 0;

	(void)tid;
	/* All of it is read, so that a range too long is seen. */
	for (size_t i = 0; i < size; i++)
		sum ^= ((const uint8_t *)buf)[i];
	return size && (address < FAKE_BASE || sum == 0xff) ? -EFAULT : 0;
}

int __wrap_target_scatter(pid_t tid, const struct iovec *local, size_t n_local,
			  const struct iovec *remote, size_t n_remote);
int __wrap_target_scatter(pid_t tid, const struct iovec *local, size_t n_local,
			  const struct iovec *remote, size_t n_remote)
{
	size_t here = 0, there = 0;

	for (size_t i = 0; i < n_local; i++) {
		__wrap_target_write(tid, FAKE_BASE, local[i].iov_base, local[i].iov_len);
		here += local[i].iov_len;
	}
	for (size_t i = 0; i < n_remote; i++)
		there += remote[i].iov_len;
	fake_expect(here == there && n_remote <= UIO_MAXIOV + 8);
	return fake_script() & 1 ? -EFAULT : 0;
}

/* --- its descriptors: ours are copies of one file, and remember of what --- */

int __wrap_target_duplicate(struct target_cache *cache, pid_t tid, int fd);
int __wrap_target_duplicate(struct target_cache *cache, pid_t tid, int fd)
{
	(void)cache;
	(void)tid;
	if (fake_kind(fd) == FAKE_NONE)
		return -EBADF;
	return fence_open(fd);
}

pid_t __wrap_target_group(pid_t tid);
pid_t __wrap_target_group(pid_t tid)
{
	return tid;
}

const struct target_process *__wrap_target_process(struct target_cache *cache, pid_t tid,
						   uint64_t now_ns);
const struct target_process *__wrap_target_process(struct target_cache *cache, pid_t tid,
						   uint64_t now_ns)
{
	static struct target_process process = {.name = "fake"};

	(void)cache;
	(void)now_ns;
	process.pid = tid;
	return &process;
}

void __wrap_target_name(pid_t tid, char *out);
void __wrap_target_name(pid_t tid, char *out)
{
	(void)tid;
	memcpy(out, "fa\nke", 6);
}

void __wrap_target_raise(pid_t tid, int signal);
void __wrap_target_raise(pid_t tid, int signal)
{
	(void)tid;
	(void)signal;
}

bool __wrap_unix_has_our_uid(pid_t tid);
bool __wrap_unix_has_our_uid(pid_t tid)
{
	(void)tid;
	return !(fake_script() & 1);
}

/* --- the listener --- */

bool __wrap_notify_alive(int listener, uint64_t id);
bool __wrap_notify_alive(int listener, uint64_t id)
{
	(void)listener;
	(void)id;
	return fake_script() != 0xff;
}

int __wrap_notify_answer(int listener, uint64_t id, long result);
int __wrap_notify_answer(int listener, uint64_t id, long result)
{
	(void)listener;
	(void)id;
	fake.answers++;
	fake.answer = result;
	/* What the kernel lets a program see: an errno, or the number to restart. */
	fake_expect(result >= -4095);
	return 0;
}

int __wrap_notify_continue(int listener, uint64_t id);
int __wrap_notify_continue(int listener, uint64_t id)
{
	/* Called for files alone; what was asked last is what the kernel would write to. */
	fake_expect(!fence_last_is_udp());
	return __wrap_notify_answer(listener, id, 0);
}

int __wrap_notify_give(int listener, uint64_t id, int file, int number, bool cloexec);
int __wrap_notify_give(int listener, uint64_t id, int file, int number, bool cloexec)
{
	uint8_t word = fake_script();

	(void)cloexec;
	fake_expect(fcntl(file, F_GETFD) >= 0);
	/* A UDP socket stays in the window, which is 512 .. 1023 here. */
	fake_expect(number >= 512 && number < 1024);
	if (word == 0xfe)
		return -EMFILE;
	if (word == 0xfd)
		return -ENOENT;
	__wrap_notify_answer(listener, id, number);
	return number;
}

/* --- the rest of the supervisor --- */

void __wrap_loop_add(struct loop *loop, struct op *op);
void __wrap_loop_add(struct loop *loop, struct op *op)
{
	(void)loop;
	fake_expect(!fake.waiting);
	fake.waiting = op;
}

void __wrap_trace_decided(struct trace *trace, const struct trace_record *record);
void __wrap_trace_decided(struct trace *trace, const struct trace_record *record)
{
	char line[TRACE_LINE_MAX];
	size_t size;

	(void)trace;
	size = trace_format_text(line, sizeof(line), record, 0);
	fake_expect(size > 0 && line[size - 1] == '\n');
	size = trace_format_json(line, sizeof(line), record, 0, "app", 1);
	fake_expect(size > 0 && memchr(line, '\n', size) == line + size - 1);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
