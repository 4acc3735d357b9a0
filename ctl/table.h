#pragma once
/* Tables on a terminal or in a pipe, by libsmartcols. */
#include "ctl/base.h"

struct table;

struct table_column {
	const char *title;
	bool right; /* numbers */
};

struct table *table_new(const struct table_column *columns, size_t n_columns);
/* Fields from left to right; each is copied, NULL is empty. */
void table_row(struct table *table, const char *const *fields);
/* Prints and frees. */
void table_print(struct table *table);
