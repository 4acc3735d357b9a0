/*
 * What is believed of each service: the lowest release that it may run, and its newest generation.
 *
 * A floor has two sources: what was booted with or confirmed, which stays, and what a statement
 * told, which ends with the epoch of that statement. A commit raises no floor before its confirm,
 * so the way back stays open until then. Generations and own floors only rise, whichever of
 * statement and commit comes first.
 */
#include "osd/servers/rs/trust/priv.h"

#include <string.h>

#include "osd/abi/errors.h"

bool trust_number_is_later(struct trust_number a, struct trust_number b)
{
	return a.epoch != b.epoch ? a.epoch > b.epoch : a.number > b.number;
}

static bool trust_number_is_same(struct trust_number a, struct trust_number b)
{
	return a.epoch == b.epoch && a.number == b.number;
}

/* The entry of a service; NULL: nothing is known of it. */
static const struct trust_service *trust_service_find(const struct trust_state *t, const char *name)
{
	for (uint32_t i = 0; i < TRUST_N_SERVICES; i++) {
		if (strncmp(t->services[i].name, name, SERVICE_NAME_LEN) == 0) {
			return &t->services[i];
		}
	}
	return NULL;
}

/* Found or made; NULL: the table is full. A name is cut so that an entry's ends in a NUL. */
static struct trust_service *trust_service_get(struct trust_state *t, const char *name)
{
	struct trust_service *service = (struct trust_service *)trust_service_find(t, name);

	for (uint32_t i = 0; service == NULL && i < TRUST_N_SERVICES; i++) {
		if (t->services[i].name[0] == '\0') {
			service = &t->services[i];
			memset(service, 0, sizeof(*service));
			memcpy(service->name, name, strnlen(name, SERVICE_NAME_LEN - 1));
		}
	}
	return service;
}

err_t trust_add_service(
        struct trust_state *t, const char *name, uint64_t generation, uint32_t floor)
{
	struct trust_service *service = trust_service_get(t, name);

	if (service == NULL) {
		return E_FULL;
	}
	service->floor_own = floor;
	service->newest = (struct trust_number){t->root_serial, generation};
	return E_OK;
}

uint32_t trust_floor(const struct trust_state *t, const char *name)
{
	const struct trust_service *service = trust_service_find(t, name);

	if (service == NULL) {
		return 0;
	}
	return service->floor_epoch == t->root_serial && service->floor_told > service->floor_own
	               ? service->floor_told
	               : service->floor_own;
}

struct trust_number trust_generation(const struct trust_state *t, const char *name)
{
	const struct trust_service *service = trust_service_find(t, name);

	return service != NULL ? service->newest : (struct trust_number){0};
}

void trust_commit(struct trust_state *t, const char *name, struct trust_number generation,
        struct trust_number order, uint32_t floor)
{
	struct trust_service *service = trust_service_get(t, name);

	if (service == NULL) {
		return;
	}
	/* A statement that came since the order was accepted may have told a later one. */
	if (trust_number_is_later(generation, service->newest)) {
		service->newest = generation;
	}
	service->unconfirmed = order;
	service->floor_unconfirmed = floor;
}

err_t trust_confirm(struct trust_state *t, struct trust_number order)
{
	bool is_known = false;

	for (uint32_t i = 0; i < TRUST_N_SERVICES; i++) {
		struct trust_service *service = &t->services[i];

		if (service->name[0] == '\0' ||
		        !trust_number_is_same(service->unconfirmed, order)) {
			continue;
		}
		is_known = true;
		if (service->floor_unconfirmed > service->floor_own) {
			service->floor_own = service->floor_unconfirmed;
		}
	}
	return is_known ? E_OK : E_NOTFOUND;
}

void trust_service_told(struct trust_state *t, const struct statement_service *s, uint64_t epoch)
{
	struct trust_service *service = trust_service_get(t, s->service);
	struct trust_number newest = {s->epoch, s->generation};

	if (service == NULL) {
		return; /* more services than a machine can have: it runs none of these */
	}
	if (service->floor_epoch != epoch) {
		service->floor_told = 0;
		service->floor_epoch = epoch;
	}
	if (s->floor > service->floor_told) {
		service->floor_told = s->floor;
	}
	if (trust_number_is_later(newest, service->newest)) {
		service->newest = newest;
	}
}
