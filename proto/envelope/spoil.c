#include "proto/envelope/spoil.h"

#include <stdio.h>
#include <stdlib.h>

void spoil_judge(const struct spoil *rows, size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++) {
		struct sample s;
		struct trust trust;
		enum envelope_reason r;

		sample_init(&s, rows[i].kind);
		sample_trust(&trust);
		rows[i].apply(&s, &trust);
		sample_sign(&s);
		r = sample_judge(&s, &trust);
		if (r != rows[i].reason) {
			(void)fprintf(stderr, "%s: %s, not %s\n", rows[i].what,
			        envelope_reason_name(r), envelope_reason_name(rows[i].reason));
			abort();
		}
	}
}
