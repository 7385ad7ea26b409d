/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/command.h"
#include "policy/explain.h"
#include "policy/sockopt_names.h"

#include "net/dns_message.h"
#include "net/names.h"
#include "shared/base/log.h"

#include <ctype.h>
#include <limits.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#define LOOKUP_MS 5000 /* one look-up of a name in a rule */

struct explainer {
	const struct plan *plan;
	struct names *names;
	bool label_lines; /* several lines: each begins with its address */
};

static void names_done(void *context, uint32_t name)
{
	(void)context;
	(void)name;
}

static enum name_answer ask(void *context, const uint32_t *list, size_t n,
			    const struct net_addr *addr, uint32_t *which)
{
	switch (names_ask(context, list, n, addr, which)) {
	case NAMES_YES:
		return NAME_YES;
	case NAMES_NO:
		return NAME_NO;
	case NAMES_FAILED:
		return NAME_FAILED;
	case NAMES_UNKNOWN:
		break;
	}
	return NAME_UNKNOWN;
}

static void look_up(struct names *names, const char *text, uint32_t name)
{
	names_start(names, name);
	if (names_wait(names, name, LOOKUP_MS))
		log_warn("%s: no answer within %d s", text, LOOKUP_MS / 1000);
	else if (*names_error(names, name))
		log_warn("%s: %s", text, names_error(names, name));
}

/* Each name is looked up at most once, so this ends. */
static struct verdict decide(const struct explainer *explainer, const struct explain_url *url,
			     const struct net_addr *addr)
{
	struct name_view view = {ask, explainer->names};
	struct net_endpoint to = {*addr, url->port};
	struct verdict verdict;

	for (size_t i = 0; i <= explainer->plan->n_names; i++) {
		verdict = decide_destination(explainer->plan, url->transport, &to, &view);
		if (verdict.kind != VERDICT_NEEDS_NAME)
			break;
		look_up(explainer->names, explainer->plan->names[verdict.name], verdict.name);
	}
	return verdict;
}

/* What `dns` and `reverse-dns` refuse besides the rules: connections in which questions are not seen. */
static bool refuses_tcp(const struct plan *plan, const struct explain_url *url)
{
	return url->transport == TRANSPORT_TCP && url->port == DNS_PORT && plan_judges_dns(plan);
}

static int explain_address(const struct explainer *explainer, const struct explain_url *url,
			   const struct net_addr *addr)
{
	struct net_endpoint to = {*addr, url->port};
	struct verdict verdict = decide(explainer, url, addr);
	char text[NET_ADDR_TEXT_MAX];

	if (explainer->label_lines || !url->is_address)
		printf("%s://%s  ", url->transport == TRANSPORT_TCP ? "tcp" : "udp",
		       net_endpoint_format(&to, text));
	if (verdict.kind == VERDICT_ALLOW && refuses_tcp(explainer->plan, url)) {
		explain_question(explainer->plan, NULL, true, stdout);
		return 1;
	}
	explain_verdict(explainer->plan, &verdict, stdout);
	putchar('\n');
	return verdict.kind == VERDICT_ALLOW ? 0 : 1;
}

static struct net_addr from_sockaddr(const struct sockaddr *sockaddr)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (sockaddr->sa_family == AF_INET) {
		memcpy(&v4, sockaddr, sizeof(v4));
		return net_addr_from_v4(&v4.sin_addr);
	}
	memcpy(&v6, sockaddr, sizeof(v6));
	return net_addr_from_v6(&v6.sin6_addr, v6.sin6_scope_id);
}

/* As when a program asks for it: a name below a wildcard is looked up then. */
static void observe(const struct explainer *explainer, const char *host)
{
	char name[NAMES_TEXT_MAX];
	size_t size = strlen(host);
	uint32_t number;

	for (size_t i = 0; i <= size && i < sizeof(name); i++)
		name[i] = (char)tolower((unsigned char)host[i]);
	if (size && size < sizeof(name) && name[size - 1] == '.')
		name[size - 1] = '\0';
	if (size < sizeof(name) && names_observe(explainer->names, name, &number) == NAMES_STALE)
		look_up(explainer->names, name, number);
}

