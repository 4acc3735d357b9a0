/*
 * Signs what the update suite offers to RS: the envelopes of good variants, and of every kind of
 * bad one; and writes what the suite signs orders with in the machine.
 *
 *	offers KEYS NOW OUT < list
 *
 * Makes the keyrings KEYS and KEYS.foreign if they are not there; NOW is their time (unix s).
 * Writes OUT.signing (struct signing, osd/suites/update/order.c), and OUT.statement, a starting
 * statement. Each line of the list is one record of OUT (struct offer, osd/suites/update/priv.h), in
 * this order:
 *
 *	NAME BLOB SERVICE KIT SEED PAYLOAD GENERATION EXPECTED FLAW
 *
 * FLAW is `none` or what is to be wrong with the envelope. Good kits are signed with their release
 * number raised by RELEASE_RAISE, so that a floor can lie below them. That makes them other releases, and
 * a layout depends on its release: so PAYLOAD is linked here, of KIT and SEED (hexadecimal digits).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "keyring/priv.h"
#include "proto/envelope/envelope.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/seed.h"
#include "proto/image/link.h"

#define RECORD_SIZE 4096
#define ENVELOPE_ROOM 3840
#define STATEMENT_FLOOR 6 /* of assist: above that of the boot image, below its kits' */
#define KIT_FLOOR 7
#define RELEASE_RAISE 10
#define FILE_MAX (4u << 20)
#define DAY_SEC (24u * 3600)
#define WIDE_LEN (UINT64_C(16) << 20)          /* two are more than that budget */
#define HUGE_LEN ((UINT64_C(24) << 20) + 4096) /* more than RS's staging budget */

struct record {
	char name[32];
	char blob[24];
	char service[24];
	uint32_t envelope_bytes;
	int32_t expected;
	uint8_t payload[64], description[64];
	uint64_t generation;
	uint8_t seed[SEED_SIZE];
	uint8_t envelope[ENVELOPE_ROOM];
};
_Static_assert(sizeof(struct record) == RECORD_SIZE, "as the suite reads it");

/* As the suite reads it. */
struct signing {
	uint8_t seed[4][32]; /* order, control, release, variant */
	uint32_t root_bytes, statement_bytes;
	_Alignas(8) uint8_t root[2048], statement[4096];
};

struct bytes {
	size_t len;
	uint8_t bytes[FILE_MAX];
};

struct keys {
	struct keyring_key *root_key, *release, *variant, *order, *control, *foreign;
	struct envelope_part root;
	uint8_t root_bytes[4096];
};

struct line {
	char name[32], blob[24], service[24], kit[256], seed[2 * SEED_SIZE + 1], payload[256];
	char flaw[32];
	unsigned long long generation;
	int expected;
};

static uint64_t now;
static struct keys keys;
static struct bytes kit_file, state_file, flat_file, payload;

static _Noreturn void die(const char *what, const char *which)
{
	fprintf(stderr, "offers: %s: %s\n", what, which);
	exit(1);
}

static void read_file(const char *kit, const char *name, struct bytes *ret)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", kit, name);
	f = fopen(path, "rb");
	if (f == NULL) {
		die(path, strerror(errno));
	}
	ret->len = fread(ret->bytes, 1, sizeof(ret->bytes), f);
	fclose(f);
}

static struct keyring_key *open_key(const char *dir, enum keyring_role role)
{
	struct keyring_key *key;

	if (keyring_key_open(dir, role, &key) != 0) {
		die("cannot open a key", dir);
	}
	return key;
}

