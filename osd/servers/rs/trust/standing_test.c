/* Which standing orders are believed, and what they may move, in sequences. */
#undef NDEBUG
#include "osd/servers/rs/trust/play.h"

#include <assert.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "proto/image/link.h"

static bool is_put_off; /* it cannot be taken over now, so it does not count yet */

static err_t show(uint64_t serial, uint64_t number, uint32_t every_ms, bool *ret_is_new)
{
	const struct standing_manifest *standing = NULL;
	err_t err;

	sample_of(ENVELOPE_OF_STANDING, serial);
	s.standing.head.number = number;
	s.standing.head.every_ms = every_ms;
	sample_sign(&s);
	err = trust_standing(&t, s.bytes, s.len, uptime, &standing, ret_is_new);
	assert(err != E_OK || (standing->number == number && standing->every_ms == every_ms));
	if (err == E_OK && *ret_is_new && !is_put_off) {
		trust_standing_accept(&t, standing);
	}
	return err;
}

/* Numbers rise; the newest may be told again, but not another one under its number. */
static void test_numbers(void)
{
	bool is_new;

	boot(SAMPLE_NOW, 5);
	assert(show(5, 3, 20000, &is_new) == E_V_STATEMENT);
	assert(tell_statement(5) == E_OK);
	is_put_off = true;
	assert(show(5, 4, 20000, &is_new) == E_OK && is_new);
	is_put_off = false;
	assert(show(5, 3, 20000, &is_new) == E_OK && is_new);
	assert(show(5, 3, 20000, &is_new) == E_OK && !is_new);
	assert(show(5, 3, 30000, &is_new) == E_NOTFOUND);
	assert(show(5, 2, 20000, &is_new) == E_NOTFOUND);
	assert(show(5, 4, 20000, &is_new) == E_OK && is_new);
	assert(show(5, 3, 20000, &is_new) == E_NOTFOUND);
	/* Orders count by themselves. */
	assert(t.newest_order.number == 0);
}

/* Another kind of document is none, and a newer root ends what an older one allowed. */
static void test_roots(void)
{
	const struct standing_manifest *standing;
	bool is_new;

	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	sample_of(ENVELOPE_OF_ORDER, 5);
	sample_sign(&s);
	assert(trust_standing(&t, s.bytes, s.len, uptime, &standing, &is_new) == E_V_KIND);
	assert(show(5, 9, 20000, &is_new) == E_OK && trust_standing_holds(&t, 5));
	assert(tell_statement(6) == E_OK);
	assert(!trust_standing_holds(&t, 5));
	assert(show(5, 10, 20000, &is_new) == E_V_ROOT);
	assert(show(6, 1, 20000, &is_new) == E_OK && is_new && trust_standing_holds(&t, 6));
}

/* The entry for the kit of the sample. */
static struct standing_service entry(void)
{
	struct standing_service service = s.standing.service[1];

	kit_manifest_release_id(&s.kit, service.release_id);
	service.recipe = LINK_RECIPE;
	return service;
}

static void test_services(void)
{
	struct trust_variant *admitted, *kit = NULL;
	struct standing_service service;

	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	sample_of(ENVELOPE_OF_KIT, 5);
	service = entry();
	assert(trust_standing_service(&t, &service, uptime, &kit) == E_V_UNADMITTED);
	sample_sign(&s);
	assert(trust_admit(&t, s.bytes, s.len, uptime, &admitted) == E_OK);
	assert(trust_standing_service(&t, &service, uptime, &kit) == E_OK && kit == admitted);
	kit = NULL;
	service.recipe++;
	assert(trust_standing_service(&t, &service, uptime, &kit) == E_V_RELEASE);
	service = entry();
	memcpy(service.service, "ds\0", 4);
	assert(trust_standing_service(&t, &service, uptime, &kit) == E_V_SERVICE);
	service = entry();
	t.services[0].floor_own = s.kit.counter + 1;
	assert(trust_standing_service(&t, &service, uptime, &kit) == E_V_FLOOR);
	t.services[0].floor_own = s.kit.counter;
	assert(trust_standing_service(&t, &service, uptime, &kit) == E_OK);
	/* Until it is admitted again under the newer root. */
	assert(tell_statement(6) == E_OK);
	assert(trust_standing_service(&t, &service, uptime, &kit) == E_V_ROOT);
}

int main(void)
{
	test_numbers();
	test_roots();
	test_services();
	return 0;
}
