/*
 * A picture has its colours by classes, and one set of them for readers who asked for dark. The sheet behind it goes with them, so
 * that it can be read on a page of either kind that does not follow.
 */
#include "ctl/base/svg.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "ctl/base/base.h"

#define SVG_STYLE                                                                                  \
	"text{font:12px sans-serif;fill:#222}.dim{fill:#666}.sheet{fill:#fff}.axis{fill:none;"     \
	"stroke:#888}.grid{fill:none;stroke:#ddd}.bad{fill:none;stroke:#d62728;stroke-width:2}"
#define SVG_DARK                                                                                   \
	"@media(prefers-color-scheme:dark){text{fill:#ddd}.dim{fill:#999}.sheet{fill:#16181c}"     \
	".axis{stroke:#888}.grid{stroke:#333}.bad{stroke:#ff6b6b}}"

void svg_begin(FILE *to, int width, int height, const char *style)
{
	fprintf(to,
	        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg "
	        "xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
	        "height=\"%d\">\n<style>%s%s%s</style>\n"
	        "<rect class=\"sheet\" width=\"%d\" height=\"%d\"/>\n",
	        width, height, width, height, SVG_STYLE, style, SVG_DARK, width, height);
}

void svg_end(FILE *to)
{
	fputs("</svg>\n", to);
}

int svg_file(const char *path, void (*draw)(FILE *to, void *arg), void *arg)
{
	FILE *to = fopen(path, "w");
	bool is_lost = !to;

	if (to) {
		draw(to, arg);
		is_lost = ferror(to) != 0;
		is_lost |= fclose(to) != 0;
	}
	return is_lost ? ctl_fail(CTL_OUTPUT, path, "name a file that you may write",
	                         "the picture cannot be written: %s", strerror(errno))
	               : CTL_OK;
}

void svg_words(FILE *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			fputc(*text >= ' ' && *text < 0x7f ? *text : '?', to);
		}
	}
}

void svg_text(FILE *to, const double at[2], const char *anchor, const char *class, const char *text)
{
	fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"", at[0], at[1], anchor);
	fprintf(to, *class ? " class=\"%s\">" : ">", class);
	svg_words(to, text);
	fputs("</text>\n", to);
}
