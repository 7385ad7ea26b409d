/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *parse_prefix_format(const struct net_addr *addr, unsigned int length, char *out)
{
	size_t used;

	net_addr_format(addr, out);
	used = strlen(out);
	if (length != (addr->family == AF_INET ? 32 : 128))
		snprintf(out + used, NET_ADDR_TEXT_MAX - used, "/%u", length);
	return out;
}

static void clear_host_bits(struct net_addr *addr, unsigned int length)
{
	for (unsigned int bit = length; bit < 128; bit++)
		addr->bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
}

static int prefix_fault(struct policy_parser *parser, struct source_loc loc, const char *text,
			int error, struct net_addr *addr, unsigned int length)
{
	char right[NET_ADDR_TEXT_MAX];

	if (error == -ERANGE)
		return parse_fail(parser, loc,
				  "prefix length of '%.60s' is too large; expected at most %d",
				  text, strchr(text, ':') ? 128 : 32);
	if (error == -EDOM && !(strchr(text, ':') && addr->family == AF_INET)) {
		clear_host_bits(addr, length);
		return parse_fail(parser, loc,
				  "'%.60s' has bits set behind its prefix length; did you mean %s?",
				  text, parse_prefix_format(addr, length, right));
	}
	return parse_fail(parser, loc,
			  "'%.60s' is no address; expected one such as 192.0.2.1, 10.0.0.0/8 or "
			  "2001:db8::/32",
			  text);
}

/* One for each line of a data file, so not by asprintf(3). */
static char *label_text(const char *prefix, const char *comment)
{
	char *text = malloc(strlen(prefix) + (comment ? strlen(comment) : 0) + sizeof("  "));
	char *end = text ? stpcpy(text, prefix) : NULL;

	if (text && comment)
		stpcpy(stpcpy(end, "  "), comment);
	return text;
}

/* Return: the number of the new label, or WORD_NONE when there is no memory. */
static uint32_t add_label(struct plan *plan, struct source_loc loc, const char *prefix,
			  const char *comment)
{
	struct plan_label *label;

	if (plan->n_labels >= WORD_NONE - 2 ||
	    array_grow(&plan->labels, plan->n_labels, sizeof(*plan->labels)))
		return WORD_NONE;
	label = &plan->labels[plan->n_labels];
	label->loc = loc;
	label->text = label_text(prefix, comment);
	return label->text ? (uint32_t)plan->n_labels++ : WORD_NONE;
}

static int add_item(struct policy_parser *parser, size_t set, const struct draft_item *item)
{
	struct draft *draft = &parser->drafts[set];

	if (item->label == WORD_NONE ||
	    array_grow(&draft->items, draft->n_items, sizeof(*draft->items)))
		return parse_no_memory(parser);
	draft->items[draft->n_items++] = *item;
	return 0;
}

int parse_prefix_add(struct policy_parser *parser, size_t set, struct source_loc loc,
		     const char *text, bool member, const char *comment)
{
	struct draft_item item = {.member = member};
	char canonical[NET_ADDR_TEXT_MAX];
	unsigned int length = 0;
	int error = prefix_parse(text, &item.addr, &length);

	if (error)
		return prefix_fault(parser, loc, text, error, &item.addr, length);
	item.length = (uint8_t)length;
	parse_prefix_format(&item.addr, length, canonical);
	item.label = add_label(parser->plan, loc, canonical, comment);
	return add_item(parser, set, &item);
}

/* What is wrong with the label that begins at @label, NULL if nothing is. */
static const char *label_fault(const char *label, size_t size)
{
	if (!size)
		return "has an empty part between its dots";
	if (size > 63)
		return "has a part longer than 63 characters";
	if (label[0] == '-' || label[size - 1] == '-')
		return "has a part that begins or ends with a hyphen";
	for (size_t i = 0; i < size; i++)
		if (!islower((unsigned char)label[i]) && !isdigit((unsigned char)label[i]) &&
		    label[i] != '-')
			return "has a character other than letters, digits, hyphens and dots";
	return NULL;
}

const char *parse_host_fault(const char *host)
{
	const char *fault, *end;
	bool wildcard;

	if (strlen(host) > 253)
		return "is longer than 253 characters";
	wildcard = !strncmp(host, "*.", 2);
	host += wildcard ? 2 : 0;
	if (strchr(host, '*'))
		return "has a '*' that is not its whole first part; expected a wildcard such as "
		       "*.example.com";
	if (!wildcard && !strchr(host, '.') && strcmp(host, "localhost"))
		return "is neither an address nor a host name; expected a name with a dot in it, "
		       "an address or @SET";
	for (const char *label = host;; label = end + 1) {
		end = strchrnul(label, '.');
		fault = label_fault(label, (size_t)(end - label));
		if (fault || !*end)
			return fault;
	}
}

