/*
 * What a verified envelope says: time, when its keys end, the contents it names. Reasons in
 * words. Built once against each side's library.
 */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "proto/envelope/sample.h"

/* What a date moves, and when the keys end. */
static void test_times(void)
{
	static struct sample s;
	struct envelope_view view;
	struct trust trust;

	sample_init(&s, ENVELOPE_OF_ORDER);
	sample_trust(&trust);
	s.root.keys[ROOT_ROLE_ORDER][0].not_after = SAMPLE_NOW + 5000;
	sample_sign(&s);
	assert(envelope_open(s.bytes, s.len, &view) == ENVELOPE_OK);
	assert(envelope_time(&view, &trust) == SAMPLE_NOW + 60);
	trust.latest_time = SAMPLE_NOW;
	assert(envelope_time(&view, &trust) == SAMPLE_NOW);
	trust.time = SAMPLE_NOW + 100;
	assert(envelope_time(&view, &trust) == SAMPLE_NOW + 100);
	assert(envelope_keys_end(&view) == SAMPLE_NOW + 5000);
}

static void test_contents(void)
{
	struct sample s;
	char other[15];
	struct envelope_view view;

	sample_init(&s, ENVELOPE_OF_VARIANT);
	sample_sign(&s);
	assert(envelope_open(s.bytes, s.len, &view) == ENVELOPE_OK);
	assert(envelope_verify_payload(&view, SAMPLE_PAYLOAD, 11) == ENVELOPE_OK);
	assert(envelope_verify_payload(&view, SAMPLE_PAYLOAD, 10) == ENVELOPE_PAYLOAD_MISMATCH);
	assert(envelope_verify_payload(&view, "the paxload", 11) == ENVELOPE_PAYLOAD_MISMATCH);
	assert(envelope_verify_description(&view, SAMPLE_DESCRIPTION, 15) == ENVELOPE_OK);
	assert(envelope_verify_description(&view, SAMPLE_DESCRIPTION, 14) ==
	        ENVELOPE_DESCRIPTION_MISMATCH);
	memset(other, 'x', sizeof(other));
	assert(envelope_verify_description(&view, other, 15) == ENVELOPE_DESCRIPTION_MISMATCH);
	((struct variant_manifest *)(uintptr_t)view.variant)->payload_len++;
	assert(envelope_verify_payload(&view, SAMPLE_PAYLOAD, 11) == ENVELOPE_PAYLOAD_MISMATCH);
	assert(envelope_signatures_needed(view.root, "rs") == 2);
	assert(envelope_signatures_needed(view.root, "r") == 1);
}

static void test_names(void)
{
	for (unsigned int i = 0; i < _ENVELOPE_N; i++) {
		assert(envelope_reason_name((enum envelope_reason)i)[0] != '\0');
		assert(envelope_reason_text((enum envelope_reason)i)[0] != '\0');
	}
	assert(strcmp(envelope_reason_name(ENVELOPE_BAD_SIGNATURE), "bad-signature") == 0);
	assert(strcmp(envelope_reason_name(_ENVELOPE_N), "unknown-reason") == 0);
}

int main(void)
{
	test_times();
	test_contents();
	test_names();
	return 0;
}
