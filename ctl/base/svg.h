#pragma once
/*
 * Pictures (SVG) that stand alone: no script, no font and no file from elsewhere. Readable on light and on dark, as the reader likes
 * it. Words of other people are never markup. The same input gives the same bytes.
 */
#include <stdio.h>

/*
 * The head, with a sheet of this size behind everything. style: rules for classes of the picture's own, "" for none; those that all
 * have: text, .axis, .grid, .bad, .dim (text of less weight).
 */
void svg_begin(FILE *to, int width, int height, const char *style);
void svg_end(FILE *to);
/*
 * Has a file written anew by `draw`, whole; else an error (CTL_OUTPUT), which was printed.
 */
int svg_file(const char *path, void (*draw)(FILE *to, void *arg), void *arg);
/* ASCII that XML may have, markup written out; of everything else that it was there. */
void svg_words(FILE *to, const char *text);
/* anchor: start, middle or end, at this point; class: one of the style, or "". */
void svg_text(
        FILE *to, const double at[2], const char *anchor, const char *class, const char *text);
