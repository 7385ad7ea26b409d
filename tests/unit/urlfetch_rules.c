/* SPDX-License-Identifier: Apache-2.0 */
#include "urlfetch/rules.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct rules_url url;
static const char *why;
static char text[RULES_URL_MAX + 64];

static int read_url(const char *from)
{
	return rules_read_url(from, strlen(from), &url, &why);
}

static const char *written(const char *from)
{
	cr_assert_eq(read_url(from), 0, "%s: %s", from, why);
	cr_assert_gt(rules_write_url(&url, text, sizeof(text)), 0UL);
	return text;
}

Test(urlfetch_rules, six_methods_are_taken)
{
	static const char *const not_taken[] = {"OPTIONS", "TRACE", "CONNECT", "get",
						"GETX",    "GE",    "",        "PROPFIND"};

	cr_expect(rules_method_is_taken("GET") && rules_method_is_taken("POST"));
	cr_expect(rules_method_is_taken("HEAD") && rules_method_is_taken("PUT"));
	cr_expect(rules_method_is_taken("DELETE") && rules_method_is_taken("PATCH"));
	for (size_t i = 0; i < sizeof(not_taken) / sizeof(not_taken[0]); i++)
		cr_expect_not(rules_method_is_taken(not_taken[i]), "%s", not_taken[i]);
}

Test(urlfetch_rules, ports_are_three_ranges)
{
	static const unsigned int taken[] = {80, 90, 440, 443, 450, 1024, 65535};
	static const unsigned int not_taken[] = {0, 1, 22, 25, 79, 91, 439, 451, 1023, 65536};

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		cr_expect(rules_port_is_taken(taken[i]), "%u", taken[i]);
	for (size_t i = 0; i < sizeof(not_taken) / sizeof(not_taken[0]); i++)
		cr_expect_not(rules_port_is_taken(not_taken[i]), "%u", not_taken[i]);
}

Test(urlfetch_rules, urls_come_out_in_normal_form)
{
	cr_expect_str_eq(written("http://Example.COM"), "http://example.com/");
	cr_expect_str_eq(written("HTTP://example.com:80/a?b=c"), "http://example.com/a?b=c");
	cr_expect_str_eq(written("https://example.com:443/"), "https://example.com/");
	cr_expect_str_eq(written("https://example.com:80/"), "https://example.com:80/");
	cr_expect_str_eq(written("http://example.com?q"), "http://example.com/?q");
	cr_expect_str_eq(written("http://[2001:DB8::1]:8080/x"), "http://[2001:db8::1]:8080/x");
	cr_expect_str_eq(written("http://a/../%2e%2e/@x:y"), "http://a/../%2e%2e/@x:y");
	cr_expect_str_eq(written("http://example.com.:8080/x."), "http://example.com:8080/x.");
}

Test(urlfetch_rules, of_dots_at_the_end_of_a_host_one_is_taken_off)
{
	char host[RULES_HOST_MAX + 16];

	cr_expect_neq(read_url("http://./"), 0);
	cr_expect_neq(read_url("http://a../"), 0); /* read again it would be another */
	cr_expect_neq(read_url("http://[::1.]./"), 0);
	snprintf(host, sizeof(host), "http://%0*d./", RULES_HOST_MAX - 1, 0);
	cr_expect_eq(read_url(host), 0, "%s", why);
	cr_expect_eq(strlen(url.host), RULES_HOST_MAX - 1UL);
}

Test(urlfetch_rules, urls_that_could_be_read_in_two_ways_are_refused)
{
	static const char *const bad[] = {
	    "/path",
	    "ftp://a/",
	    "http:/a/",
	    "http://",
	    "http:///x",
	    "http://a b/",
	    "http://a/#f",
	    "http://a/\t",
	    "http://user@a/",
	    "http://u:p@a/",
	    "http://a:/",
	    "http://a:080801/",
	    "http://a:-1/",
	    "http://a:99999/",
	    "http://[::1/",
	    "http://[::1]x/",
	    "http://[fe80::1%25lo]/",
	    "http://a\\b/",
	    "http://\xc3\xa4/",
	    "http://a%41/",
	    "http://a:80:80/",
	    "http://[g::1]/",
	    "gopher://a:80/",
	    "http://a:0/",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(read_url(bad[i]), 400, "%s", bad[i]);
	cr_expect_eq(read_url("http://a:22/"), 403);
	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, "http://a/", 9);
	cr_expect_eq(rules_read_url(text, RULES_URL_MAX, &url, &why), 0);
	cr_expect_eq(rules_read_url(text, RULES_URL_MAX + 1, &url, &why), 414);
}

