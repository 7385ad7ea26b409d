/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/describe.h"

#include "net/names.h"
#include "policy/sockopt_names.h"
#include "request.h"
#include "shared/gae_sockets.h"
#include "supervisor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const struct {
	int number;
	const char *name;
} families[] =
    {
	{AF_UNSPEC, "AF_UNSPEC"}, {AF_UNIX, "AF_UNIX"},     {AF_INET, "AF_INET"},
	{AF_INET6, "AF_INET6"},   {AF_PACKET, "AF_PACKET"}, {AF_NETLINK, "AF_NETLINK"},
	{AF_VSOCK, "AF_VSOCK"},   {AF_ALG, "AF_ALG"},       {AF_BLUETOOTH, "AF_BLUETOOTH"},
	{AF_CAN, "AF_CAN"},       {AF_TIPC, "AF_TIPC"},
},
  types[] = {
      {SOCK_STREAM, "SOCK_STREAM"},       {SOCK_DGRAM, "SOCK_DGRAM"}, {SOCK_RAW, "SOCK_RAW"},
      {SOCK_SEQPACKET, "SOCK_SEQPACKET"}, {SOCK_RDM, "SOCK_RDM"},     {SOCK_DCCP, "SOCK_DCCP"},
};

static const char *family_name(int number)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (families[i].number == number)
			return families[i].name;
	return NULL;
}

static const char *type_name(int number)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].number == number)
			return types[i].name;
	return NULL;
}

static void describe_socket(const struct request *req, char *out, size_t room)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	int type = (int)arg[1] & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
	const char *family = family_name((int)arg[0]), *kind = type_name(type);
	char family_number[16], type_number[16];

	snprintf(family_number, sizeof(family_number), "%d", (int)arg[0]);
	snprintf(type_number, sizeof(type_number), "%d", type);
	snprintf(out, room, "%s, %s, %d", family ? family : family_number,
		 kind ? kind : type_number, (int)arg[2]);
}

static void describe_option(const struct request *req, char *out, size_t room)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;
	char option[96];

	if ((int)arg[1] == SOL_GAE && (int)arg[2] == GAE_DESCRIPTOR)
		snprintf(out, room, "%d, SOL_GAE, GAE_DESCRIPTOR", (int)arg[0]);
	else
		snprintf(out, room, "%d, %s", (int)arg[0],
			 sockopt_format((int)arg[1], (int)arg[2], option, sizeof(option)));
}

const char *describe_arguments(const struct request *req, char *out, size_t room)
{
	const uint64_t *arg = (const uint64_t *)req->call.args;

	switch (req->call.nr) {
	case SYS_socket:
	case SYS_socketpair:
		describe_socket(req, out, room);
		break;
	case SYS_setsockopt:
	case SYS_getsockopt:
		describe_option(req, out, room);
		break;
#ifdef SYS_dup2
	case SYS_dup2:
#endif
	case SYS_dup3:
		snprintf(out, room, "%d", (int)arg[1]);
		break;
	case SYS_fcntl:
		snprintf(out, room, "%s, %d",
			 (int)arg[1] == F_DUPFD ? "F_DUPFD" : "F_DUPFD_CLOEXEC", (int)arg[2]);
		break;
	case SYS_listen:
		snprintf(out, room, "%d, %d", (int)arg[0], (int)arg[1]);
		break;
	default:
		/* The descriptor, where there is one, is shown by itself. */
		if (req->fd >= 0)
			snprintf(out, room, "0x%llx", (unsigned long long)arg[1]);
		else
			snprintf(out, room, "0x%llx, 0x%llx", (unsigned long long)arg[0],
				 (unsigned long long)arg[1]);
	}
	return out;
}

const char *describe_reason(const struct request *req, char *out, size_t room)
{
	const struct plan *plan = req->sup->plan;
	const struct verdict *verdict = &req->verdict;
	const char *because = NULL, *what = "";

	if (!req->has_dest || req->why)
		return req->why;
	if (verdict->rule)
		because = verdict->rule->because;
	else if (req->denied)
		because = "no rule allows it";
	if (verdict->label != PREFIX_NO_LABEL && verdict->label < plan->n_labels)
		what = plan->labels[verdict->label].text;
	else if (verdict->name < plan->n_names)
		what = plan->names[verdict->name];
	if (req->denied && verdict->failed < plan->n_names && req->sup->names &&
	    (because || *what || verdict->unsure)) {
		snprintf(out, room, "%s; %s%s: %s", because ? because : "refused",
			 plan->names[verdict->failed],
			 verdict->unsure ? " may have this address" : "",
			 names_error(req->sup->names, verdict->failed));
		return out;
	}
	if (!because && !*what)
		return NULL;
	snprintf(out, room, "%s%s%s%s%s", because ? because : "", *what && because ? " (" : "",
		 what, *what && because ? ")" : "", verdict->embedded ? " [embedded IPv4]" : "");
	return out;
}
