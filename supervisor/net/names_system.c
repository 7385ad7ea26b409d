/* SPDX-License-Identifier: Apache-2.0 */
#include "net/names.h"

#include "shared/base/fd.h"

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
