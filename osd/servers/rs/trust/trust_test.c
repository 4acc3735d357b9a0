/*
 * How root and time come to be believed, in sequences: what one envelope does to what is believed of the
 * next.
 */
#undef NDEBUG
#include "osd/servers/rs/trust/play.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"

static void test_roots(void)
{
	boot(SAMPLE_NOW, 5);
	sample_of(ENVELOPE_OF_STATEMENT, 5);
	s.root.default_need = 2;
	assert(show_statement() == E_V_ROOT_OTHER);
	assert(tell_statement(5) == E_OK);
	sample_of(ENVELOPE_OF_STATEMENT, 6);
	s.root.default_need = 2;
	assert(show_statement() == E_OK);
	assert(tell_statement(6) == E_V_ROOT_OTHER);
	sample_of(ENVELOPE_OF_STATEMENT, 6);
	s.statement.head.root_serial = UINT64_MAX;
	s.root.default_need = 2;
	assert(show_statement() == E_V_EPOCH); /* an order key bars no roots */
}

/* The signature of a root is kept once it was verified, and another one of the same root is not. */
static void test_root_signature(void)
{
	static const struct envelope_signature none;
	struct envelope_signature first;

	boot(SAMPLE_NOW, 5);
	assert(memcmp(&t.root_signature, &none, sizeof(none)) == 0);
	assert(tell_statement(5) == E_OK);
	first = t.root_signature;
	assert(memcmp(&first, &none, sizeof(none)) != 0);
	assert(admit(5, SAMPLE_NOW) == E_OK &&
	        memcmp(&t.root_signature, &first, sizeof(first)) == 0);
	t.root_signature.sig[0] ^=
	        1; /* as if it had been another one: the real one is verified again */
	assert(admit(5, SAMPLE_NOW) == E_OK &&
	        memcmp(&t.root_signature, &first, sizeof(first)) == 0);
	assert(admit(6, SAMPLE_NOW) == E_OK &&
	        memcmp(&t.root_signature, &first, sizeof(first)) != 0);
}

/* Layouts are sealed to the audit key of the newest root, and to nobody's when that names none. */
static void test_audit_key(void)
{
	uint8_t keys[2][32] = {{0}};

	boot(SAMPLE_NOW, 5);
	assert(memcmp(t.audit_pub, s.root.audit_pub, sizeof(keys[0])) == 0);
	memset(keys[0], 0x99, sizeof(keys[0]));
	for (uint64_t i = 0; i < 2; i++) {
		sample_of(ENVELOPE_OF_STATEMENT, 6 + i);
		memcpy(s.root.audit_pub, keys[i], sizeof(keys[i]));
		assert(show_statement() == E_OK);
		assert(memcmp(t.audit_pub, keys[i], sizeof(keys[i])) == 0);
	}
}

/* One jump of the host's clock by 300 days, one order, and back: the next ones are believed. */
static void test_jump(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	assert(admit(5, SAMPLE_NOW + 300 * SAMPLE_DAY) == E_OK);
	assert(order(5, 1, 9, SAMPLE_NOW + 300 * SAMPLE_DAY) == E_OK);
	commit(5, 1, 9);
	assert(trust_time(&t, uptime) == SAMPLE_NOW + TIME_SKEW_SEC_MAX);
	uptime = 60;
	assert(admit(5, SAMPLE_NOW + 60) == E_OK);
	assert(order(5, 2, 10, SAMPLE_NOW + 60) == E_OK);
}

/* A stolen online key signs what it likes, as often as it likes. */
static void test_stolen_key(void)
{
	boot(SAMPLE_NOW, 5);
	for (uint64_t n = 1; n < 50; n++) {
		sample_of(ENVELOPE_OF_STATEMENT, 5);
		s.statement.head.issued = n == 49 ? UINT64_MAX : SAMPLE_NOW + n * 400;
		assert(show_statement() == E_OK);
		assert(trust_time(&t, uptime) <= SAMPLE_NOW + TIME_SKEW_SEC_MAX);
	}
	sample_of(ENVELOPE_OF_TIME, 5);
	sample_by(&s, ENVELOPE_TIME, SAMPLE_ORDER);
	sample_sign(&s);
	assert(trust_set_time(&t, s.bytes, s.len, 0, 1) == E_V_ROLE);
	assert(t.time_nonce == SAMPLE_NONCE);
}