static void open_keys(const char *dir)
{
	char foreign[512];
	int r = keyring_create(dir, now, 10 * 365 * (uint64_t)DAY_SEC);

	snprintf(foreign, sizeof(foreign), "%s.foreign", dir);
	if (r == 0) {
		r = keyring_create(foreign, now, 10 * 365 * (uint64_t)DAY_SEC);
	}
	if (r != 0 && r != KEYRING_E_EXISTS) {
		die("cannot make a keyring", keyring_error_text(r));
	}
	keys.root_key = open_key(dir, KEYRING_ROOT);
	keys.release = open_key(dir, KEYRING_RELEASE);
	keys.variant = open_key(dir, KEYRING_VARIANT);
	keys.order = open_key(dir, KEYRING_ORDER);
	keys.control = open_key(dir, KEYRING_CONTROL);
	keys.foreign = open_key(foreign, KEYRING_VARIANT);
	if (keyring_root_read(dir, keys.root_bytes, sizeof(keys.root_bytes), &keys.root) != 0) {
		die("cannot read the signed root", dir);
	}
}

static int is_flaw(const struct line *line, const char *flaw)
{
	return strcmp(line->flaw, flaw) == 0;
}

static size_t sign_part(const struct keyring_key *key, enum envelope_part_kind kind,
        const void *manifest, size_t len, uint8_t *ret_part)
{
	size_t size;
	int r = keyring_sign(key, kind, manifest, len, ret_part, 4096, &size);

	if (r != 0) {
		die("cannot sign", keyring_error_text(r));
	}
	return size;
}

/* What keyring_sign will not do: sign with a key of another role. */
static size_t sign_as(const struct keyring_key *key, enum envelope_part_kind kind,
        const void *manifest, size_t len, uint8_t *ret_part)
{
	struct keyring_key disguised = *key;

	disguised.role = KEYRING_VARIANT;
	return sign_part(&disguised, kind, manifest, len, ret_part);
}

/* The payload of a release's layout, for the record and in its file. */
static void make_payload(
        const struct line *line, const struct kit_manifest *kit, const uint8_t seed[SEED_SIZE])
{
	static _Alignas(8) uint8_t scratch[FILE_MAX];
	uint8_t release_id[64];
	const struct link_request request = {.seed = seed, .release_id = release_id};
	struct link_layout layout;
	struct flat_view flat;
	FILE *f;

	kit_manifest_release_id(kit, release_id);
	if (flat_check(flat_file.bytes, flat_file.len, &flat) != FLAT_OK ||
	        link_place(&flat, &request, scratch, sizeof(scratch), &layout) != LINK_OK ||
	        layout.payload_size > sizeof(payload.bytes) ||
	        link_payload_write(&flat, &layout, payload.bytes) != LINK_OK) {
		die("cannot be linked", line->kit);
	}
	payload.len = layout.payload_size;
	f = fopen(line->payload, "wb");
	if (f == NULL || fwrite(payload.bytes, 1, payload.len, f) != payload.len ||
	        fclose(f) != 0) {
		die(line->payload, strerror(errno));
	}
}

/* With its flaws, if the kit is what is wrong. */
static void make_kit(const struct line *line, bool with_flaws, struct kit_manifest *kit)
{
	if (kit_file.len != sizeof(*kit)) {
		die("not a kit manifest", line->kit);
	}
	memcpy(kit, kit_file.bytes, sizeof(*kit));
	kit->issued = now;
	if (!with_flaws || !is_flaw(line, "floor")) {
		kit->counter += RELEASE_RAISE;
		kit->floor = KIT_FLOOR;
	}
	kit->state_len = state_file.len;
	envelope_hash(state_file.bytes, state_file.len, kit->state_hash);
	if (with_flaws && is_flaw(line, "description")) {
		kit->state_hash[5] ^= 1;
	}
}

static void make_variant(const uint8_t seed[SEED_SIZE], const struct kit_manifest *kit,
        struct variant_manifest *variant)
{
	memset(variant, 0, sizeof(*variant));
	memcpy(variant->magic, VARIANT_MAGIC, sizeof(variant->magic));
	variant->version = MANIFEST_VERSION;
	variant->size = sizeof(*variant);
	for (int i = 0; i < 16; i++) {
		variant->machine_id[i] = (uint8_t)i;
	}
	memcpy(variant->service, kit->service, sizeof(variant->service));
	kit_manifest_release_id(kit, variant->release_id);
	variant->issued = now + 60;
	variant->expires = now + 7 * DAY_SEC;
	envelope_hash(payload.bytes, payload.len, variant->payload_hash);
	variant->payload_len = payload.len;
	variant->recipe = LINK_RECIPE;
	envelope_seed_commit(variant->release_id, LINK_RECIPE, seed, variant->seed_commit);
}

