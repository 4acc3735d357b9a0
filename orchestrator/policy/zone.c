/*
 * GLib says what a zone's offset from UTC is at an instant; all else follows from that. A clock that
 * is set forward skips times, one that is set back shows some twice. Both ends of such a change are
 * found by halving a span of time around it, so nothing here depends on what a zone calls summer.
 *
 * The offset of a zone changes at most once within SPAN on either side of an instant, and by no more
 * than SPAN; that holds for every zone of the last fifty years. Zone files list changes until 2037;
 * behind that GLib goes by the rule at a file's end, which it gets wrong by an hour on the days of change
 * where winter is the exception (Europe/Dublin).
 */
#include "orchestrator/policy/zone.h"

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/err.h"
#include "host/base/file.h"

#define ZONE_DIR "/usr/share/zoneinfo/"
#define ZONE_NAME_MAX 64u
#define ZONE_USEC INT64_C(1000000)
#define ZONE_SPAN (INT64_C(30) * 3600)

struct zone {
	char *name;
	GTimeZone *rules;
};

/* A name and no path, POSIX rule or offset, which GLib would take as well. */
static bool zone_name_ok(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                              "0123456789-+_/";
	size_t len = strlen(name);

	return len > 0 && len < ZONE_NAME_MAX && strspn(name, letters) == len && name[0] != '/' &&
	       name[len - 1] != '/' && !strstr(name, "//");
}

/* Among the zones' files there are some that list zones, and directories. */
static bool zone_has_file(const char *name)
{
	_cleanup_(freep) char *path = text_format("%s%s", ZONE_DIR, name);
	_cleanup_(file_closep) FILE *file = fopen(path, "re");
	struct stat st;
	char magic[4];

	return file && fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) &&
	       fread(magic, sizeof(magic), 1, file) == 1 &&
	       memcmp(magic, "TZif", sizeof(magic)) == 0;
}

/* UTC is there even on a host without zone files. */
int zone_open(const char *name, struct zone **ret_zone)
{
	bool is_utc = !strcmp(name, "UTC");
	struct zone *zone;
	GTimeZone *rules;

	if (!is_utc && (!zone_name_ok(name) || !zone_has_file(name))) {
		return ZONE_E_UNKNOWN;
	}
	rules = is_utc ? g_time_zone_new_utc() : g_time_zone_new_identifier(name);
	if (!rules) {
		return ZONE_E_UNKNOWN;
	}
	zone = mem_zero(sizeof(*zone));
	zone->name = text_copy(name);
	zone->rules = rules;
	*ret_zone = zone;
	return 0;
}

struct zone *zone_free(struct zone *zone)
{
	if (zone) {
		g_time_zone_unref(zone->rules);
		free(zone->name);
		free(zone);
	}
	return NULL;
}

const char *zone_name(const struct zone *zone)
{
	return zone->name;
}

/* Seconds east of Greenwich at an instant (seconds since 1970). */
static int64_t zone_offset(const struct zone *zone, int64_t sec)
{
	gint at = g_time_zone_find_interval(zone->rules, G_TIME_TYPE_UNIVERSAL, sec);

	return g_time_zone_get_offset(zone->rules, at);
}

/* Whole seconds, rounded down also before 1970. */
static int64_t zone_seconds(int64_t usec)
{
	return usec / ZONE_USEC - (usec % ZONE_USEC < 0);
}

/* The second at which the offset is no longer that of `low`; it differs at `high`. */
static int64_t zone_change(const struct zone *zone, int64_t low, int64_t high)
{
	int64_t before = zone_offset(zone, low);

	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (zone_offset(zone, middle) == before) {
			low = middle;
		} else {
			high = middle;
		}
	}
	return high;
}

int64_t zone_wall(const struct zone *zone, int64_t usec)
{
	return usec + zone_offset(zone, zone_seconds(usec)) * ZONE_USEC;
}

/*
 * With the offset of a day before and that of a day after the instant is known twice, where either
 * is the offset in force there. The earlier offset goes first: it is the one of a first showing.
 */
int64_t zone_instant(const struct zone *zone, int64_t wall_usec)
{
	int64_t wall = zone_seconds(wall_usec);
	int64_t before = zone_offset(zone, wall - ZONE_SPAN);
	int64_t after = zone_offset(zone, wall + ZONE_SPAN);

	if (zone_offset(zone, wall - before) == before) {
		return wall_usec - before * ZONE_USEC;
	}
	if (zone_offset(zone, wall - after) == after) {
		return wall_usec - after * ZONE_USEC;
	}
	return zone_change(zone, wall - ZONE_SPAN, wall + ZONE_SPAN) * ZONE_USEC;
}

int64_t zone_wall_next(const struct zone *zone, int64_t usec)
{
	int64_t sec = zone_seconds(usec);
	int64_t next = zone_wall(zone, usec) + 1;
	int64_t before = zone_offset(zone, sec - ZONE_SPAN);
	int64_t shown;

	if (before <= zone_offset(zone, sec)) {
		return next;
	}
	shown = (zone_change(zone, sec - ZONE_SPAN, sec) + before) * ZONE_USEC;
	return next > shown ? next : shown;
}
