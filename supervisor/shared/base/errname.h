/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERRNAME_H
#define BASE_ERRNAME_H

/** errname() - "EACCES" for 13, "E999" (static storage per thread) for a number without a name. */
const char *errname(int number);

/** errname_parse() - 13 for "EACCES"; 0 for a word that is no errno name. */
int errname_parse(const char *name);

/** errname_all() - the @index-th known name, NULL behind the last: for "did you mean" and completion. */
const char *errname_all(unsigned int index);

#endif
