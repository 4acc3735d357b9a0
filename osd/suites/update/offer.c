#include "osd/suites/update/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"

static struct offer offer_now;

const struct offer *offer_at(uint32_t n)
{
	err_t total = rs_blob("offers", HOOK_PAYLOAD, (uint64_t)n * sizeof(offer_now), &offer_now,
	        sizeof(offer_now));

	return total < 0 ? NULL : &offer_now;
}

const struct offer *offer_find(const char *name)
{
	const struct offer *offer;

	for (uint32_t n = 0; (offer = offer_at(n)) != NULL; n++) {
		if (strcmp(offer->name, name) == 0) {
			return offer;
		}
	}
	sef_panic("the boot image has no offer %s", name);
}
