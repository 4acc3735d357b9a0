/*
 * Reasons as names (stable: records and tests keep them) and as sentences for people. Both
 * come from the one table of all words for errors, proto/words/errors.def; here they only
 * become strings.
 */
#include "proto/envelope/envelope.h"

struct reason_row {
	const char *name;
	const char *text;
};

static const struct reason_row reason_table[_ENVELOPE_N] = {
        [ENVELOPE_OK] = {"ok", "the envelope is good"},
#define REASON(constant, word, name, value, class, by, sentence, remedy, signing)                  \
	[ENVELOPE_##constant] = {word, sentence},
#include "proto/words/errors.def"
};

const char *envelope_reason_name(enum envelope_reason reason)
{
	return (unsigned int)reason < _ENVELOPE_N ? reason_table[reason].name : "unknown-reason";
}

const char *envelope_reason_text(enum envelope_reason reason)
{
	return (unsigned int)reason < _ENVELOPE_N ? reason_table[reason].text
	                                          : "a reason that this side does not know";
}
