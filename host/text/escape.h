#pragma once
/*
 * Text of others on a terminal or in a log file. What a service says may hold escape sequences that
 * move the cursor, colour or rename a terminal, or newlines that look like the next line of a log.
 *
 * Printable characters stay as they are, all of UTF-8. Control characters become \xNN, byte by
 * byte: those below a blank (tab and newline included), DEL, and the C1 ones of Unicode, which
 * some terminals obey. So do the marks that turn the direction of text. A byte that is not UTF-8
 * becomes U+FFFD.
 */
#include <stddef.h>

/*
 * Write the escaped text into ret_text, of size > 0, always terminated; what does not fit is cut
 * off at a whole character. Returns the bytes written.
 */
size_t text_escape(char *ret_text, size_t size, const char *text);
/* In memory of its own, to be freed. Ends the program when there is no memory. */
char *text_escape_new(const char *text);
/* As text_escape_new, for formats that escape by themselves: only makes UTF-8 of it. */
char *text_utf8_new(const char *text);