/* Number of a host name in plan->names; takes @host. */
static uint32_t add_name(struct policy_parser *parser, char *host)
{
	struct plan *plan = parser->plan;
	uint32_t index = word_index_find(&parser->name_index, host);

	if (index != WORD_NONE) {
		free(host);
		return index;
	}
	if (array_grow(&plan->names, plan->n_names, sizeof(*plan->names)) ||
	    word_index_add(&parser->name_index, host, (uint32_t)plan->n_names)) {
		free(host);
		return WORD_NONE;
	}
	plan->names[plan->n_names] = host;
	return (uint32_t)plan->n_names++;
}

/* Lower case, without the dot of the root. */
static void lower_host(char *host)
{
	size_t size = strlen(host);

	for (size_t i = 0; i < size; i++)
		host[i] = (char)tolower((unsigned char)host[i]);
	if (size > 1 && host[size - 1] == '.')
		host[size - 1] = '\0';
}

/* Takes @host. */
static int add_host(struct policy_parser *parser, size_t index, struct source_loc loc, char *host)
{
	struct plan_set *set = parser->plan->sets[index];
	const char *fault;
	uint32_t name;

	if (!host)
		return parse_no_memory(parser);
	lower_host(host);
	fault = parse_host_fault(host);
	if (fault) {
		parse_fail(parser, loc, "'%.80s' %s", host, fault);
		free(host);
		return -1;
	}
	name = add_name(parser, host);
	if (name == WORD_NONE || array_grow(&set->names, set->n_names, sizeof(*set->names)))
		return parse_no_memory(parser);
	for (size_t i = 0; i < set->n_names; i++)
		if (set->names[i] == name)
			return parse_fail(parser, loc, "'%.80s' twice in one list",
					  parser->plan->names[name]);
	set->names[set->n_names++] = name;
	return 0;
}

static int add_include(struct policy_parser *parser, size_t index, struct source_loc loc,
		       const char *name)
{
	struct plan_set *set;
	size_t other;

	if (parse_set_named(parser, loc, name, &other))
		return -1;
	set = parser->plan->sets[index];
	if (array_grow(&set->includes, set->n_includes, sizeof(*set->includes)))
		return parse_no_memory(parser);
	for (size_t i = 0; i < set->n_includes; i++)
		if (set->includes[i] == parser->plan->sets[other])
			return parse_fail(parser, loc, "'@%.60s' twice in one list", name);
	set->includes[set->n_includes++] = parser->plan->sets[other];
	return 0;
}

static bool looks_like_address(const char *word)
{
	return strpbrk(word, "/:") || !word[strspn(word, "0123456789.")];
}

/* The canonical text of the item just read. */
static char *item_text(struct policy_parser *parser, size_t set, const char *word, bool host)
{
	const struct draft *draft = &parser->drafts[set];
	const struct plan_set *plan_set = parser->plan->sets[set];
	const struct draft_item *item;
	char text[NET_ADDR_TEXT_MAX + 1];

	if (word[0] == '@')
		return strdup(word);
	if (host)
		return strdup(parser->plan->names[plan_set->names[plan_set->n_names - 1]]);
	item = &draft->items[draft->n_items - 1];
	text[0] = '!';
	parse_prefix_format(&item->addr, item->length, text + 1);
	return strdup(item->member ? text + 1 : text);
}

static int add_word(struct policy_parser *parser, size_t set, struct source_loc loc,
		    const char *word, bool *host)
{
	bool member = word[0] != '!';

	*host = false;
	if (word[0] == '@')
		return add_include(parser, set, loc, word + 1);
	if (!member && !looks_like_address(word + 1))
		return parse_fail(parser, loc,
				  "exception '%.60s' is no address; expected one such as "
				  "!192.0.2.1 or !10.0.0.0/8",
				  word);
	if (!member || looks_like_address(word))
		return parse_prefix_add(parser, set, loc, word + !member, member, NULL);
	*host = true;
	return add_host(parser, set, loc, strdup(word));
}

int parse_set_add_item(struct policy_parser *parser, size_t set, const struct lex_token *token,
		       char **text)
{
	struct source_loc loc = {parser->file, token->line, token->col};
	char *word = lex_unquote(token);
	bool host;
	int status;

	if (!word)
		return parse_no_memory(parser);
	status = add_word(parser, set, loc, word, &host);
	if (!status) {
		*text = item_text(parser, set, word, host);
		status = *text ? 0 : parse_no_memory(parser);
	}
	free(word);
	return status;
}
