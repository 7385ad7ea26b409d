/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/option_fault.h"

#include "shared/base/escape.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct option *find(const struct option *names, int value)
{
	while (names->name && names->val != value)
		names++;
	return names->name ? names : NULL;
}

/* "--ver is ambiguous: --verbose --version", if it is the beginning of several names. */
static char *ambiguous(const char *word, const struct option *names, char *out, size_t room)
{
	size_t size = strcspn(word, "="), used, n = 0;

	used = (size_t)snprintf(out, room, "option %.*s is ambiguous:", (int)size, word);
	for (; names->name; names++) {
		if (strncmp(names->name, word + 2, size - 2) != 0)
			continue;
		n++;
		if (used < room)
			used += (size_t)snprintf(out + used, room - used, " --%s", names->name);
	}
	return n > 1 ? out : NULL;
}

/*
 * Of a word that begins with "--" the whole is wrong and was taken.  Of a word of letters the one in
 * optopt is wrong, and where others follow it, the word has not been taken yet.
 */
char *option_fault(int found, char *const *argv, const struct option *names, char *out, size_t room)
{
	const char *word = argv[optind - 1];
	const struct option *known = optopt ? find(names, optopt) : NULL;
	char letter = (char)optopt, shown[256];

	if (known && found == ':' && strncmp(word, "--", 2) != 0)
		snprintf(out, room, "option -%c needs an argument", letter);
	else if (known)
		snprintf(out, room, "option --%s %s", known->name,
			 found == ':' ? "needs an argument" : "takes no argument");
	else if (optopt) {
		escape_name(shown, sizeof(shown), &letter, 1);
		snprintf(out, room, "unknown option -%s", shown);
	} else if (!ambiguous(word, names, out, room)) {
		escape_name(shown, sizeof(shown), word, strlen(word));
		snprintf(out, room, "unknown option %s", shown);
	}
	return out;
}
