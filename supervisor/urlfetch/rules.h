/* SPDX-License-Identifier: Apache-2.0 */
#ifndef URLFETCH_RULES_H
#define URLFETCH_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What App Engine's URL Fetch takes and what it changes.  Pure.  Sources: the Quotas and URL Fetch
 * pages of 2016, urlfetch_stub.py and urlfetch_service.proto of the SDK.
 */
#define RULES_URL_MAX 10240          /* characters of a URL */
#define RULES_HEADERS_MAX (16 << 10) /* bytes of the header lines together */
#define RULES_OUT_MAX (10 << 20)     /* bytes of a request's body */
#define RULES_IN_MAX (32 << 20)      /* bytes of an answer's body */
#define RULES_REDIRECTS_MAX 5
#define RULES_HOST_MAX 254 /* a name of 253 characters and a NUL */

/* Headers by which a request asks for what an argument of urlfetch.fetch() did. */
#define RULES_HEADER_FOLLOW "x-urlfetch-follow-redirects" /* true or false, the default */
#define RULES_HEADER_DEADLINE "x-urlfetch-deadline"       /* seconds, up to the maximum */

struct rules_url {
	bool https;
	bool bracketed; /* .host is an IPv6 address */
	uint16_t port;
	char host[RULES_HOST_MAX]; /* lower case, without brackets, and without a dot at its end */
	const char *path;          /* inside the URL: from '/' or '?'; "" where there is none */
	size_t path_size;
};

/** rules_method_is_taken() - GET, POST, HEAD, PUT, DELETE, PATCH. */
bool rules_method_is_taken(const char *method);

/** rules_port_is_taken() - 80-90, 440-450, 1024-65535. */
bool rules_port_is_taken(unsigned int port);

/**
 * rules_read_url() - take an absolute URL apart.
 * Only printable ASCII; http and https; no user, no fragment; a port that is taken.
 * Return: 0, or the HTTP status of the refusal with the reason in *@why (static text).
 */
int rules_read_url(const char *url, size_t size, struct rules_url *out, const char **why);

/**
 * rules_read_authority() - HOST[:PORT], as in CONNECT and in a Host header.
 * @port: where the text has none; 0: it must have one
 * Return: as rules_read_url().
 */
int rules_read_authority(const char *text, size_t size, uint16_t port, struct rules_url *out,
			 const char **why);

/**
 * rules_write_url() - the URL again, in normal form and without a port that goes without saying.
 * Return: its length, or 0 when @room is too small.
 */
size_t rules_write_url(const struct rules_url *url, char *out, size_t room);

/** rules_is_same_origin() - scheme, host and port. */
bool rules_is_same_origin(const struct rules_url *a, const struct rules_url *b);

/**
 * rules_header_goes_out() - may an app's header be sent on?  Not those that App Engine sets itself
 * (Host, Content-Length, Vary, Via, X-Forwarded-For, X-ProxyUser-IP, X-Appengine-*), nor what is
 * between the app and us alone.
 * @name: any case
 */
bool rules_header_goes_out(const char *name);

/** rules_header_comes_in() - may an answer's header be handed to the app?  Not those about the connection. */
bool rules_header_comes_in(const char *name);

/** rules_lower() - @text in lower case, cut to @room. */
void rules_lower(const char *text, char *out, size_t room);

/** rules_token_list_has() - is @token (lower case) in a comma-separated header value? */
bool rules_token_list_has(const char *value, const char *token);

/**
 * rules_user_agent() - the app's own text with App Engine's behind it.
 * @theirs: NULL or "": none; cut, so that App Engine's stays whole
 * Return: @out, cut to @room
 */
char *rules_user_agent(const char *theirs, const char *app, char *out, size_t room);

#endif
