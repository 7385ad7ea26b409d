/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch URL N PARALLEL: gets URL N times with libcurl, over kept connections, PARALLEL at a time;
 * prints requests per second.  Where http_proxy says so, through gae-urlfetch.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PARALLEL_MAX 64

static size_t drop(char *data, size_t one, size_t size, void *context)
{
	(void)data, (void)context;
	return one * size;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void check(CURL *easy, CURLcode code)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK && status == 200)
		return;
	fprintf(stderr, "fetch: status %ld: %s\n", status, curl_easy_strerror(code));
	exit(1);
}

/* Each handle that is done begins anew until @n are begun. */
static void fetch_all(CURLM *multi, long n, long parallel)
{
	long begun = parallel, done = 0;
	int running, left;

	while (done < n) {
		CURLMsg *message;

		curl_multi_perform(multi, &running);
		while ((message = curl_multi_info_read(multi, &left))) {
			CURL *easy = message->easy_handle;

			check(easy, message->data.result);
			curl_multi_remove_handle(multi, easy);
			if (begun++ < n)
				curl_multi_add_handle(multi, easy);
			done++;
		}
		if (done < n)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
}

int main(int argc, char **argv)
{
	long n = argc == 4 ? atol(argv[2]) : 0, parallel = argc == 4 ? atol(argv[3]) : 0;
	CURLM *multi = curl_multi_init();
	double begun;

	if (n < parallel || parallel < 1 || parallel > PARALLEL_MAX || !multi) {
		fputs("usage: fetch URL N PARALLEL\n", stderr);
		return 2;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (long i = 0; i < parallel; i++) {
		CURL *easy = curl_easy_init();

		curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
		curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
		curl_multi_add_handle(multi, easy);
	}
	begun = now_s();
	fetch_all(multi, n, parallel);
	printf("%.0f\n", (double)n / (now_s() - begun));
	return 0;
}
