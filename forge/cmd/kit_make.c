/*
 * luforge-kit: parse the command line; forge/make/kit_make.c does the work. Numbers and ids
 * become what a request has; paths are passed on as they are.
 */
#include <stdio.h>
#include <string.h>

#include "forge/base/mem.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"
#include "forge/kit/kit.h"
#include "forge/make/kit_make.h"

/* The command line as given; NULL where an option is absent. */
struct kit_options {
	const char *counter, *floor, *issued, *source_id;
	const char **dirs, **maps;
};

/* The length of a NULL-terminated array; an option that was not given has none. */
static size_t kit_count(const char *const *values)
{
	size_t n = 0;

	while (values && values[n]) {
		n++;
	}
	return n;
}

/*
 * Numbers and the id of the source. --counter overrides the description's release number and takes
 * its floor with it, so a floor alone is rejected; without --floor it is then 0.
 */
static int kit_parse_numbers(const struct kit_options *o, struct kit_request *q)
{
	uint64_t v = 0;
	int r;

	if (o->floor && !o->counter) {
		return args_wrong("--floor needs --counter");
	}
	r = o->counter ? args_number("counter", o->counter, UINT32_MAX, &v) : 0;
	q->counter = (uint32_t)v;
	if (r == 0 && o->floor) {
		r = args_number("floor", o->floor, UINT32_MAX, &v);
		q->floor = (uint32_t)v;
	}
	if (r == 0 && o->issued) {
		r = args_number("issued", o->issued, UINT64_MAX, &q->issued);
	}
	return r == 0 && o->source_id ? kit_parse_id("--source-id", o->source_id, q->source_id) : r;
}

/*
 * Fill in the request; its strings are argv's, its arrays *o's. 0, or FORGE_USAGE after the reason
 * was printed; the caller frees *o's arrays in both cases.
 */
static int kit_parse(struct kit_options *o, struct kit_request *q, int argc, char **argv)
{
	const struct args_option options[] = {
	        {"out", "directory", &q->out, NULL},
	        {"service", "file", &q->service_path, NULL},
	        {"calls", "file (calls.def)", &q->calls_path, NULL},
	        {"reviewed", "file", &q->reviewed_path, NULL},
	        {"cache", "directory", &q->cache, NULL},
	        {"objects", "directory", &q->objects, NULL},
	        {"counter", "release number", &o->counter, NULL},
	        {"floor", "release number", &o->floor, NULL},
	        {"issued", "unix seconds", &o->issued, NULL},
	        {"source-id", "128 hexadecimal digits", &o->source_id, NULL},
	        {"library-dir", "directory", NULL, &o->dirs},
	        {"unit-map", "FROM=TO", NULL, &o->maps},
	        {0},
	};
	int n_operands, r;

	r = args_parse(argc, argv, options, &n_operands);
	if (r != 0) {
		return r;
	}
	if (!q->out || !q->service_path || !q->calls_path || n_operands == 0) {
		return args_wrong("kit needs --out, --service, --calls and inputs");
	}
	q->inputs = (const char *const *)argv + 1;
	q->n_inputs = (size_t)n_operands;
	q->library_dirs = o->dirs;
	q->n_library_dirs = kit_count(o->dirs);
	q->unit_maps = o->maps;
	q->n_unit_maps = kit_count(o->maps);
	return kit_parse_numbers(o, q);
}

/* FORGE_USAGE for a bad command line, so that a build tells it from a kit that was refused. */
int cmd_kit_make(int argc, char **argv)
{
	struct kit_request q = {0};
	struct kit_options o = {0};
	int r;

	r = kit_parse(&o, &q, argc, argv);
	if (r == 0) {
		r = kit_make(&q);
	}
	free(o.dirs);
	free(o.maps);
	return r;
}
