/* SPDX-License-Identifier: Apache-2.0 */
/* The account's side of the clerk: what the ledger lacks, and the picture for the report and gae-top. */
#include "account.h"

#include "account_inner.h"
#include "shared/base/clock.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000000u

/* --- what the ledger lacks --- */

bool account_unwritten(struct account *account)
{
	bool dirty;

	pthread_mutex_lock(&account->lock);
	dirty = account->dirty || account->taking || account->lost != account->lost_told;
	pthread_mutex_unlock(&account->lock);
	return dirty;
}

static void fill_flow(const struct flow *flow, struct status_flow *row)
{
	*row = (struct status_flow){.pid = flow->pid,
				    .transport = flow->transport,
				    .to = flow->to,
				    .host = flow->host,
				    .usage = flow->usage};
	memcpy(row->process, flow->process, sizeof(row->process));
}

/* Return: false when the ledger has all of it. */
static bool take_flow(struct flow *flow, struct status_flow *row)
{
	struct usage before = flow->written;

	if (memcmp(&flow->usage, &flow->written, sizeof(before)) == 0)
		return false;
	fill_flow(flow, row);
	row->usage.connects -= before.connects;
	row->usage.denied -= before.denied;
	row->usage.bytes_sent -= before.bytes_sent;
	row->usage.bytes_received -= before.bytes_received;
	row->usage.datagrams_sent -= before.datagrams_sent;
	row->usage.datagrams_received -= before.datagrams_received;
	flow->written = flow->usage;
	return true;
}

size_t account_take(struct account *account, struct status_flow *rows, size_t max, uint64_t *lost)
{
	struct flows *flows = &account->flows;
	size_t n = 0;

	pthread_mutex_lock(&account->lock);
	*lost = account->lost - account->lost_told;
	account->lost_told = account->lost;
	if (!account->taking) {
		account->taking = true;
		account->dirty = false;
		account->take_at = flows->first;
	}
	for (int i = 0; i < 2 && n < max; i++)
		n += take_flow(&flows->rest[i], &rows[n]);
	for (; account->take_at && n < max; account->take_at = account->take_at->later)
		n += take_flow(account->take_at, &rows[n]);
	account->taking = n == max;
	pthread_mutex_unlock(&account->lock);
	return n;
}

/* --- the picture --- */

static void fill_socket(const struct account_socket *socket, uint64_t now,
			struct status_socket *out)
{
	*out = (struct status_socket){
	    .cookie = socket->cookie,
	    .pid = socket->by.pid,
	    .transport = socket->transport,
	    .to = socket->to,
	    .host = socket->flow ? socket->flow->host : "",
	    .on_offer = socket->offered,
	    .age_ms = (now - socket->made_ns) / MS,
	    .idle_ms = (now - socket->used_ns) / MS,
	    .usage = socket->usage,
	};
	memcpy(out->process, socket->name, sizeof(out->process));
}

static void fill_sums(struct account *account, struct status *status)
{
	status->idle_limit_ms = account->plan->idle.ms;
	status->decisions_allowed = account->allowed;
	status->decisions_denied = account->denied;
	status->reclaimed = account->reclaimed;
	status->over_quota = account->over_quota;
	status->lost = account->lost;
	for (int i = 0; i < QUOTA_KINDS; i++) {
		struct status_quota *quota = &status->quotas[i];

		quota->per_minute = account->plan->quotas[i].per_minute;
		quota->per_day = account->plan->quotas[i].per_day;
		quotas_used(account->quotas, (enum quota_kind)i, &quota->used_minute,
			    &quota->used_day);
	}
}

int account_picture(struct account *account, struct status *status)
{
	uint64_t now = clock_now_ns();
	int rc = 0;

	pthread_mutex_lock(&account->lock);
	status->sockets = calloc(account->n_sockets + 1, sizeof(*status->sockets));
	status->flows = calloc(account->flows.n + 2, sizeof(*status->flows));
	status->n_sockets = status->n_flows = 0;
	if (!status->sockets || !status->flows)
		rc = -1;
	for (size_t i = 0; rc == 0 && i < account->n_buckets; i++)
		for (struct account_socket *socket = account->buckets[i]; socket;
		     socket = socket->next)
			fill_socket(socket, now, &status->sockets[status->n_sockets++]);
	for (size_t i = 0; rc == 0 && i < status->n_sockets; i++)
		status->on_offer += status->sockets[i].on_offer;
	for (struct flow *flow = account->flows.first; rc == 0 && flow; flow = flow->later)
		fill_flow(flow, &status->flows[status->n_flows++]);
	for (int i = 0; rc == 0 && i < 2; i++)
		if (!usage_is_zero(&account->flows.rest[i].usage))
			fill_flow(&account->flows.rest[i], &status->flows[status->n_flows++]);
	fill_sums(account, status);
	pthread_mutex_unlock(&account->lock);
	status->total = (struct usage){0};
	for (size_t i = 0; i < status->n_flows; i++)
		usage_add(&status->total, &status->flows[i].usage);
	return rc;
}
