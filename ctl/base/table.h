#pragma once
/*
 * Tables on a terminal or in a pipe, by libsmartcols. A table is made, filled row by row and
 * printed, which frees it:
 *
 *     table_new [-> table_tree] -> table_row, or table_at of a tree, for each -> table_print
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
/*
 * The table is a tree from here on: the first column shows which row belongs to which, by lines where the terminal has
 * UTF-8, else by ASCII. table_at() adds a row so deep below the last one that is less deep by one, from 0 at the top.
 */
#define TABLE_DEPTH 4u
void table_tree(struct table *table);
void table_at(struct table *table, unsigned int depth, const char *const *fields);
/* Prints and frees. */
void table_print(struct table *table);
void table_free(struct table *table);
