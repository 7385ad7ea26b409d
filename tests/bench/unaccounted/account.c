/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For a supervisor without an account, which only scripts/bench runs: what a connect tells the account and
 * asks of it goes nowhere (the linker's --wrap), and no news of sockets comes.  What a socket is the account
 * remembers for the rest of the supervisor; here it is always what the measured program has, so that what
 * is compared with is, if anything, too fast.
 */
#include "account.h"
#include "net/sock_diag.h"

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
bool __wrap_account_is_begun(struct account *account, const struct account_caller *caller);
bool __wrap_account_knows(struct account *account, uint64_t cookie, int *domain, int *type);
int __wrap_sock_tuple_of(int socket, const struct net_endpoint *remote, struct sock_tuple *tuple);
int __wrap_sock_diag_watch(int room);

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

bool __wrap_account_is_begun(struct account *account, const struct account_caller *caller)
{
	(void)account, (void)caller;
	return false;
}

bool __wrap_account_knows(struct account *account, uint64_t cookie, int *domain, int *type)
{
	(void)account, (void)cookie;
	*domain = AF_INET;
	*type = SOCK_STREAM;
	return true;
}

int __wrap_sock_tuple_of(int socket, const struct net_endpoint *remote, struct sock_tuple *tuple)
{
	(void)socket, (void)remote, (void)tuple;
	return -1;
}

int __wrap_sock_diag_watch(int room)
{
	(void)room;
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); /* there is never anything to be read */
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
