/*
 * Tables by libsmartcols, which counts the width of characters as terminals do. Nothing is cut: a row that is wider than the
 * terminal goes on in its next line, so that ids and paths are there to be copied. What can fail here fails for want of
 * memory only, and ends luctl.
 */
#include "ctl/base/table.h"

#include <langinfo.h>
#include <libsmartcols.h>
#include <locale.h>
#include <string.h>

/* A table that is being filled. n_columns bounds what table_row() reads of its argument. */
struct table {
	struct libscols_table *scols;
	size_t n_columns;
	struct libscols_line
	        *last[TABLE_DEPTH]; /* the last row of each depth; NULL: there is none */
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

/* The locale is set for its characters only: numbers stay as they are in every other output. */
void table_tree(struct table *table)
{
	struct libscols_column *first = scols_table_get_column(table->scols, 0);

	if (scols_column_set_flags(first, SCOLS_FL_TREE)) {
		abort();
	}
	(void)setlocale(LC_CTYPE, "");
	(void)scols_table_enable_ascii(table->scols, strcmp(nl_langinfo(CODESET), "UTF-8") != 0);
}

/* parent: NULL for a row of the top. */
static struct libscols_line *table_line(
        struct table *table, struct libscols_line *parent, const char *const *fields)
{
	struct libscols_line *line = scols_table_new_line(table->scols, parent);

	for (size_t i = 0; i < table->n_columns; i++) {
		if (!line || scols_line_set_data(line, i, fields[i] ? fields[i] : "")) {
			abort();
		}
	}
	return line;
}

void table_at(struct table *table, unsigned int depth, const char *const *fields)
{
	table->last[depth] = table_line(table, depth ? table->last[depth - 1] : NULL, fields);
}

void table_row(struct table *table, const char *const *fields)
{
	table_at(table, 0, fields);
}

void table_print(struct table *table)
{
	scols_print_table(table->scols);
	table_free(table);
}

void table_free(struct table *table)
{
	scols_unref_table(table->scols);
	free(table);
}
