/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For a supervisor without an account, which only scripts/bench runs: what a connect tells the account and
 * asks of it goes nowhere (the linker's --wrap), and no news of sockets comes.  With BENCH_NEWS in its
 * environment the kernel has a listener for its news, who never reads them: what they cost alone.
 */
#include "account.h"
#include "net/sock_diag.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the names that the linker asks for. */
enum account_answer __wrap_account_may_connect(struct account *account,
					       const struct account_caller *caller,
					       enum quota_kind *spent);
void __wrap_account_connected(struct account *account, const struct account_caller *caller,
			      const struct net_endpoint *to, const struct sock_tuple *tuple,
			      bool certain);
void __wrap_account_failed(struct account *account, const struct account_caller *caller,
			   const struct net_endpoint *to);
void __wrap_account_not_connected(struct account *account);
enum account_answer __wrap_account_may_begin(struct account *account,
					     const struct account_caller *caller,
					     enum quota_kind *spent);
int __wrap_sock_tuple_of(int socket, const struct net_endpoint *remote, struct sock_tuple *tuple);
int __wrap_sock_diag_watch(int room);
int __real_sock_diag_watch(int room);

enum account_answer __wrap_account_may_connect(struct account *account,
					       const struct account_caller *caller,
					       enum quota_kind *spent)
{
	(void)account, (void)caller, (void)spent;
	return ACCOUNT_FINE;
}

void __wrap_account_connected(struct account *account, const struct account_caller *caller,
			      const struct net_endpoint *to, const struct sock_tuple *tuple,
			      bool certain)
{
	(void)account, (void)caller, (void)to, (void)tuple, (void)certain;
}

void __wrap_account_failed(struct account *account, const struct account_caller *caller,
			   const struct net_endpoint *to)
{
	(void)account, (void)caller, (void)to;
}

void __wrap_account_not_connected(struct account *account)
{
	(void)account;
}

enum account_answer __wrap_account_may_begin(struct account *account,
					     const struct account_caller *caller,
					     enum quota_kind *spent)
{
	(void)account, (void)caller, (void)spent;
	return ACCOUNT_FINE;
}

int __wrap_sock_tuple_of(int socket, const struct net_endpoint *remote, struct sock_tuple *tuple)
{
	(void)socket, (void)remote, (void)tuple;
	return -1;
}

int __wrap_sock_diag_watch(int room)
{
	if (getenv("BENCH_NEWS") && __real_sock_diag_watch(room) < 0)
		return -1;
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); /* there is never anything to be read */
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
