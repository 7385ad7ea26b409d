/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_PARSE_H
#define POLICY_PARSE_H

#include "policy/lex.h"
#include "policy/policy.h"
#include "policy/words.h"

/*
 * What the files of the parser share; nobody else includes this.
 * Every parse_* function returns 0, or -1 with parser->error set.
 */

/* One prefix of a set while it is read. */
struct draft_item {
	struct net_addr addr;
	uint8_t length;
	bool member;
	uint32_t label;
};

/* A set while it is read; drafts[i] belongs to plan->sets[i]. */
struct draft {
	struct draft_item *items;
	size_t n_items;
	bool defined; /* else only referred to so far: .loc of the set is the first reference */
	bool visiting;
	uint32_t weight; /* sets that a look-up in it visits */
};

/*
 * What may stand once in a file and holds from the first file that has it.  A quota is
 * claimed by its kind, both rates at once.
 */
enum claim {
	CLAIM_LISTEN,
	CLAIM_BIND,
	CLAIM_UNIX,
	CLAIM_NETLINK,
	CLAIM_ASYNC,
	CLAIM_DESCRIPTORS,
	CLAIM_DNS,
	CLAIM_REVERSE_DNS,
	CLAIM_HTTP,
	CLAIM_IDLE,
	CLAIM_QUOTA, /* CLAIM_QUOTA + enum quota_kind */
	CLAIMS = CLAIM_QUOTA + QUOTA_KINDS
};

struct policy_parser {
	struct plan *plan;
	struct draft *drafts;
	struct word_index set_index, name_index; /* text -> index in plan->sets, plan->names */
	struct word_index rule_index;            /* rule_keys[i] -> i, index in plan->rules */
	char **rule_keys;                        /* owned, one per rule */
	policy_open_data *open_data;
	void *context;
	struct policy_error *error;
	/* The file that is being read. */
	uint16_t file;
	struct lex lex;
	struct lex_token token;           /* the next one, not yet taken */
	struct source_loc claims[CLAIMS]; /* where in this file; line 0: not seen yet */
	struct source_loc statement;      /* where the statement being read begins */
	bool failed;                      /* a file had an error: there will be no plan */
};

/* --- parse.c: errors and tokens --- */
__attribute__((format(printf, 3, 4))) int parse_fail(struct policy_parser *parser,
						     struct source_loc loc, const char *format,
						     ...);
int parse_no_memory(struct policy_parser *parser);
/** parse_unknown() - "unknown KIND 'word'; expected ...; did you mean 'x'?"; @names: all that could stand here, NULL-terminated. */
int parse_unknown(struct policy_parser *parser, const struct lex_token *token, const char *kind,
		  const char *const *names);
/** parse_expected() - "found X; expected @what". */
int parse_expected(struct policy_parser *parser, const char *what);
struct source_loc parse_here(const struct policy_parser *parser);
/** parse_advance() - take the next token. */
int parse_advance(struct policy_parser *parser);
bool parse_is(const struct policy_parser *parser, const char *word);
/** parse_is_statement() - the next token is the first word of a statement. */
bool parse_is_statement(const struct policy_parser *parser);
/** parse_accept() - take the next token if it is @word.  Return: 1 taken, 0 not, -1 error. */
int parse_accept(struct policy_parser *parser, const char *word);
/** parse_which() - which of @names @token is; takes nothing.  @kind: what it is called in an error. */
int parse_which(struct policy_parser *parser, const struct lex_token *token, const char *kind,
		const char *const *names, int *index);
/** parse_choice() - take a word out of @names and give its index; @kind: what it is called in an error. */
int parse_choice(struct policy_parser *parser, const char *kind, const char *const *names,
		 int *index);
/** parse_errno() - take an errno name. */
int parse_errno(struct policy_parser *parser, int *error);
/** parse_string() - take a quoted text (@what: what it is for); the caller frees *@text, NULL before, in any case. */
int parse_string(struct policy_parser *parser, const char *what, char **text);
/** parse_place() - "10-a.conf:3:1", for the other place of a duplicate.  @out: @room bytes. */
const char *parse_place(const struct policy_parser *parser, struct source_loc loc, char *out,
			size_t room);
/** parse_file_add() - number of a new plan file. Takes @path. */
int parse_file_add(struct policy_parser *parser, char *path, uint16_t *index);
/** array_grow() - room for one element more behind the @n of *(T **)@array.  Return: 0 or -ENOMEM. */
int array_grow(void *array, size_t n, size_t size);

/* --- parse_set.c, parse_item.c, parse_data.c: destinations --- */
int parse_set_statement(struct policy_parser *parser);
/** parse_destination() - what stands behind `to`; *@set NULL: any. */
int parse_destination(struct policy_parser *parser, struct plan_set **set);
int parse_set_add_item(struct policy_parser *parser, size_t set, const struct lex_token *token,
		       char **text);
int parse_set_named(struct policy_parser *parser, struct source_loc loc, const char *name,
		    size_t *index);
int parse_set_new(struct policy_parser *parser, struct source_loc loc, size_t *index);
/** parse_prefix_add() - @text is "10.0.0.0/8"; @comment: rest of its label or NULL. */
int parse_prefix_add(struct policy_parser *parser, size_t set, struct source_loc loc,
		     const char *text, bool member, const char *comment);
/** parse_data_file() - the prefixes of `set ... file "NAME"`. */
int parse_data_file(struct policy_parser *parser, size_t set, struct source_loc loc,
		    const char *name);
/** parse_host_fault() - NULL if @host (lower case) is a host name or a wildcard (*.example.com), else what is wrong with it. */
const char *parse_host_fault(const char *host);
/** parse_resolve_sets() - after the last file: includes known, no circles, prefixes searchable. */
int parse_resolve_sets(struct policy_parser *parser);
/** parse_prefix_format() - "10.0.0.0/8", without the length where it is full.  @out: NET_ADDR_TEXT_MAX bytes. */
char *parse_prefix_format(const struct net_addr *addr, unsigned int length, char *out);

/* --- parse_rule.c, parse_sockopt.c, parse_word.c, parse_limit.c: statements --- */
int parse_rule(struct policy_parser *parser, enum rule_action action);
int parse_sockopt(struct policy_parser *parser);
int parse_listen(struct policy_parser *parser);
int parse_bind(struct policy_parser *parser);
int parse_unix(struct policy_parser *parser);
int parse_netlink(struct policy_parser *parser);
int parse_async(struct policy_parser *parser);
int parse_descriptors(struct policy_parser *parser);
int parse_dns(struct policy_parser *parser);
int parse_reverse_dns(struct policy_parser *parser);
int parse_http(struct policy_parser *parser);
int parse_idle(struct policy_parser *parser);
int parse_quota(struct policy_parser *parser);
/**
 * parse_claim() - a statement that may stand once in a file.
 * @held: where the statement that holds so far is
 * Return: 1 it is still free, 0 an earlier file has it: read and drop, -1 this file has it.
 */
int parse_claim(struct policy_parser *parser, enum claim claim, struct source_loc held);
/** parse_set_builtins() - the statements that no file has. */
void parse_set_builtins(struct plan *plan);

#endif