/* The host's clock a day ahead of the machine's or behind it, and 400 days. */
static void test_clocks_apart(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	assert(admit(5, SAMPLE_NOW + SAMPLE_DAY) == E_OK);
	assert(order(5, 1, 9, SAMPLE_NOW + SAMPLE_DAY) == E_OK);
	assert(admit(5, SAMPLE_NOW - SAMPLE_DAY) == E_V_EXPIRED);
	assert(admit(5, SAMPLE_NOW - SAMPLE_DAY / 2) == E_OK);
	assert(order(5, 2, 9, SAMPLE_NOW - SAMPLE_DAY / 2) == E_V_EXPIRED);
	assert(admit(5, SAMPLE_NOW + 400 * SAMPLE_DAY) == E_OK);
	assert(order(5, 2, 9, SAMPLE_NOW + 400 * SAMPLE_DAY) == E_OK);

	/* The machine is 400 days ahead: nothing is believed until a time statement. */
	boot(SAMPLE_NOW + 400 * SAMPLE_DAY, 5);
	assert(tell_statement(5) == E_OK);
	assert(admit(5, SAMPLE_NOW) == E_V_EXPIRED);
	assert(set_time(SAMPLE_NOW, SAMPLE_NONCE, 77) == E_OK);
	assert(trust_time(&t, 30) == SAMPLE_NOW + 30);
	assert(admit(5, SAMPLE_NOW) == E_OK && order(5, 1, 9, SAMPLE_NOW) == E_OK);
	assert(set_time(SAMPLE_NOW + SAMPLE_DAY, SAMPLE_NONCE, 78) == E_V_NONCE);
	assert(set_time(SAMPLE_NOW + SAMPLE_DAY, 77, 78) == E_OK);
	assert(trust_time(&t, 0) == SAMPLE_NOW + SAMPLE_DAY);
}

/* An image that was made a week ago, with the statement of then. */
static void test_old_image(void)
{
	boot(SAMPLE_NOW - 7 * SAMPLE_DAY, 5);
	sample_of(ENVELOPE_OF_STATEMENT, 5);
	s.statement.head.issued = SAMPLE_NOW - 7 * SAMPLE_DAY;
	assert(show_statement() == E_OK);
	assert(admit(5, SAMPLE_NOW) == E_OK && order(5, 1, 9, SAMPLE_NOW) == E_OK);
	/* What is over by the host's clock is not by the machine's, but for what is not. */
	assert(trust_time(&t, 0) == SAMPLE_NOW - 7 * SAMPLE_DAY + TIME_SKEW_SEC_MAX);
}

/* What dates of orders added is part of the time that is stated. */
static void test_time_is_whole(void)
{
	boot(SAMPLE_NOW, 5);
	sample_of(ENVELOPE_OF_STATEMENT, 5);
	s.statement.head.issued = SAMPLE_NOW + 300;
	assert(show_statement() == E_OK && trust_time(&t, 0) == SAMPLE_NOW + 300);
	assert(set_time(SAMPLE_NOW, SAMPLE_NONCE, 77) == E_OK);
	assert(trust_time(&t, 0) == SAMPLE_NOW);
}

/* A time statement revives no superseded root, and lowers neither floors nor numbers. */
static void test_time_moves_time_only(void)
{
	struct trust_number generation;

	boot(SAMPLE_NOW, 5);
	assert(tell_statement(6) == E_OK);
	generation = trust_generation(&t, "tty");
	assert(set_time(SAMPLE_NOW - SAMPLE_DAY, SAMPLE_NONCE, 1) == E_V_ROOT);
	sample_of(ENVELOPE_OF_TIME, 6);
	s.time.time = SAMPLE_NOW - 9 * SAMPLE_DAY;
	sample_by(&s, ENVELOPE_TIME, SAMPLE_ROOT);
	sample_sign(&s);
	uptime = 100;
	assert(trust_set_time(&t, s.bytes, s.len, uptime, 5) == E_OK);
	assert(trust_time(&t, uptime) == SAMPLE_NOW - 9 * SAMPLE_DAY);
	assert(trust_time(&t, uptime + 50) == SAMPLE_NOW - 9 * SAMPLE_DAY + 50);
	assert(trust_time(&t, UINT64_MAX) == UINT64_MAX); /* stands still at the end */
	assert(t.root_serial == 6 && trust_floor(&t, "tty") == 6);
	assert(trust_generation(&t, "tty").number == generation.number);
}

/* A life counts from the date that a document bears, and a date ahead is no reason to refuse. */
static void test_dated_ahead(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	assert(admit(5, SAMPLE_NOW) == E_OK);
	uptime = 3 * SAMPLE_DAY;
	assert(order(5, 1, 9, SAMPLE_NOW + uptime) == E_V_EXPIRED);
	uptime = 0;
	assert(admit(5, SAMPLE_NOW + 3 * SAMPLE_DAY) == E_OK);
	uptime = 3 * SAMPLE_DAY;
	assert(order(5, 1, 9, SAMPLE_NOW + uptime + SAMPLE_DAY / 2) == E_OK);
}

static void test_nothing_without_root(void)
{
	static const uint8_t machine_id[16] = "machine number 1";

	trust_init(&t, &(struct trust_start){.machine_id = machine_id, .time = SAMPLE_NOW});
	assert(tell_statement(5) == E_V_KEY);
	assert(admit(5, SAMPLE_NOW) == E_V_KEY);
	for (int reason = 0; reason < _ENVELOPE_N; reason++) {
		assert((trust_reason((enum envelope_reason)reason) == E_OK) ==
		        (reason == ENVELOPE_OK));
		for (int other = 0; other < reason; other++) {
			assert(trust_reason((enum envelope_reason)reason) !=
			        trust_reason((enum envelope_reason)other));
		}
	}
}

int main(void)
{
	test_roots();
	test_root_signature();
	test_audit_key();
	test_jump();
	test_stolen_key();
	test_clocks_apart();
	test_old_image();
	test_time_is_whole();
	test_time_moves_time_only();
	test_dated_ahead();
	test_nothing_without_root();
	return EXIT_SUCCESS;
}
