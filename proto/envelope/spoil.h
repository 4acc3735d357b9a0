#pragma once
/*
 * Spoiled samples as rows of a table: a good sample, one thing spoiled and signed again, and what must
 * be said of it. SPOIL(name, statement) makes spoil_NAME(), ROW_OF(KIND, name, REASON) its row.
 */
#include "proto/envelope/sample.h"

/* One way to spoil the sample or the trust, and what must be said. */
struct spoil {
	const char *what;
	enum envelope_kind kind;
	void (*apply)(struct sample *s, struct trust *t);
	enum envelope_reason reason;
};

#define SPOIL(name, statement)                                                                     \
	static void spoil_##name(struct sample *s, struct trust *t)                                \
	{                                                                                          \
		(void)s;                                                                           \
		(void)t;                                                                           \
		statement;                                                                         \
	}

#define ROW_OF(kind, name, reason) {#name, ENVELOPE_OF_##kind, spoil_##name, ENVELOPE_##reason}

/* Judge the sample of each row; the first that is judged otherwise is named, and ends the test. */
void spoil_judge(const struct spoil *rows, size_t n_rows);