static void spoil_variant(const struct line *line, struct variant_manifest *variant)
{
	if (is_flaw(line, "machine")) {
		variant->machine_id[3] ^= 0x80;
	} else if (is_flaw(line, "expired")) {
		variant->issued = now - 2 * DAY_SEC;
		variant->expires = now - DAY_SEC;
	} else if (is_flaw(line, "future")) {
		variant->issued = now + 3 * 365 * (uint64_t)DAY_SEC;
		variant->expires = variant->issued + DAY_SEC;
	} else if (is_flaw(line, "release")) {
		variant->release_id[0] ^= 1;
	} else if (is_flaw(line, "payload")) {
		variant->payload_hash[63] ^= 1;
	} else if (is_flaw(line, "life")) {
		variant->expires = variant->issued + KEYRING_VARIANT_LIFE_SEC + 1;
	} else if (is_flaw(line, "huge")) {
		variant->payload_hash[0] ^= 1;
		variant->payload_len = HUGE_LEN;
	} else if (is_flaw(line, "wide") || is_flaw(line, "wider")) {
		variant->payload_hash[0] ^= is_flaw(line, "wide") ? 2 : 4;
		variant->payload_len = WIDE_LEN;
	}
}

/* Another root of the same serial, as good as the first in itself. */
static size_t make_other_root(uint8_t *ret_part)
{
	struct root_manifest root;

	memcpy(&root, keys.root.manifest, sizeof(root));
	root.expires--;
	return sign_part(keys.root_key, ENVELOPE_ROOT, &root, sizeof(root), ret_part);
}

static size_t make_envelope(
        const struct line *line, const uint8_t seed[SEED_SIZE], uint8_t *ret_envelope)
{
	static _Alignas(8) uint8_t root_part[4096], kit_part[4096], variant_part[4096];
	struct kit_manifest kit;
	struct variant_manifest variant;
	const void *parts[] = {keys.root_bytes, kit_part, variant_part};
	size_t sizes[] = {keys.root.size, 0, 0};
	size_t len;

	if (is_flaw(line, "root")) {
		parts[0] = root_part;
		sizes[0] = make_other_root(root_part);
	}
	make_kit(line, true, &kit);
	make_variant(seed, &kit, &variant);
	spoil_variant(line, &variant);
	sizes[1] = sign_part(keys.release, ENVELOPE_KIT, &kit, sizeof(kit), kit_part);
	sizes[2] = sign_as(is_flaw(line, "key")    ? keys.foreign
	                   : is_flaw(line, "role") ? keys.release
	                                           : keys.variant,
	        ENVELOPE_VARIANT, &variant, sizeof(variant), variant_part);
	if (is_flaw(line, "signature")) {
		variant_part[sizes[2] - 1] ^= 1;
	} else if (is_flaw(line, "byte")) {
		kit_part[sizeof(struct envelope_part_header) + 40] ^= 1; /* the release number */
	}
	len = envelope_write(ENVELOPE_OF_VARIANT, parts, sizes, ret_envelope, ENVELOPE_ROOM);
	if (len == 0) {
		die("an envelope is too long", line->name);
	}
	if (is_flaw(line, "version")) {
		((struct envelope_header *)(void *)ret_envelope)->version++;
	}
	return is_flaw(line, "short") ? len - 8 : len;
}

