/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/day.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

/*
 * The instants at which the clocks of America/Los_Angeles changed or will, 2007 to 2040, forward
 * and back in turn, and days of random times: from Python's zoneinfo, that is the IANA data base.
 */
static const int64_t changes[] = {
    1173607200, 1194166800, 1205056800, 1225616400, 1236506400, 1257066000, 1268560800, 1289120400,
    1300010400, 1320570000, 1331460000, 1352019600, 1362909600, 1383469200, 1394359200, 1414918800,
    1425808800, 1446368400, 1457863200, 1478422800, 1489312800, 1509872400, 1520762400, 1541322000,
    1552212000, 1572771600, 1583661600, 1604221200, 1615716000, 1636275600, 1647165600, 1667725200,
    1678615200, 1699174800, 1710064800, 1730624400, 1741514400, 1762074000, 1772964000, 1793523600,
    1805018400, 1825578000, 1836468000, 1857027600, 1867917600, 1888477200, 1899367200, 1919926800,
    1930816800, 1951376400, 1962871200, 1983430800, 1994320800, 2014880400, 2025770400, 2046330000,
    2057220000, 2077779600, 2088669600, 2109229200, 2120119200, 2140678800, 2152173600, 2172733200,
    2183623200, 2204182800, 2215072800, 2235632400,
};
#define N_CHANGES (sizeof(changes) / sizeof(changes[0]))

static const struct {
	int64_t time;
	int day;
} known[] = {
    {1421064309, 20150112}, {1493273983, 20170426}, {1278383281, 20100705}, {1942010355, 20310716},
    {1592873898, 20200622}, {1681801360, 20230418}, {1334009814, 20120409}, {1264354004, 20100124},
    {1239029644, 20090406}, {1188888132, 20070903}, {1598814669, 20200830}, {1757525337, 20250910},
    {2153256322, 20380326}, {1478324442, 20161104}, {2027088767, 20340327}, {2230640660, 20400907},
    {1989196694, 20330112}, {1230796145, 20081231}, {1405903163, 20140720}, {1726319637, 20240914},
    {1743865371, 20250405}, {1554419628, 20190404}, {1464695326, 20160531}, {2004855012, 20330713},
    {1353006722, 20121115}, {2055456306, 20350218}, {1281623043, 20100812}, {1448628856, 20151127},
    {1397820306, 20140418}, {2180104499, 20390131}, {2163478978, 20380722}, {1195139994, 20071115},
    {2057655723, 20350316}, {1855543788, 20281018}, {2033745964, 20340612}, {1447055360, 20151108},
    {2027083921, 20340327}, {1459396535, 20160330}, {1375309513, 20130731}, {1344581857, 20120809},
    {1500308456, 20170717}, {1478608921, 20161108}, {1840819524, 20280501}, {2098889128, 20360705},
    {1953475553, 20311126}, {2199392768, 20390911}, {2085281281, 20360129}, {2078710968, 20351114},
    {1709193600, 20240229}, {1709279999, 20240229}, {1735632000, 20241231}, {1735718399, 20241231},
    {1795593600, 20261125}, {1795679999, 20261125}, {4118108400, 21000701}, {4118194799, 21000701},
};
#define N_KNOWN (sizeof(known) / sizeof(known[0]))

/* What the C library makes of seconds in UTC. */
static int date(int64_t seconds)
{
	time_t time = seconds;
	struct tm tm;

	gmtime_r(&time, &tm);
	return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}

static void check_pacific(int64_t time, int offset)
{
	cr_assert_eq(day_offset(time, DAY_PACIFIC), offset, "at %lld", (long long)time);
	cr_assert_eq(day_of(time, DAY_PACIFIC), date(time + offset), "at %lld", (long long)time);
}

Test(day, changes_the_clocks_as_the_law_says)
{
	for (size_t i = 0; i < N_CHANGES; i++) {
		int before = i % 2 ? -7 * 3600 : -8 * 3600, after = i % 2 ? -8 * 3600 : -7 * 3600;

		for (int hour = -72; hour <= 72; hour++)
			check_pacific(changes[i] + hour * 3600, hour < 0 ? before : after);
		check_pacific(changes[i] - 1, before);
		check_pacific(changes[i] + 1, after);
	}
}

