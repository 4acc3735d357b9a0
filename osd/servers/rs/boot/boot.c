/*
 * From the boot image to services that can be started. The image is mapped read-only for as long as
 * the machine runs: payloads and descriptions of boot services are used where they lie. It is
 * trusted, as the host under the machine is, but checked for form.
 *
 *	root of trust    whose signatures count; without one nothing is ever believed
 *	entries          a service each: kit, payload, state description, flat kit, floor, generation
 *	statement        what the last boot knew of floors and generations, signed
 *
 * One bad entry must not take the machine down with it, so such a service is DOWN and the log says
 * so; an image that cannot be read at all is a panic. Nothing is started in here: boot_begin() ends
 * with start_step(), which goes by the dependencies.
 */
#include "osd/servers/rs/boot/boot.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/life/start.h"
#include "osd/servers/rs/stage/stage.h"
#include "osd/servers/rs/base/text.h"
#include "osd/servers/rs/trust/trust.h"

/* For one line of the log. */
#define BOOT_LINE 96

/* Boot parts hold a manifest alone or with its signatures. NULL: neither, or of another kind. */
static const void *boot_manifest(
        const uint8_t *bytes, size_t len, enum envelope_part_kind kind, size_t size)
{
	struct envelope_part part;

	if (envelope_part_open(bytes, len, &part) == ENVELOPE_OK) {
		return part.kind == kind && part.manifest_len == size ? part.manifest : NULL;
	}
	return len == size ? bytes : NULL;
}

/*
 * A root that is malformed is like none: the machine runs, but no order will. The boot id and the
 * nonce for time statements are drawn here; they are what makes an order of another boot invalid.
 */
static void boot_read_root(void)
{
	const struct boot_header *header = machine.boot.header;
	const struct root_manifest *root = NULL;

	if (header->root.len > 0) {
		root = boot_manifest(machine.boot.bytes + header->root.off, header->root.len,
		        ENVELOPE_ROOT, sizeof(*root));
	}
	if (root != NULL && root_manifest_check(root) != ENVELOPE_OK) {
		root = NULL;
	}
	if (root == NULL) {
		rs_log("no root of trust in the boot image: no order will be accepted");
	}
	trust_init(&machine.trust, &(struct trust_start){
	                                   .root = root,
	                                   .machine_id = header->machine_id,
	                                   /* a number that JSON and SQLite can hold */
	                                   .boot_id = sys_random() >> 1,
	                                   .time_nonce = sys_random() >> 1,
	                                   .time = header->boot_time_unix,
	                           });
}

/*
 * What the last boot knew: without it no order is carried out until one comes over the channel.
 * Read after the entries, so that what it says of a service raises what the image says.
 */
static void boot_read_statement(void)
{
	const struct boot_part *part = &machine.boot.header->statement;
	struct text text;
	char line[BOOT_LINE];
	err_t err;

	if (part->len == 0) {
		return;
	}
	err = trust_statement(
	        &machine.trust, machine.boot.bytes + part->off, part->len, rs_uptime());
	if (err != E_OK) {
		text = text_init(line, sizeof(line));
		text_add(&text, "the starting statement of the boot image is refused: error ");
		text_add_decimal(&text, err);
		rs_log(line);
	}
}

/*
 * The variant's envelope, which the host may ask for (RS_ENVELOPE), and the hash of the payload in
 * it.
 */
static void boot_read_envelope(struct service *service, const struct boot_item *item)
{
	struct envelope_view view;

	if (item->envelope == NULL ||
	        envelope_open(item->envelope, item->envelope_len, &view) != ENVELOPE_OK ||
	        view.kind != ENVELOPE_OF_VARIANT) {
		return;
	}
	service->boot_envelope = item->envelope;
	service->boot_envelope_bytes = item->envelope_len;
	memcpy(service->binary.payload_hash, view.variant->payload_hash, RS_HASH_LEN);
}

/* The kit of an entry, and its name: hashed once, since seven of them are a tenth of the start. */
struct boot_kit {
	const struct kit_manifest *manifest; /* NULL: none, or malformed */
	uint8_t release_id[RS_HASH_LEN];
};

static struct boot_kit boot_read_kit(const struct boot_item *item)
{
	struct boot_kit kit = {0};

	if (item->manifest != NULL) {
		kit.manifest = boot_manifest(
		        item->manifest, item->manifest_len, ENVELOPE_KIT, sizeof(*kit.manifest));
	}
	if (kit.manifest != NULL && kit_manifest_check(kit.manifest) != ENVELOPE_OK) {
		kit.manifest = NULL;
	}
	if (kit.manifest != NULL) {
		kit_manifest_release_id(kit.manifest, kit.release_id);
	}
	return kit;
}

/*
 * What the service runs from. Whether description and flat kit are good is asked when one is wanted
 * (binary_has_description(), layout_kit_check()): the service runs without them. False: the entry
 * cannot be run.
 */
