/*
 * Which orders are carried out, in sequences: statements, epochs, numbers, floors, generations, and what a
 * component says of its variant.
 */
#undef NDEBUG
#include "osd/servers/rs/trust/play.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "proto/image/link.h"

static void test_statement_first(void)
{
	boot(SAMPLE_NOW, 5);
	assert(admit(5, SAMPLE_NOW) == E_OK);
	assert(order(5, 1, 9, SAMPLE_NOW) == E_V_STATEMENT);
	assert(tell_statement(5) == E_OK);
	assert(admit(5, SAMPLE_NOW) == E_OK);
	assert(order(5, 1, 9, SAMPLE_NOW) == E_OK);
}

/* A statement tells of its services; what lies behind the last of them is none. */
static void test_statement_ends(void)
{
	static const struct trust_service none;
	uint32_t n = 0;

	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	while (t.services[n].name[0] != '\0') {
		n++;
	}
	assert(n == 2);
	assert(memcmp(&t.services[n], &none, sizeof(none)) == 0);
}

static void test_statement_raises(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	assert(trust_floor(&t, "tty") == 6 && trust_generation(&t, "tty").number == 8);
	sample_of(ENVELOPE_OF_STATEMENT, 5);
	s.statement.service[1].floor = 1;
	s.statement.service[1].generation = 1;
	s.statement.service[0].epoch = 1;
	assert(show_statement() == E_OK);
	assert(trust_floor(&t, "tty") == 6 && trust_generation(&t, "tty").number == 8);
	assert(trust_generation(&t, "ds").epoch == 4);
}

/*
 * Only what is accepted moves the number; the highest number under a
 * refused order blocks nothing.
 */
static void test_numbers(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK && admit(5, SAMPLE_NOW) == E_OK);
	assert(order(5, UINT64_MAX, 2, SAMPLE_NOW) == E_V_REPLAY);
	assert(order(5, UINT64_MAX, 9, SAMPLE_NOW - 700) == E_V_EXPIRED);
	assert(order(5, 4, 9, SAMPLE_NOW) == E_OK);
	assert(order(5, 4, 10, SAMPLE_NOW) == E_NOTFOUND);
	assert(order(5, 3, 10, SAMPLE_NOW) == E_NOTFOUND);
	assert(order(5, 5, 9, SAMPLE_NOW) == E_OK); /* nothing was committed yet */
	commit(5, 5, 9);
	assert(order(5, 6, 9, SAMPLE_NOW) == E_V_REPLAY);
	assert(order(5, 6, 10, SAMPLE_NOW) == E_OK);
}

/* What a stolen key drove up in its epoch counts for nothing under the next root. */
static void test_epochs(void)
{
	boot(SAMPLE_NOW, 5);
	sample_of(ENVELOPE_OF_STATEMENT, 5);
	s.statement.service[1].floor = UINT32_MAX;
	s.statement.service[1].generation = UINT64_MAX;
	assert(show_statement() == E_OK);
	assert(trust_floor(&t, "tty") == UINT32_MAX);
	assert(admit(5, SAMPLE_NOW) == E_OK);
	assert(order(5, UINT64_MAX, 9, SAMPLE_NOW) == E_V_FLOOR);
	t.newest_order = (struct trust_number){5, UINT64_MAX};
	assert(order(6, 1, 1, SAMPLE_NOW) ==
	        E_V_STATEMENT); /* the old root's told floors are gone */
	assert(trust_floor(&t, "tty") == 5);
	assert(tell_statement(6) == E_OK && trust_floor(&t, "tty") == 6);
	assert(admit(5, SAMPLE_NOW) == E_V_ROOT);
	assert(order(6, 1, 11, SAMPLE_NOW) == E_V_ROOT); /* admitted under the old root */
	assert(admit(6, SAMPLE_NOW) == E_OK);
	assert(order(6, 1, 11, SAMPLE_NOW) == E_OK);
	assert(order(5, 2, 12, SAMPLE_NOW) == E_V_ROOT);
	assert(tell_statement(5) == E_V_ROOT);
}

