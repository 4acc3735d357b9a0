#undef NDEBUG
#include "osd/servers/rs/trust/play.h"

#include <assert.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "proto/image/link.h"

struct trust_state t;
struct sample s;
uint64_t uptime;

void boot(uint64_t time, uint64_t serial)
{
	static const uint8_t machine_id[16] = "machine number 1";

	sample_init(&s, ENVELOPE_OF_VARIANT);
	s.root.serial = serial;
	uptime = 0;
	trust_init(&t, &(struct trust_start){.root = &s.root,
	                       .machine_id = machine_id,
	                       .boot_id = SAMPLE_BOOT,
	                       .time_nonce = SAMPLE_NONCE,
	                       .time = time});
	assert(trust_add_service(&t, "tty", 3, 5) == E_OK);
}

void sample_of(enum envelope_kind kind, uint64_t serial)
{
	sample_init(&s, kind);
	s.root.serial = serial;
	s.order.head.epoch = serial;
	s.statement.head.root_serial = serial;
	s.standing.head.epoch = serial;
}

err_t show_statement(void)
{
	sample_sign(&s);
	return trust_statement(&t, s.bytes, s.len, uptime);
}

err_t tell_statement(uint64_t serial)
{
	sample_of(ENVELOPE_OF_STATEMENT, serial);
	return show_statement();
}

err_t show_variant(struct trust_variant **ret_variant)
{
	struct trust_variant *v;

	sample_bind(&s);
	sample_sign(&s);
	return trust_admit(&t, s.bytes, s.len, uptime, ret_variant != NULL ? ret_variant : &v);
}

err_t admit(uint64_t serial, uint64_t issued)
{
	sample_of(ENVELOPE_OF_VARIANT, serial);
	s.variant.issued = issued;
	s.variant.expires = issued + SAMPLE_DAY;
	return show_variant(NULL);
}

err_t show_order(void)
{
	const struct order_manifest *order;
	struct trust_variant *v;
	err_t r;

	sample_sign(&s);
	r = trust_order(&t, s.bytes, s.len, uptime, &order);
	if (r == E_OK) {
		r = trust_order_is_new(&t, order);
	}
	if (r == E_OK) {
		r = trust_component(&t, order, order_components(order), uptime, &v);
	}
	if (r == E_OK) {
		trust_accept(&t, order);
	}
	return r;
}

err_t order(uint64_t serial, uint64_t number, uint64_t generation, uint64_t issued)
{
	struct variant_manifest variant = s.variant;

	sample_of(ENVELOPE_OF_ORDER, serial);
	s.variant = variant;
	sample_bind(&s);
	s.order.head.transaction = number;
	s.order.head.issued = issued;
	s.order.head.expires = issued + 600;
	s.order.component[0].generation = generation;
	return show_order();
}

void commit(uint64_t serial, uint64_t number, uint64_t generation)
{
	trust_commit(&t, "tty", (struct trust_number){serial, generation},
	        (struct trust_number){serial, number}, s.kit.floor);
}

err_t set_time(uint64_t time, uint64_t nonce, uint64_t next)
{
	sample_of(ENVELOPE_OF_TIME, 5);
	s.time.time = time;
	s.time.nonce = nonce;
	sample_sign(&s);
	return trust_set_time(&t, s.bytes, s.len, uptime, next);
}

err_t admit_kit(uint64_t serial)
{
	sample_of(ENVELOPE_OF_KIT, serial);
	return show_variant(NULL);
}

void machine_made(uint64_t serial, uint64_t number)
{
	sample_of(ENVELOPE_OF_ORDER, serial);
	sample_bind(&s);
	s.order.head.transaction = number;
	s.order.component[0].generation = 9;
	s.order.component[0].recipe = LINK_RECIPE;
	memset(s.order.component[0].variant_hash, 0, RS_HASH_LEN);
}
