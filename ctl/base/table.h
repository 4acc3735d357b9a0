#pragma once
/*
 * Tables on a terminal or in a pipe, by libsmartcols. A table is made, filled row by row and
 * printed, which frees it:
 *
 *     table_new -> table_row, for each -> table_print
 */
#include "ctl/base/base.h"

struct table;

struct table_column {
	const char *title;
	bool right; /* numbers */
};

/* The columns are copied. */
struct table *table_new(const struct table_column *columns, size_t n_columns);
/* Fields from left to right; each is copied, NULL is empty. */
void table_row(struct table *table, const char *const *fields);
/* Prints and frees. */
void table_print(struct table *table);
