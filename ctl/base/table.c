/*
 * Tables by libsmartcols. It cuts columns to the width of a terminal and does not in a pipe,
 * and counts the width of characters as terminals do, which is why it is used. What can fail
 * here fails for want of memory only, and ends luctl.
 */
#include "ctl/base/table.h"

#include <libsmartcols.h>

/* A table that is being filled. n_columns bounds what table_row() reads of its argument. */
struct table {
	struct libscols_table *scols;
	size_t n_columns;
};

struct table *table_new(const struct table_column *columns, size_t n_columns)
{
	struct table *table = ctl_zero(sizeof(*table));

	table->scols = scols_new_table();
	table->n_columns = n_columns;
	if (!table->scols) {
		abort();
	}
	for (size_t i = 0; i < n_columns; i++) {
		if (!scols_table_new_column(table->scols, columns[i].title, 0,
		            columns[i].right ? SCOLS_FL_RIGHT : 0)) {
			abort();
		}
	}
	return table;
}

void table_row(struct table *table, const char *const *fields)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);

	for (size_t i = 0; i < table->n_columns; i++) {
		if (!line || scols_line_set_data(line, i, fields[i] ? fields[i] : "")) {
			abort();
		}
	}
}

void table_print(struct table *table)
{
	scols_print_table(table->scols);
	scols_unref_table(table->scols);
	free(table);
}
