/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/rules.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { BAD_REQUEST = 400, FORBIDDEN = 403, URI_TOO_LONG = 414 };

bool rules_method_is_taken(const char *method)
{
	static const char *const taken[] = {"GET", "POST", "HEAD", "PUT", "DELETE", "PATCH"};

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (!strcmp(method, taken[i]))
			return true;
	return false;
}

bool rules_port_is_taken(unsigned int port)
{
	return (port >= 80 && port <= 90) || (port >= 440 && port <= 450) ||
	       (port >= 1024 && port <= 65535);
}

/* --- URLs --- */

static int refuse(const char **why, int status, const char *text)
{
	*why = text;
	return status;
}

static char to_lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		c = (char)(c - 'A' + 'a');
	return c;
}

static bool is_in(char c, const char *set)
{
	return c && strchr(set, c);
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 3986's reg-name without escapes, and an address in brackets without a zone. */
static int read_host(const char *text, size_t size, struct rules_url *out, const char **why)
{
	static const char name_set[] = "abcdefghijklmnopqrstuvwxyz0123456789-._";
	static const char address_set[] = "abcdef0123456789:.";

	if (size == 0 || size >= RULES_HOST_MAX)
		return refuse(why, BAD_REQUEST, "no host, or one that is too long");
	for (size_t i = 0; i < size; i++) {
		out->host[i] = to_lower(text[i]);
		if (!is_in(out->host[i], out->bracketed ? address_set : name_set))
			return refuse(why, BAD_REQUEST, "a host with a character that none has");
	}
	out->host[size] = '\0';
	return 0;
}

static int read_port(const char *text, size_t size, uint16_t *port, const char **why)
{
	unsigned int value = 0;

	if (size == 0 || size > 5)
		return refuse(why, BAD_REQUEST, "no port behind the colon");
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return refuse(why, BAD_REQUEST, "a port that is no number");
		value = value * 10 + (unsigned int)(text[i] - '0');
	}
	if (value > 65535)
		return refuse(why, BAD_REQUEST, "a port beyond 65535");
	*port = (uint16_t)value;
	return 0;
}

int rules_read_authority(const char *text, size_t size, uint16_t port, struct rules_url *out,
			 const char **why)
{
	const char *end, *rest = text + size;
	int status;

	out->bracketed = size > 0 && text[0] == '[';
	if (out->bracketed) {
		end = memchr(text, ']', size);
		if (!end)
			return refuse(why, BAD_REQUEST, "a bracket that is not closed");
		status = read_host(text + 1, (size_t)(end - text) - 1, out, why);
		end++;
	} else {
		end = memchr(text, ':', size);
		end = end ? end : rest;
		status = read_host(text, (size_t)(end - text), out, why);
	}
	if (status)
		return status;
	out->port = port;
	if (end < rest) {
		if (*end != ':')
			return refuse(why, BAD_REQUEST, "something between host and port");
		status = read_port(end + 1, (size_t)(rest - end) - 1, &out->port, why);
	}
	if (status)
		return status;
	if (out->port == 0)
		return refuse(why, BAD_REQUEST, "no port");
	return rules_port_is_taken(out->port)
		   ? 0
		   : refuse(why, FORBIDDEN,
			    "URL Fetch reaches ports 80-90, 440-450 and 1024-65535 alone");
}

static bool begins_with(const char *text, size_t size, const char *begin)
{
	return size >= strlen(begin) && !strncasecmp(text, begin, strlen(begin));
}