static bool boot_read_binary(
        struct binary *binary, const struct boot_item *item, const struct boot_kit *kit)
{
	if (kit->manifest == NULL ||
	        image_check(item->payload, item->payload_len, &binary->image) != IMAGE_OK) {
		return false;
	}
	binary->kit = *kit->manifest;
	memcpy(binary->release_id, kit->release_id, sizeof(binary->release_id));
	binary->generation =
	        (struct trust_number){machine.trust.root_serial, item->entry->generation};
	binary->payload_bytes = item->payload_len;
	binary->flat = (struct layout_kit){
	        .bytes = item->flat, .n_bytes = item->flat_len, .hash = kit->manifest->flat_hash};
	binary->description = item->state;
	binary->description_bytes = item->state_len;
	return true;
}

/*
 * Does the command line let this entry start? `start=a,b`; without it, all. The others are as if
 * they were not in the image; what the kernel loads runs anyway.
 */
static bool boot_is_wanted(const char name[SERVICE_NAME_LEN])
{
	size_t len, at = 0;
	size_t name_len = strnlen(name, SERVICE_NAME_LEN);
	const char *list = boot_cmdline_get(machine.boot.header, "start", &len);

	if (list == NULL) {
		return true;
	}
	while (at < len) {
		const char *comma = memchr(list + at, ',', len - at);
		size_t end = comma == NULL ? len : (size_t)(comma - list);

		if (end - at == name_len && memcmp(list + at, name, name_len) == 0) {
			return true;
		}
		at = end + 1;
	}
	return false;
}

/*
 * A kit that the image has whole need not be staged: RS makes layouts of it when an order says so.
 */
static void boot_keep_kit(const struct boot_item *item, const struct boot_kit *kit)
{
	const struct kit_manifest *manifest = kit->manifest;

	if (item->flat == NULL || item->state == NULL || item->flat_len != manifest->flat_len ||
	        item->state_len != manifest->state_len) {
		return;
	}
	if (trust_add_kit(&machine.trust, manifest, kit->release_id, item->envelope,
	            item->envelope_len) != E_OK) {
		rs_panic("more kits in the boot image than RS can keep");
	}
	stage_add_boot(manifest->flat_hash, item->flat, item->flat_len);
	stage_add_boot(manifest->state_hash, item->state, item->state_len);
}

/* The floor of what the image starts counts: somebody chose to start it. */
static void boot_read_trust(const struct boot_item *item, const struct boot_kit *kit)
{
	uint32_t floor = (uint32_t)item->entry->floor;

	if (kit->manifest != NULL) {
		floor = kit->manifest->floor > floor ? kit->manifest->floor : floor;
		boot_keep_kit(item, kit);
	}
	if (trust_add_service(&machine.trust, item->entry->name, item->entry->generation, floor) !=
	        E_OK) {
		rs_panic("more services in the boot image than RS can keep numbers for");
	}
}

/*
 * A service for this entry. n: its number, which is the slot of a service that the kernel loaded.
 * Too many entries are a panic: whoever made the image must hear of it at the first boot.
 */
static void boot_read_entry(const struct boot_item *item, uint32_t n)
{
	struct service *service;
	struct boot_kit kit;
	bool is_loaded = (item->entry->flags & BOOT_KERNEL_LOADED) != 0;

	if (item->entry->kind != BOOT_KIND_SERVICE ||
	        (!is_loaded && !boot_is_wanted(item->entry->name))) {
		return;
	}
	service = service_add(item->entry->name);
	if (service == NULL) {
		rs_panic("more services in the boot image than RS has places for");
	}
	kit = boot_read_kit(item);
	boot_read_trust(item, &kit);
	service->is_kernel_loaded = is_loaded;
	service->start_deadline = service->retry_at = service->ping_at = NSEC_NEVER;
	service->boot_generation = item->entry->generation;
	boot_read_envelope(service, item);
	if (!boot_read_binary(&service->binary, item, &kit)) {
		rs_log("a boot entry is malformed:");
		rs_log(service->name);
		service_set_state(service, is_loaded ? RS_SERVICE_RUNNING : RS_SERVICE_DOWN);
		return;
	}
	if (is_loaded) {
		service->endpoint = EP_MAKE((endpoint_t)n, 1);
		service_set_state(service, RS_SERVICE_RUNNING);
	}
}

void boot_begin(const struct start_info *start)
{
	struct boot_item item;

	machine.start = start;
	if (boot_check((const void *)start->boot_image, start->boot_image_bytes, &machine.boot) !=
	        IMAGE_OK) {
		rs_panic("the boot image is malformed");
	}
	boot_read_root();
	for (uint32_t i = 0; i < machine.boot.header->n_entries; i++) {
		boot_entry_get(&machine.boot, i, &item);
		boot_read_entry(&item, i);
	}
	boot_read_statement();
	start_step();
}
