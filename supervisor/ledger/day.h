/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_DAY_H
#define LEDGER_DAY_H

#include <stdint.h>

/*
 * App Engine's day begins at midnight Pacific time.  Pure arithmetic: a container may have no
 * time zone data.  Pacific time is UTC-8, and UTC-7 from the second Sunday of March, 2:00, to the
 * first Sunday of November, 2:00 (15 U.S.C. 260a, since 2007; here for every year).
 * Times outside the years 1 to 9999 count as the nearest one inside.
 */
enum day_zone { DAY_PACIFIC, DAY_UTC };

#define DAY_MIN 10101    /* 0001-01-01 */
#define DAY_MAX 99991231 /* 9999-12-31 */

/** day_of() - the day of @time (Unix seconds) as YYYYMMDD. */
int day_of(int64_t time, enum day_zone zone);

/** day_begin() - Unix seconds of the midnight at which @day (YYYYMMDD) begins. */
int64_t day_begin(int day, enum day_zone zone);

/** day_offset() - seconds that the clocks of @zone are ahead of UTC at @time (Unix seconds). */
int day_offset(int64_t time, enum day_zone zone);

/** day_add() - @day moved by @days, not beyond DAY_MIN and DAY_MAX. */
int day_add(int day, int days);

/** day_is_valid() - does the calendar have it? */
int day_is_valid(int day);

#endif