Test(urlfetch_rules, an_authority_needs_a_port_where_none_is_given)
{
	cr_expect_eq(rules_read_authority("a:443", 5, 0, &url, &why), 0);
	cr_expect_eq(url.port, 443);
	cr_expect_eq(rules_read_authority("a", 1, 0, &url, &why), 400);
	cr_expect_eq(rules_read_authority("a", 1, 443, &url, &why), 0);
	cr_expect_eq(rules_read_authority("a:25", 4, 0, &url, &why), 403);
}

Test(urlfetch_rules, what_app_engine_sets_itself_does_not_go_out)
{
	static const char *const kept[] = {"Host",
					   "content-length",
					   "Vary",
					   "VIA",
					   "X-Forwarded-For",
					   "X-ProxyUser-IP",
					   "Connection",
					   "Proxy-Connection",
					   "TE",
					   "Upgrade",
					   "Transfer-Encoding",
					   "Proxy-Authorization",
					   "Keep-Alive",
					   "Trailer",
					   "Expect",
					   "X-Appengine-Inbound-Appid",
					   "x-urlfetch-deadline"};
	static const char *const sent[] = {"Accept",       "Authorization", "Cookie",
					   "Content-Type", "X-App",         "Range"};

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		cr_expect_not(rules_header_goes_out(kept[i]), "%s", kept[i]);
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		cr_expect(rules_header_goes_out(sent[i]), "%s", sent[i]);
}

Test(urlfetch_rules, what_is_of_the_connection_does_not_come_in)
{
	cr_expect_not(rules_header_comes_in("Connection"));
	cr_expect_not(rules_header_comes_in("Content-Length"));
	cr_expect_not(rules_header_comes_in("transfer-encoding"));
	cr_expect(rules_header_comes_in("Set-Cookie"));
	cr_expect(rules_header_comes_in("Via"));
}

Test(urlfetch_rules, tokens_are_found_whole)
{
	cr_expect(rules_token_list_has("keep-alive, Close", "close"));
	cr_expect(rules_token_list_has(",,close", "close"));
	cr_expect_not(rules_token_list_has("closed, enclose", "close"));
	cr_expect_not(rules_token_list_has("", "close"));
}

Test(urlfetch_rules, the_user_agent_has_app_engines_behind_it)
{
	cr_expect_str_eq(
	    rules_user_agent("curl/7", "shop", text, sizeof(text)),
	    "curl/7 AppEngine-Google; (+http://code.google.com/appengine; appid: shop)");
	cr_expect_str_eq(rules_user_agent(NULL, "shop", text, sizeof(text)),
			 "AppEngine-Google; (+http://code.google.com/appengine; appid: shop)");
}

Test(urlfetch_rules, an_agent_that_is_too_long_is_cut_and_ours_stays)
{
	static const char ours[] =
	    " AppEngine-Google; (+http://code.google.com/appengine; appid: shop)";
	char theirs[2000], out[1024];

	memset(theirs, 'a', sizeof(theirs));
	for (size_t n = 900; n < 1100; n++) {
		theirs[n] = '\0';
		rules_user_agent(theirs, "shop", out, sizeof(out));
		cr_expect_leq(strlen(out), sizeof(out) - 1);
		cr_expect_eq(out[0], 'a');
		cr_assert_gt(strlen(out), strlen(ours));
		cr_assert_str_eq(out + strlen(out) - strlen(ours), ours, "%zu", n);
		theirs[n] = 'a';
	}
}
