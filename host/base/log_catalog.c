/*
 * Prints the catalog of the journal: of each row of messages.def an entry in the form of journalctl --update-catalog.
 * A program of the build; what it prints is installed.
 */
#include <stdio.h>
#include <string.h>

static const struct {
	const char *id;
	const char *subject;
	const char *cause;
	const char *remedy;
} messages[] = {
#define MESSAGE(NAME, id, subject, cause, remedy) {id, subject, cause, remedy},
#include "host/base/messages.def"
#undef MESSAGE
};

/* Lines of a catalog are as wide as a terminal; words are not cut. */
#define CATALOG_COLUMNS 79

static void catalog_text(const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (column && column + 1 + n > CATALOG_COLUMNS) {
			putchar('\n');
			column = 0;
		} else if (column) {
			putchar(' ');
			column++;
		}
		printf("%.*s", (int)n, text);
		column += n;
		text += n + (text[n] == ' ');
	}
	putchar('\n');
}

int main(void)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		printf("-- %s\nSubject: %s\nDefined-By: Samsara\nDocumentation: man:lud(8)\n\n",
		        messages[i].id, messages[i].subject);
		catalog_text(messages[i].cause);
		if (*messages[i].remedy) {
			putchar('\n');
			catalog_text(messages[i].remedy);
		}
		putchar('\n');
	}
	return fflush(stdout) ? 1 : 0;
}
