/* SPDX-License-Identifier: Apache-2.0 */
#include "net/names.h"

#include "shared/base/fd.h"

#include <ctype.h>
#include <string.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX (1024 * 1024)

static const char blanks[] = " \t\r";

/* resolv.conf(5): the keyword begins in the first column, its value ends at white space; the scope of an IPv6 address goes. */
static bool line_name_server(char *line, struct net_addr *addr)
{
	static const char keyword[] = "nameserver";
	size_t length = sizeof(keyword) - 1;

	if (strncmp(line, keyword, length) != 0 || (line[length] != ' ' && line[length] != '\t'))
		return false;
	line += length;
	line += strspn(line, blanks);
	line[strcspn(line, " \t\r%;#")] = '\0';
	if (net_addr_parse(line, addr) < 0)
		return false;
	net_addr_resolve_any(addr);
	return true;
}

size_t names_system_resolvers(const char *resolv_conf, struct net_addr *out, size_t max)
{
	CLEANUP_FREE char *text = NULL;
	size_t size, n = 0;
	char *rest;

	if (fd_read_file(resolv_conf ? resolv_conf : RESOLV_CONF, RESOLV_CONF_MAX, &text, &size) ==
	    0) {
		for (char *line = strtok_r(text, "\n", &rest); line && n < max;
		     line = strtok_r(NULL, "\n", &rest))
			if (line_name_server(line, &out[n]))
				n++;
	}
	if (n == 0 && max > 0)
		out[n++] = net_addr_from_v4((const uint8_t[]){127, 0, 0, 1});
	return n;
}

/* The words behind `search` or `domain`, which replace those of an earlier line (resolv.conf(5)). */
static void line_search(char *line, char out[NAMES_SEARCH_MAX][NAMES_TEXT_MAX], size_t *n)
{
	size_t keyword = strcspn(line, " \t");
	char *rest;

	if (keyword != 6 || !line[keyword] ||
	    (strncmp(line, "search", 6) != 0 && strncmp(line, "domain", 6) != 0))
		return;
	*n = 0;
	for (char *word = strtok_r(line + keyword, blanks, &rest); word && *n < NAMES_SEARCH_MAX;
	     word = strtok_r(NULL, blanks, &rest)) {
		size_t size = strlen(word);

		while (size && word[size - 1] == '.')
			size--;
		if (size == 0 || size >= NAMES_TEXT_MAX)
			continue;
		for (size_t i = 0; i < size; i++)
			out[*n][i] = (char)tolower((unsigned char)word[i]);
		out[(*n)++][size] = '\0';
	}
}

size_t names_system_search(const char *resolv_conf, char out[NAMES_SEARCH_MAX][NAMES_TEXT_MAX])
{
	CLEANUP_FREE char *text = NULL;
	size_t size, n = 0;
	char *rest;

	if (fd_read_file(resolv_conf ? resolv_conf : RESOLV_CONF, RESOLV_CONF_MAX, &text, &size) <
	    0)
		return 0;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		line_search(line, out, &n);
	return n;
}