int rules_read_url(const char *url, size_t size, struct rules_url *out, const char **why)
{
	size_t authority = 0;
	int status;

	*out = (struct rules_url){.path = ""};
	if (size > RULES_URL_MAX)
		return refuse(why, URI_TOO_LONG, "a URL of more than 10240 characters");
	for (size_t i = 0; i < size; i++)
		if (!is_letter_or_digit(url[i]) &&
		    (url[i] <= ' ' || url[i] > '~' || is_in(url[i], "#\\\"<>^`{|}")))
			return refuse(why, BAD_REQUEST,
				      "a character that must be escaped in a URL");
	out->https = begins_with(url, size, "https://");
	if (!out->https && !begins_with(url, size, "http://"))
		return refuse(why, BAD_REQUEST, "no http or https URL");
	url += out->https ? 8 : 7;
	size -= out->https ? 8 : 7;
	while (authority < size && !is_in(url[authority], "/?"))
		authority++;
	if (memchr(url, '@', authority))
		return refuse(why, BAD_REQUEST, "a user in the URL");
	status = rules_read_authority(url, authority, out->https ? 443 : 80, out, why);
	out->path = url + authority;
	out->path_size = size - authority;
	return status;
}

size_t rules_write_url(const struct rules_url *url, char *out, size_t room)
{
	bool usual = url->port == (url->https ? 443 : 80),
	     slash = url->path_size == 0 || url->path[0] != '/';
	char port[8] = "";
	int n;

	if (!usual)
		snprintf(port, sizeof(port), ":%u", url->port);
	n = snprintf(out, room, "%s://%s%s%s%s%s%.*s", url->https ? "https" : "http",
		     url->bracketed ? "[" : "", url->host, url->bracketed ? "]" : "", port,
		     slash ? "/" : "", (int)url->path_size, url->path);
	return n < 0 || (size_t)n >= room ? 0 : (size_t)n;
}

bool rules_is_same_origin(const struct rules_url *a, const struct rules_url *b)
{
	return a->https == b->https && a->port == b->port && a->bracketed == b->bracketed &&
	       !strcmp(a->host, b->host);
}

/* --- headers --- */

/* @names: in lower case */
static bool is_one_of(const char *name, const char *const *names)
{
	char first = to_lower(name[0]);

	for (; *names; names++)
		if (first == (*names)[0] && !strcasecmp(name, *names))
			return true;
	return false;
}

/* RFC 9110, 7.6.1: of this connection alone. */
static const char *const hop_by_hop[] = {"connection",
					 "keep-alive",
					 "proxy-connection",
					 "proxy-authorization",
					 "proxy-authenticate",
					 "te",
					 "trailer",
					 "transfer-encoding",
					 "upgrade",
					 NULL};

bool rules_header_goes_out(const char *name)
{
	static const char *const kept[] = {"host",
					   "content-length",
					   "vary",
					   "via",
					   "x-forwarded-for",
					   "x-proxyuser-ip",
					   "expect",
					   "user-agent", /* ours is made from it */
					   RULES_HEADER_FOLLOW,
					   RULES_HEADER_DEADLINE,
					   NULL};

	return !is_one_of(name, kept) && !is_one_of(name, hop_by_hop) &&
	       strncasecmp(name, "x-appengine-", 12) != 0;
}

bool rules_header_comes_in(const char *name)
{
	return !is_one_of(name, hop_by_hop) && strcasecmp(name, "content-length") != 0;
}

void rules_lower(const char *text, char *out, size_t room)
{
	size_t n = 0;

	for (; text[n] && n + 1 < room; n++)
		out[n] = to_lower(text[n]);
	out[n] = '\0';
}

bool rules_token_list_has(const char *value, const char *token)
{
	size_t size = strlen(token);

	while (*value) {
		size_t n;

		value += strspn(value, " \t,");
		n = strcspn(value, " \t,");
		if (n == size && !strncasecmp(value, token, size))
			return true;
		value += n;
	}
	return false;
}

char *rules_user_agent(const char *theirs, const char *app, char *out, size_t room)
{
	bool has = theirs && *theirs;

	snprintf(out, room, "%s%sAppEngine-Google; (+http://code.google.com/appengine; appid: %s)",
		 has ? theirs : "", has ? " " : "", app);
	return out;
}