Test(day, knows_the_pacific_day_of_any_time)
{
	for (size_t i = 0; i < N_KNOWN; i++)
		cr_expect_eq(day_of(known[i].time, DAY_PACIFIC), known[i].day, "at %lld: %d",
			     (long long)known[i].time, day_of(known[i].time, DAY_PACIFIC));
}

Test(day, knows_the_utc_day_of_any_time)
{
	srandom(1);
	for (int i = 0; i < 100000; i++) {
		int64_t time = ((int64_t)random() << 7) - INT64_C(60000000000);

		cr_assert_eq(day_of(time, DAY_UTC), date(time), "at %lld", (long long)time);
	}
	cr_expect_eq(day_of(-1, DAY_UTC), 19691231);
	cr_expect_eq(day_of(0, DAY_UTC), 19700101);
}

Test(day, begins_where_the_day_before_ends)
{
	for (int day = 20070101; day <= 20401231; day = day_add(day, 1)) {
		int64_t begin = day_begin(day, DAY_PACIFIC);

		cr_assert_eq(day_of(begin, DAY_PACIFIC), day);
		cr_assert_eq(day_of(begin - 1, DAY_PACIFIC), day_add(day, -1));
		cr_assert_eq(day_of(day_begin(day, DAY_UTC), DAY_UTC), day);
		cr_assert_eq(day_of(day_begin(day, DAY_UTC) - 1, DAY_UTC), day_add(day, -1));
	}
	cr_expect_eq(day_begin(20261125, DAY_PACIFIC), 1795593600);
	cr_expect_eq(day_begin(20260308, DAY_PACIFIC), 1772956800);
	cr_expect_eq(day_begin(20260309, DAY_PACIFIC) - day_begin(20260308, DAY_PACIFIC),
		     23 * 3600);
	cr_expect_eq(day_begin(20261102, DAY_PACIFIC) - day_begin(20261101, DAY_PACIFIC),
		     25 * 3600);
}

Test(day, moves_over_months_years_and_leap_days)
{
	cr_expect_eq(day_add(20240228, 1), 20240229);
	cr_expect_eq(day_add(20240229, 1), 20240301);
	cr_expect_eq(day_add(20230228, 1), 20230301);
	cr_expect_eq(day_add(20000228, 1), 20000229);
	cr_expect_eq(day_add(21000228, 1), 21000301);
	cr_expect_eq(day_add(20251231, 1), 20260101);
	cr_expect_eq(day_add(20260101, -1), 20251231);
	cr_expect_eq(day_add(20260101, 365), 20270101);
	cr_expect_eq(day_add(20260101, -10000), 19980816);
}

Test(day, stays_within_four_digits_of_years)
{
	cr_expect_eq(day_add(20260101, INT32_MAX), DAY_MAX);
	cr_expect_eq(day_add(20260101, INT32_MIN), DAY_MIN);
	cr_expect_eq(day_of(INT64_MAX, DAY_PACIFIC), DAY_MAX);
	cr_expect_eq(day_of(INT64_MIN, DAY_PACIFIC), DAY_MIN);
	cr_expect_eq(day_of(INT64_MAX, DAY_UTC), DAY_MAX);
	cr_expect_eq(day_of(INT64_MIN, DAY_UTC), DAY_MIN);
}

Test(day, knows_which_days_there_are)
{
	static const int good[] = {10101, 20240229, 20000229, 20261231, 20260430, 99991231};
	static const int bad[] = {0,        -1,        20261301, 20260001, 20260100,
				  20260132, 20260431,  20230229, 21000229, 99999999,
				  10100,    INT32_MAX, INT32_MIN};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(day_is_valid(good[i]), "%d", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(day_is_valid(bad[i]), "%d", bad[i]);
}
