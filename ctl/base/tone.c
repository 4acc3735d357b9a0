/*
 * Colour. Decided in one place, since a pipe that gets escape sequences is a broken script, and a person without colours
 * loses nothing: no meaning is in a colour alone. NO_COLOR counts as its convention says, when it is set and not empty.
 */
#include "ctl/base/tone.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum tone_mode { TONE_AUTO, TONE_ALWAYS, TONE_NEVER, _TONE_MODE_N };

static enum tone_mode tone_mode;

bool tone_choose(const char *how)
{
	static const char *const words[_TONE_MODE_N] = {
	        [TONE_AUTO] = "auto", [TONE_ALWAYS] = "always", [TONE_NEVER] = "never"};

	for (enum tone_mode mode = 0; mode < _TONE_MODE_N; mode++) {
		if (!strcmp(how, words[mode]) || (!*how && mode == TONE_AUTO)) {
			tone_mode = mode;
			return true;
		}
	}
	return false;
}

bool tone_is_on(FILE *to)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (tone_mode != TONE_AUTO) {
		return tone_mode == TONE_ALWAYS;
	}
	return !(no && *no) && !(term && !strcmp(term, "dumb")) && isatty(fileno(to));
}

void tone_begin(FILE *to, enum tone tone)
{
	static const char *const codes[_TONE_N] = {
	        [TONE_WELL] = "\033[32m", [TONE_NOTE] = "\033[33m", [TONE_WRONG] = "\033[1;31m"};

	if (tone_is_on(to)) {
		fputs(codes[tone], to);
	}
}

void tone_end(FILE *to)
{
	if (tone_is_on(to)) {
		fputs("\033[0m", to);
	}
}