/* What a statement tells while an order is carried out stands when that commits. */
static void test_commit_lowers_nothing(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK && trust_generation(&t, "tty").number == 8);
	commit(4, 12, 20);
	assert(trust_generation(&t, "tty").number == 8);
	commit(5, 12, 7);
	assert(trust_generation(&t, "tty").number == 8);
	commit(5, 12, 9);
	assert(trust_generation(&t, "tty").number == 9);
	assert(trust_confirm(&t, (struct trust_number){5, 12}) == E_OK);
}

static void test_confirm(void)
{
	boot(SAMPLE_NOW, 5);
	s.kit.floor = 7;
	commit(5, 12, 9);
	assert(trust_floor(&t, "tty") == 5); /* the way back is open */
	assert(trust_confirm(&t, (struct trust_number){5, 11}) == E_NOTFOUND);
	assert(trust_confirm(&t, (struct trust_number){4, 12}) == E_NOTFOUND);
	assert(trust_confirm(&t, (struct trust_number){5, 12}) == E_OK);
	assert(trust_floor(&t, "tty") == 7);
	assert(trust_confirm(&t, (struct trust_number){5, 12}) == E_OK);
	assert(trust_confirm(&t, (struct trust_number){0, 0}) == E_NOTFOUND);
	s.kit.floor = 2; /* what an older release brings lowers nothing */
	commit(5, 13, 10);
	assert(trust_confirm(&t, (struct trust_number){5, 13}) == E_OK);
	assert(trust_floor(&t, "tty") == 7);
}

static void test_components(void)
{
	struct trust_variant *v;

	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	sample_of(ENVELOPE_OF_ORDER, 5);
	assert(show_order() == E_V_UNADMITTED);
	assert(admit(5, SAMPLE_NOW) == E_OK);
	sample_of(ENVELOPE_OF_ORDER, 5);
	s.variant.issued = SAMPLE_NOW;
	memcpy(s.order.component[0].service, "ds\0", 3);
	assert(show_order() == E_V_SERVICE);
	sample_of(ENVELOPE_OF_ORDER, 5);
	s.order.component[0].recipe = LINK_RECIPE;
	assert(show_order() == E_V_RELEASE);
	sample_of(ENVELOPE_OF_ORDER, 5);
	s.order.component[0].release_id[63] ^= 1;
	assert(show_order() == E_V_RELEASE);
	uptime = 2 * SAMPLE_DAY;
	sample_of(ENVELOPE_OF_ORDER, 5);
	s.order.head.issued += uptime;
	s.order.head.expires += uptime;
	assert(show_order() == E_V_EXPIRED); /* the variant is */
	sample_of(ENVELOPE_OF_ORDER, 5);
	sample_sign(&s);
	assert(trust_admit(&t, s.bytes, s.len, 0, &v) == E_V_KIND);
}

/* The key of an admitted variant ends before the variant does. */
static void test_key_ends(void)
{
	boot(SAMPLE_NOW, 5);
	sample_of(ENVELOPE_OF_STATEMENT, 6);
	s.root.keys[ROOT_ROLE_VARIANT][0].not_after = SAMPLE_NOW + 1000;
	assert(show_statement() == E_OK);
	sample_of(ENVELOPE_OF_VARIANT, 6);
	s.root.keys[ROOT_ROLE_VARIANT][0].not_after = SAMPLE_NOW + 1000;
	assert(show_variant(NULL) == E_OK);
	uptime = 1000;
	sample_of(ENVELOPE_OF_ORDER, 6);
	s.root.keys[ROOT_ROLE_VARIANT][0].not_after = SAMPLE_NOW + 1000;
	s.order.head.issued += 1000;
	s.order.head.expires += 1000;
	assert(show_order() == E_V_KEY_EXPIRED);
}

int main(void)
{
	test_statement_first();
	test_statement_ends();
	test_statement_raises();
	test_numbers();
	test_epochs();
	test_commit_lowers_nothing();
	test_confirm();
	test_components();
	test_key_ends();
	return EXIT_SUCCESS;
}
