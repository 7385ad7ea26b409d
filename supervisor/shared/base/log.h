/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * The log is for people: one line each on standard error, prefixed with the
 * program's name.  It is not the trace (see trace.h), which is for policy.
 * Each line is one write(2), so lines of several processes never mix.
 * The caller escapes whatever the target controls (escape.h).
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/** log_open() - set the prefix (kept, not copied) and the most detailed level that is printed. */
void log_open(const char *program, enum log_level max);

__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
