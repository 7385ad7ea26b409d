/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/day.h"

#define HOUR 3600
#define DAY_SECONDS 86400
#define TIME_MIN INT64_C(-62135596800) /* 0001-01-01 00:00:00 UTC */
#define TIME_MAX INT64_C(253402300799) /* 9999-12-31 23:59:59 UTC */

/*
 * Days are numbered from 1970-01-01.  A year is taken to begin on the 1st of March, so that the
 * leap day is its last, and years come in eras of 400 years, which are all of one length.
 * (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".)
 */
#define ERA_DAYS 146097
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */

static int64_t number_of(int year, int month, int day)
{
	int64_t march_year = month <= 2 ? year - 1 : year;
	int64_t era = march_year / 400, year_of_era = march_year % 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

static int date_of(int64_t number)
{
	int64_t days = number + EPOCH_DAYS, era = days / ERA_DAYS, day_of_era = days % ERA_DAYS;
	int64_t year_of_era =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
	    day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;
	int64_t day = day_of_year - (153 * march_month + 2) / 5 + 1;
	int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
	int64_t year = year_of_era + era * 400 + (month <= 2);

	return (int)(year * 10000 + month * 100 + day);
}

static int64_t number_of_date(int day)
{
	return number_of(day / 10000, day / 100 % 100, day % 100);
}

static int64_t clamp(int64_t value, int64_t min, int64_t max)
{
	return value < min ? min : value > max ? max : value;
}

static int64_t floor_days(int64_t seconds)
{
	return seconds >= 0 ? seconds / DAY_SECONDS : -((-seconds + DAY_SECONDS - 1) / DAY_SECONDS);
}

/* The @nth Sunday of @month, as a day number.  1970-01-01 was a Thursday, number 3 was a Sunday. */
static int64_t sunday(int year, int month, int nth)
{
	int64_t first = number_of(year, month, 1);
	int64_t weekday = ((first - 3) % 7 + 7) % 7; /* 0: Sunday */

	return first + (7 - weekday) % 7 + 7 * (int64_t)(nth - 1);
}

int day_offset(int64_t time, enum day_zone zone)
{
	int64_t begin, end;
	int year;

	if (zone == DAY_UTC)
		return 0;
	time = clamp(time, TIME_MIN, TIME_MAX);
	year = date_of(floor_days(time)) / 10000;
	begin = sunday(year, 3, 2) * DAY_SECONDS + 10 * HOUR; /* 2:00 of UTC-8 */
	end = sunday(year, 11, 1) * DAY_SECONDS + 9 * HOUR;   /* 2:00 of UTC-7 */
	return time >= begin && time < end ? -7 * HOUR : -8 * HOUR;
}

int day_of(int64_t time, enum day_zone zone)
{
	int64_t local;

	time = clamp(time, TIME_MIN, TIME_MAX);
	local = clamp(time + day_offset(time, zone), TIME_MIN, TIME_MAX);
	return date_of(floor_days(local));
}

int64_t day_begin(int day, enum day_zone zone)
{
	int64_t midnight = number_of_date(day) * DAY_SECONDS;

	if (zone == DAY_UTC)
		return midnight;
	/* One hour around midnight is never one of a change: those are at 2:00. */
	return midnight - day_offset(midnight + 8 * HOUR, zone);
}

int day_add(int day, int days)
{
	int64_t number = number_of_date(day) + days;

	return date_of(clamp(number, number_of_date(DAY_MIN), number_of_date(DAY_MAX)));
}

int day_is_valid(int day)
{
	return day >= DAY_MIN && day <= DAY_MAX && day / 100 % 100 >= 1 && day / 100 % 100 <= 12 &&
	       day % 100 >= 1 && date_of(number_of_date(day)) == day;
}
