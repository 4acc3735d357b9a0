/*
 * A standing order as a manifest: what a row of the record asks for, of the services that the machine runs
 * now and may move, tied to this machine, boot and moment. What it lists changes with releases, holds and
 * windows; a digest of that says whether another one has to be made.
 */
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/core/priv.h"
#include "orchestrator/work/kit.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/image/link.h"

/* Is the service among those that are wanted: named with blanks between, or all? */
static bool standing_names(const struct standing_row *row, const char *service)
{
	size_t len = strlen(service);

	for (const char *at = row->services; *at;) {
		size_t n = strcspn(at, " ");

		if (n == len && !strncmp(at, service, n)) {
			return true;
		}
		at += n + strspn(at + n, " ");
	}
	return !*row->services;
}

/* Each service in its place: the manifest's are sorted by name. */
static void standing_add(struct standing_manifest *manifest, const Machine__Service *service)
{
	struct standing_service *services = (void *)(manifest + 1);
	struct standing_service added = {.recipe = LINK_RECIPE};
	uint32_t at = manifest->n_services;

	if (at == STANDING_SERVICES_MAX || service->release_id.len != sizeof(added.release_id)) {
		return;
	}
	snprintf(added.service, sizeof(added.service), "%s", service->name);
	memcpy(added.release_id, service->release_id.data, sizeof(added.release_id));
	while (at > 0 && strcmp(services[at - 1].service, added.service) > 0) {
		services[at] = services[at - 1];
		at--;
	}
	services[at] = added;
	manifest->n_services++;
}

/* What the row asks for, of what the machine runs now and may move; its number and times are the caller's. */
static void standing_fill(const struct engine *engine, const struct machine *machine,
        const struct standing_row *row, struct standing_manifest *manifest)
{
	const Machine__Status *status = machine_status(machine);
	struct rules_gate shut;

	memcpy(manifest->magic, STANDING_MAGIC, sizeof(manifest->magic));
	manifest->version = MANIFEST_VERSION;
	for (size_t i = 0; row->wanted && i < status->n_services; i++) {
		if (status->services[i]->can_update &&
		        standing_names(row, status->services[i]->name) &&
		        standing_may_move(engine, machine, status->services[i]->name, &shut)) {
			standing_add(manifest, status->services[i]);
		}
	}
	manifest->size = (uint32_t)standing_manifest_size(manifest->n_services);
	if (!manifest->n_services) {
		return;
	}
	manifest->every_ms = row->every_ms;
	manifest->jitter_ms = row->jitter_ms;
	standing_quiet(engine, machine, row, manifest);
}

bool standing_is_kept(const struct engine *engine, const struct machine *machine,
        const struct standing_row *row, struct rules_gate *ret_shut)
{
	const Machine__Status *status = machine_status(machine);
	struct rules_gate shut;
	bool is_kept = false;

	for (size_t i = 0; row->wanted && status && i < status->n_services; i++) {
		const Machine__Service *service = status->services[i];

		if (!service->can_update || !standing_names(row, service->name)) {
			continue;
		}
		if (standing_may_move(engine, machine, service->name, &shut)) {
			return false;
		}
		*ret_shut = is_kept ? *ret_shut : shut;
		is_kept = true;
	}
	return is_kept;
}

/* With what decides about quiet times: they move with the clock, and are reckoned anew where that changes. */
static void standing_digest(const struct engine *engine, const struct machine *machine,
        const struct standing_manifest *manifest, uint8_t ret_digest[64])
{
	const struct machine_row *row = machine_row(machine);
	const struct policy_version_row *version = rules_version(engine->rules);
	size_t size = manifest->n_services * sizeof(struct standing_service);
	_cleanup_(freep) uint8_t *bytes = mem_zero(
	        size + sizeof(version->digest) + sizeof(row->groups) + sizeof(row->labels));

	memcpy(bytes, standing_services(manifest), size);
	if (version->id) {
		memcpy(bytes + size, version->digest, sizeof(version->digest));
		size += sizeof(version->digest);
		memcpy(bytes + size, row->groups, sizeof(row->groups));
		size += sizeof(row->groups);
		memcpy(bytes + size, row->labels, sizeof(row->labels));
		size += sizeof(row->labels);
	}
	envelope_hash(bytes, size, ret_digest);
}

uint32_t standing_releases(const struct engine *engine, const struct standing_row *row,
        const struct machine *machine, uint8_t ret_digest[64])
{
	static _Alignas(8) uint8_t bytes[SIGNER_STANDING_MAX];
	struct standing_manifest *manifest = (void *)bytes;

	memset(bytes, 0, sizeof(bytes));
	standing_fill(engine, machine, row, manifest);
	standing_digest(engine, machine, manifest, ret_digest);
	return manifest->n_services;
}

int standing_make(struct engine *engine, const struct machine *machine, struct standing_row *row,
        struct signer_standing *ret)
{
	struct standing_manifest *manifest = (void *)ret->manifest;
	const Machine__Status *status = machine_status(machine);
	int64_t now = store_now_usec();
	uint64_t life = STANDING_LIFE_SEC_MAX;
	int r;

	standing_fill(engine, machine, row, manifest);
	standing_digest(engine, machine, manifest, row->releases);
	memcpy(manifest->machine_id, machine_row(machine)->machine_id,
	        sizeof(manifest->machine_id));
	manifest->boot_id = row->boot_id = machine_row(machine)->boot_id;
	r = kit_root_serial(engine->parts.config->keyring, &manifest->epoch);
	if (r) {
		return err_up(r);
	}
	if (row->until_us > now && (uint64_t)(row->until_us - now) / 1000000 < life) {
		life = (uint64_t)(row->until_us - now) / 1000000 + 1;
	}
	if (status->standing && status->standing->number > row->number) {
		row->number = status->standing->number; /* of a record that was lost */
	}
	row->epoch = manifest->epoch;
	row->number++;
	row->expires = now / 1000000 + (int64_t)life;
	row->given = false;
	manifest->number = row->number;
	ret->lifetime_sec = (uint32_t)life;
	ret->len = manifest->size;
	return 0;
}
