#include "proto/envelope/envelope.h"

struct reason_row {
	const char *name;
	const char *text;
};

static const struct reason_row reason_table[_ENVELOPE_N] = {
#define REASON_ROW(constant, name, sentence) [ENVELOPE_##constant] = {name, sentence},
        ENVELOPE_REASONS(REASON_ROW)
#undef REASON_ROW
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
