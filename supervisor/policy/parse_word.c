/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/parse.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Of the statements that are not lists, the first in the order of files wins; a second
 * one in the same file is a mistake.  What no file says is built in.
 */
static const struct source_loc builtin = {.file = PLAN_BUILTIN};

void parse_set_builtins(struct plan *plan)
{
	plan->listen = (struct statement){LISTEN_DENY, EACCES, builtin};
	plan->bind = (struct statement){BIND_EPHEMERAL, EACCES, builtin};
	plan->unix_sockets = (struct statement){UNIX_NONE, EAFNOSUPPORT, builtin};
	plan->netlink = (struct statement){NETLINK_NONE, EAFNOSUPPORT, builtin};
	plan->async = (struct statement){ASYNC_ALLOW, ENOSYS, builtin};
	plan->descriptors = (struct statement){DESCRIPTORS_DENY, EACCES, builtin};
	plan->dns = (struct statement){DNS_WORD_ANY, ECONNREFUSED, builtin};
	plan->reverse_dns = (struct statement){REVERSE_DNS_ALLOW, ECONNREFUSED, builtin};
	plan->http = (struct statement){HTTP_AUTO, EACCES, builtin};
	plan->idle = (struct idle_limit){0, builtin};
	for (int i = 0; i < QUOTA_KINDS; i++)
		plan->quotas[i] = (struct quota){QUOTA_UNLIMITED, QUOTA_UNLIMITED, builtin};
}

int parse_claim(struct policy_parser *parser, enum claim claim, struct source_loc held)
{
	static const char *const names[] = {"listen", "bind",        "unix", "netlink",
					    "async",  "descriptors", "dns",  "reverse-dns",
					    "http",   "idle"};
	_Static_assert(sizeof(names) / sizeof(names[0]) == CLAIM_QUOTA, "one name per claim");
	struct source_loc *seen = &parser->claims[claim];
	bool is_quota = claim >= CLAIM_QUOTA;
	char place[128];

	if (seen->line)
		return parse_fail(parser, parser->statement,
				  "'%s%s' a second time in this file; it is at %s already",
				  is_quota ? "quota " : "",
				  is_quota ? quota_name(claim - CLAIM_QUOTA) : names[claim],
				  parse_place(parser, *seen, place, sizeof(place)));
	*seen = parser->statement;
	return held.file == PLAN_BUILTIN;
}

/* Read a word into @statement unless an earlier file has spoken.  @deny: the word that an errno may follow. */
static int parse_one_word(struct policy_parser *parser, enum claim claim, const char *const *words,
			  int deny, struct statement *statement)
{
	struct statement read = {.error = statement->error, .loc = parser->statement};
	int state = parse_claim(parser, claim, statement->loc);

	if (state < 0 || parse_choice(parser, "word", words, &read.word))
		return -1;
	if (read.word == deny && parser->token.kind == LEX_WORD && parse_errno(parser, &read.error))
		return -1;
	if (state)
		*statement = read;
	return 0;
}

int parse_listen(struct policy_parser *parser)
{
	static const char *const words[] = {"deny", "allow", NULL};

	return parse_one_word(parser, CLAIM_LISTEN, words, LISTEN_DENY, &parser->plan->listen);
}

int parse_bind(struct policy_parser *parser)
{
	static const char *const words[] = {"deny", "ephemeral", "any", NULL};

	return parse_one_word(parser, CLAIM_BIND, words, BIND_DENY, &parser->plan->bind);
}

int parse_netlink(struct policy_parser *parser)
{
	static const char *const words[] = {"none", "route-read", NULL};

	return parse_one_word(parser, CLAIM_NETLINK, words, -1, &parser->plan->netlink);
}

int parse_async(struct policy_parser *parser)
{
	static const char *const words[] = {"allow", "deny", NULL};

	return parse_one_word(parser, CLAIM_ASYNC, words, ASYNC_DENY, &parser->plan->async);
}

int parse_descriptors(struct policy_parser *parser)
{
	static const char *const words[] = {"handoff", "shared", "deny", NULL};

	return parse_one_word(parser, CLAIM_DESCRIPTORS, words, DESCRIPTORS_DENY,
			      &parser->plan->descriptors);
}

int parse_dns(struct policy_parser *parser)
{
	static const char *const words[] = {"any", "listed-only", NULL};

	return parse_one_word(parser, CLAIM_DNS, words, -1, &parser->plan->dns);
}

int parse_reverse_dns(struct policy_parser *parser)
{
	static const char *const words[] = {"allow", "deny", NULL};

	return parse_one_word(parser, CLAIM_REVERSE_DNS, words, -1, &parser->plan->reverse_dns);
}

int parse_http(struct policy_parser *parser)
{
	static const char *const words[] = {"auto", "sockets", "urlfetch", NULL};

	return parse_one_word(parser, CLAIM_HTTP, words, -1, &parser->plan->http);
}

static bool is_path_token(const struct lex_token *token)
{
	return (token->kind == LEX_WORD || token->kind == LEX_STRING) && token->size > 1 &&
	       (token->text[0] == '/' || token->text[0] == '@');
}

/* sun_path of struct sockaddr_un: 108 bytes, unix(7). */
#define UNIX_PATH_MAX 107

/* PATH...; read and dropped where @keep is false. */
static int parse_unix_paths(struct policy_parser *parser, bool keep)
{
	struct plan *plan = parser->plan;
	char *path;

	do {
		if (!is_path_token(&parser->token))
			return parse_expected(parser,
					      "an absolute path, or @NAME for an abstract socket");
		if (parser->token.size > UNIX_PATH_MAX)
			return parse_fail(parser, parse_here(parser),
					  "path of %zu bytes; expected at most %d, the room in a "
					  "socket address",
					  parser->token.size, UNIX_PATH_MAX);
		path = keep ? lex_unquote(&parser->token) : NULL;
		if (keep && (!path || array_grow(&plan->unix_paths, plan->n_unix_paths,
						 sizeof(*plan->unix_paths)))) {
			free(path);
			return parse_no_memory(parser);
		}
		if (keep)
			plan->unix_paths[plan->n_unix_paths++] = path;
		if (parse_advance(parser))
			return -1;
	} while (parser->token.kind != LEX_NEWLINE && parser->token.kind != LEX_END);
	return 0;
}

int parse_unix(struct policy_parser *parser)
{
	static const char *const words[] = {"none", "pair", "allow", NULL};
	struct statement read = {.error = EAFNOSUPPORT, .loc = parser->statement};
	int state = parse_claim(parser, CLAIM_UNIX, parser->plan->unix_sockets.loc);

	if (state < 0 || parse_choice(parser, "word", words, &read.word))
		return -1;
	if (read.word == UNIX_ALLOW && parse_unix_paths(parser, state))
		return -1;
	if (state)
		parser->plan->unix_sockets = read;
	return 0;
}