/* Every address behind the name, as a program would find them. */
static int explain_host(const struct explainer *explainer, const struct explain_url *url)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
	int error = getaddrinfo(url->host, NULL, &hints, &list), status = 0;

	observe(explainer, url->host);
	if (error) {
		log_error("%s: %s", url->host, gai_strerror(error));
		return COMMAND_FAILED;
	}
	for (const struct addrinfo *info = list; info; info = info->ai_next) {
		struct net_addr addr;

		if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
			continue;
		addr = from_sockaddr(info->ai_addr);
		status |= explain_address(explainer, url, &addr);
	}
	freeaddrinfo(list);
	return status;
}

static int explain_urls(const struct explainer *explainer, int argc, char **argv)
{
	int status = 0, one;
	struct explain_url url;
	const char *why;

	for (int i = 0; i < argc; i++) {
		if (explain_url_parse(argv[i], &url, &why)) {
			log_error("'%s': %s", argv[i], why);
			return COMMAND_FAILED;
		}
		one = url.is_address ? explain_address(explainer, &url, &url.addr)
				     : explain_host(explainer, &url);
		if (one == COMMAND_FAILED)
			return one;
		status |= one;
	}
	return status;
}

static bool parse_number(const char *text, int *number)
{
	long long value;
	bool is_number = sockopt_number_parse(text, 0, INT_MAX, &value);

	if (is_number)
		*number = (int)value;
	return is_number;
}

static int explain_option(const struct plan *plan, const char *level_text, const char *option_text)
{
	int level, option;

	if (!sockopt_level_parse(level_text, &level) && !parse_number(level_text, &level)) {
		log_error("'%s': expected a level, such as SOL_SOCKET, or a number", level_text);
		return COMMAND_FAILED;
	}
	if (!sockopt_option_parse(level, option_text, &option) &&
	    !parse_number(option_text, &option)) {
		log_error("'%s': expected an option of %s, or a number", option_text, level_text);
		return COMMAND_FAILED;
	}
	return explain_sockopt(plan, level, option, stdout) ? 0 : 1;
}

static int explain_destinations(const struct plan *plan, int argc, char **argv)
{
	struct names_config config = {.names = (const char *const *)plan->names,
				      .n_names = plan->n_names,
				      .timeout_ms = LOOKUP_MS,
				      .done = names_done};
	struct explainer explainer = {.plan = plan, .label_lines = argc > 1};
	int status;

	explainer.names = names_new(&config);
	if (!explainer.names) {
		log_error("out of memory");
		return COMMAND_FAILED;
	}
	status = explain_urls(&explainer, argc, argv);
	names_free(explainer.names);
	return status;
}

/* May the program ask a name server for @host? */
static int explain_dns(const struct plan *plan, const char *host)
{
	struct names_config config = {.names = (const char *const *)plan->names,
				      .n_names = plan->n_names};
	struct names *names = names_new(&config);
	char name[NAMES_TEXT_MAX];
	bool allowed;
	size_t size = strlen(host);

	if (!names || size >= sizeof(name)) {
		log_error("%s", names ? "a name of more than 255 characters" : "out of memory");
		names_free(names);
		return COMMAND_FAILED;
	}
	for (size_t i = 0; i <= size; i++)
		name[i] = (char)tolower((unsigned char)host[i]);
	if (size && name[size - 1] == '.')
		name[size - 1] = '\0';
	allowed = explain_question(plan, name, names_lists(names, name), stdout);
	names_free(names);
	return allowed ? 0 : 1;
}

int command_explain(const struct command_options *options, int argc, char **argv)
{
	struct plan *plan;
	int status;

	if (!argc || (!strcmp(argv[0], "sockopt") && argc != 3) ||
	    (!strcmp(argv[0], "dns") && argc != 2)) {
		log_error("explain takes tcp://HOST:PORT, udp://HOST:PORT, dns NAME or sockopt "
			  "LEVEL OPTION; see gae-policy --help");
		return COMMAND_FAILED;
	}
	plan = command_plan(options, options->sources, options->n_sources);
	if (!plan)
		return COMMAND_FAILED;
	if (!strcmp(argv[0], "sockopt"))
		status = explain_option(plan, argv[1], argv[2]);
	else if (!strcmp(argv[0], "dns"))
		status = explain_dns(plan, argv[1]);
	else
		status = explain_destinations(plan, argc, argv);
	plan_free(plan);
	return status;
}
