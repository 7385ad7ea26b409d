/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/errname.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ROW(name)                                                                                  \
	{                                                                                          \
		name, #name                                                                        \
	}

/* errno(3); EWOULDBLOCK and ENOTSUP share a number with EAGAIN and EOPNOTSUPP and are read, not written. */
static const struct {
	int number;
	const char *name;
} rows[] = {
    ROW(EPERM),        ROW(ENOENT),          ROW(ESRCH),           ROW(EINTR),
    ROW(EIO),          ROW(ENXIO),           ROW(E2BIG),           ROW(ENOEXEC),
    ROW(EBADF),        ROW(ECHILD),          ROW(EAGAIN),          ROW(ENOMEM),
    ROW(EACCES),       ROW(EFAULT),          ROW(ENOTBLK),         ROW(EBUSY),
    ROW(EEXIST),       ROW(EXDEV),           ROW(ENODEV),          ROW(ENOTDIR),
    ROW(EISDIR),       ROW(EINVAL),          ROW(ENFILE),          ROW(EMFILE),
    ROW(ENOTTY),       ROW(ETXTBSY),         ROW(EFBIG),           ROW(ENOSPC),
    ROW(ESPIPE),       ROW(EROFS),           ROW(EMLINK),          ROW(EPIPE),
    ROW(EDOM),         ROW(ERANGE),          ROW(ENAMETOOLONG),    ROW(ENOLCK),
    ROW(ENOSYS),       ROW(ENOTEMPTY),       ROW(ELOOP),           ROW(ENOMSG),
    ROW(EIDRM),        ROW(ECHRNG),          ROW(EL2NSYNC),        ROW(EL3HLT),
    ROW(EL3RST),       ROW(ELNRNG),          ROW(EUNATCH),         ROW(ENOCSI),
    ROW(EL2HLT),       ROW(EBADE),           ROW(EBADR),           ROW(EXFULL),
    ROW(ENOANO),       ROW(EBADRQC),         ROW(EBADSLT),         ROW(EBFONT),
    ROW(ENOSTR),       ROW(ENODATA),         ROW(ETIME),           ROW(ENOSR),
    ROW(ENONET),       ROW(ENOPKG),          ROW(EREMOTE),         ROW(ENOLINK),
    ROW(EADV),         ROW(ESRMNT),          ROW(ECOMM),           ROW(EPROTO),
    ROW(EMULTIHOP),    ROW(EDOTDOT),         ROW(EBADMSG),         ROW(EOVERFLOW),
    ROW(ENOTUNIQ),     ROW(EBADFD),          ROW(EREMCHG),         ROW(ELIBACC),
    ROW(ELIBBAD),      ROW(ELIBSCN),         ROW(ELIBMAX),         ROW(ELIBEXEC),
    ROW(EILSEQ),       ROW(ERESTART),        ROW(ESTRPIPE),        ROW(EUSERS),
    ROW(ENOTSOCK),     ROW(EDESTADDRREQ),    ROW(EMSGSIZE),        ROW(EPROTOTYPE),
    ROW(ENOPROTOOPT),  ROW(EPROTONOSUPPORT), ROW(ESOCKTNOSUPPORT), ROW(EPFNOSUPPORT),
    ROW(EAFNOSUPPORT), ROW(EADDRINUSE),      ROW(EADDRNOTAVAIL),   ROW(ENETDOWN),
    ROW(ENETUNREACH),  ROW(ENETRESET),       ROW(ECONNABORTED),    ROW(ECONNRESET),
    ROW(ENOBUFS),      ROW(EISCONN),         ROW(ENOTCONN),        ROW(ESHUTDOWN),
    ROW(ETOOMANYREFS), ROW(ETIMEDOUT),       ROW(ECONNREFUSED),    ROW(EHOSTDOWN),
    ROW(EHOSTUNREACH), ROW(EALREADY),        ROW(EINPROGRESS),     ROW(ESTALE),
    ROW(EUCLEAN),      ROW(ENOTNAM),         ROW(ENAVAIL),         ROW(EISNAM),
    ROW(EREMOTEIO),    ROW(EDQUOT),          ROW(ENOMEDIUM),       ROW(EMEDIUMTYPE),
    ROW(ECANCELED),    ROW(ENOKEY),          ROW(EKEYEXPIRED),     ROW(EKEYREVOKED),
    ROW(EKEYREJECTED), ROW(EOWNERDEAD),      ROW(ENOTRECOVERABLE), ROW(ERFKILL),
    ROW(EDEADLK),      ROW(EOPNOTSUPP),      ROW(EHWPOISON),       ROW(EWOULDBLOCK),
    ROW(ENOTSUP),
};

const char *errname(int number)
{
	static _Thread_local char other[16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].number == number)
			return rows[i].name;
	snprintf(other, sizeof(other), "E%d", number);
	return other;
}

int errname_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].name, name))
			return rows[i].number;
	return 0;
}

const char *errname_all(unsigned int index)
{
	return index < sizeof(rows) / sizeof(rows[0]) ? rows[index].name : NULL;
}