static void make_record(const struct line *line, struct record *record)
{
	struct kit_manifest kit;

	memset(record, 0, sizeof(*record));
	read_file(line->kit, "manifest", &kit_file);
	read_file(line->kit, "state", &state_file);
	read_file(line->kit, "flat", &flat_file);
	for (size_t i = 0; i < SEED_SIZE; i++) {
		if (sscanf(line->seed + 2 * i, "%2hhx", &record->seed[i]) != 1) {
			die("not a seed", line->seed);
		}
	}
	make_kit(line, false, &kit);
	make_payload(line, &kit, record->seed);
	snprintf(record->name, sizeof(record->name), "%s", line->name);
	snprintf(record->blob, sizeof(record->blob), "%s", line->blob);
	snprintf(record->service, sizeof(record->service), "%s", line->service);
	record->expected = line->expected;
	record->generation = line->generation;
	envelope_hash(payload.bytes, payload.len, record->payload);
	envelope_hash(state_file.bytes, state_file.len, record->description);
	record->envelope_bytes = (uint32_t)make_envelope(line, record->seed, record->envelope);
}

static size_t make_statement(uint8_t *ret_envelope, size_t cap)
{
	static _Alignas(8) uint8_t part[4096];
	struct {
		struct statement_manifest head;
		struct statement_service assist;
	} s = {.head = {.magic = STATEMENT_MAGIC,
	               .version = MANIFEST_VERSION,
	               .size = sizeof(s),
	               .root_serial = ((const struct root_manifest *)keys.root.manifest)->serial,
	               .issued = now,
	               .n_services = 1},
	        .assist = {.service = "assist", .floor = STATEMENT_FLOOR}};
	const void *parts[] = {keys.root_bytes, part};
	size_t sizes[] = {keys.root.size, 0}, len;

	for (int i = 0; i < 16; i++) {
		s.head.machine_id[i] = (uint8_t)i;
	}
	sizes[1] = sign_part(keys.order, ENVELOPE_STATEMENT, &s, sizeof(s), part);
	len = envelope_write(ENVELOPE_OF_STATEMENT, parts, sizes, ret_envelope, cap);
	if (len == 0) {
		die("too long", "statement");
	}
	return len;
}

static void take_seed(const struct keyring_key *key, uint8_t ret_seed[32])
{
	size_t len = 32;

	if (EVP_PKEY_get_raw_private_key(key->pkey, ret_seed, &len) != 1 || len != 32) {
		die("cannot take a private key", "out");
	}
}

static void write_beside(const char *out, const char *suffix, const void *bytes, size_t len)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s.%s", out, suffix);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(bytes, 1, len, f) != len || fclose(f) != 0) {
		die(path, strerror(errno));
	}
}

static void write_signing(const char *out)
{
	static struct signing signing;

	take_seed(keys.order, signing.seed[0]);
	take_seed(keys.control, signing.seed[1]);
	take_seed(keys.release, signing.seed[2]);
	take_seed(keys.variant, signing.seed[3]);
	signing.root_bytes = (uint32_t)keys.root.size;
	memcpy(signing.root, keys.root_bytes, keys.root.size);
	signing.statement_bytes =
	        (uint32_t)make_statement(signing.statement, sizeof(signing.statement));
	write_beside(out, "signing", &signing, sizeof(signing));
	write_beside(out, "statement", signing.statement, signing.statement_bytes);
}

int main(int argc, char **argv)
{
	struct record record;
	struct line line;
	FILE *out;

	if (argc != 4) {
		die("usage", "offers KEYS NOW OUT < list");
	}
	now = strtoull(argv[2], NULL, 10);
	open_keys(argv[1]);
	write_signing(argv[3]);
	out = fopen(argv[3], "wb");
	if (out == NULL) {
		die(argv[3], strerror(errno));
	}
	while (scanf("%31s %23s %23s %255s %64s %255s %llu %d %31s", line.name, line.blob,
	               line.service, line.kit, line.seed, line.payload, &line.generation,
	               &line.expected, line.flaw) == 9) {
		make_record(&line, &record);
		if (fwrite(&record, sizeof(record), 1, out) != 1) {
			die(argv[3], strerror(errno));
		}
	}
	return fclose(out) == 0 ? 0 : 1;
}
