#pragma once
/*
 * The history as a picture (SVG, 860 wide): generations over time, a line for each service, with what did not
 * come to run marked; and how long services stood still, as a distribution.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct graph_point {
	char service[32];
	uint64_t number;
	int64_t when_us;
	uint64_t blackout_ns; /* 0: it did not stand still, or nobody knows for how long */
	bool is_incident;     /* it was to run, and did not */
	char text[160];       /* what a pointer over it shows */
};

/* Writes all of it; points may stand in any order, and are put into that of time. */
void graph_write(FILE *to, const char *title, struct graph_point *points, size_t n);
