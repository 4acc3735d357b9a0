/*
 * For tests: makes another envelope out of a good one, as an attacker or a mistake
 * would.
 *
 *	envelope_craft IN OUT [CHANGE...]
 *
 * Changes, in the order given, of the variant manifest:
 *	generation=N base=N issued=N expires=N (unix s)   service=NAME   machine=HEX
 *	payload=FILE   hash and length of another payload
 * and of the envelope:
 *	kit=FILE       another signed kit (a stored part, or an envelope's)
 *	bind           release id of the kit as it is now
 *	sign=DIR       sign the variant with that keyring's variant key
 *	flip=OFFSET    one bit of a byte of the result (last)
 * Without sign= a changed variant keeps the signature it had.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "keyring/priv.h"
#include "proto/envelope/envelope_crypto.h"

struct stored {
	size_t len;
	_Alignas(8) uint8_t bytes[ENVELOPE_SIZE_MAX];
};

struct craft {
	struct stored part[_ENVELOPE_PART_N];
	struct stored out;
	size_t flip; /* offset in out, or SIZE_MAX */
};

static _Noreturn void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "envelope_craft: %s: %s\n", what, why);
	exit(1);
}

static uint8_t *file_read(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *bytes;

	if (f == NULL || fstat(fileno(f), &st) < 0) {
		die(path, strerror(errno));
	}
	bytes = malloc((size_t)st.st_size + 1);
	if (bytes == NULL || fread(bytes, 1, (size_t)st.st_size, f) != (size_t)st.st_size) {
		die(path, "cannot be read");
	}
	(void)fclose(f);
	*ret_len = (size_t)st.st_size;
	return bytes;
}

static void stored_take(struct stored *to, const struct envelope_part *part)
{
	to->len = part->size;
	memcpy(to->bytes, part->manifest - sizeof(struct envelope_part_header), part->size);
}

/* Take an envelope's parts, or one stored part. */
static void craft_read(struct craft *c, const char *path, int only_kit)
{
	struct envelope_view view;
	struct envelope_part part;
	size_t len;
	uint8_t *bytes = file_read(path, &len);

	if (envelope_open(bytes, len, &view) == ENVELOPE_OK) {
		for (unsigned int i = 0; i < _ENVELOPE_PART_N; i++) {
			if (!only_kit || i == ENVELOPE_KIT) {
				stored_take(&c->part[i], &view.part[i]);
			}
		}
	} else if (only_kit && envelope_part_open(bytes, len, &part) == ENVELOPE_OK) {
		stored_take(&c->part[ENVELOPE_KIT], &part);
	} else {
		die(path, "neither an envelope nor a signed kit");
	}
	free(bytes);
}

static void *craft_manifest(struct craft *c, enum envelope_part_kind kind)
{
	return c->part[kind].bytes + sizeof(struct envelope_part_header);
}

static void craft_payload(struct craft *c, const char *path)
{
	struct variant_manifest *v = craft_manifest(c, ENVELOPE_VARIANT);
	size_t len;
	uint8_t *bytes = file_read(path, &len);

	v->payload_len = len;
	envelope_hash(bytes, len, v->payload_hash);
	free(bytes);
}

static void craft_machine(struct craft *c, const char *hex)
{
	struct variant_manifest *v = craft_manifest(c, ENVELOPE_VARIANT);

	for (unsigned int i = 0; i < sizeof(v->machine_id); i++) {
		unsigned int byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
			die(hex, "not 32 hex digits");
		}
		v->machine_id[i] = (uint8_t)byte;
	}
}

static void craft_sign(struct craft *c, const char *dir)
{
	struct stored *part = &c->part[ENVELOPE_VARIANT];
	struct variant_manifest v = *(struct variant_manifest *)craft_manifest(c, ENVELOPE_VARIANT);
	struct keyring_key *key = NULL;
	int r = keyring_key_open(dir, KEYRING_VARIANT, &key);

	if (r == 0) {
		r = keyring_sign(key, ENVELOPE_VARIANT, &v, sizeof(v), part->bytes,
		        sizeof(part->bytes), &part->len);
	}
	if (r != 0) {
		die(dir, keyring_error_text(r));
	}
	keyring_key_free(key);
}

/* Does the change have this name? Then *ret_value is what follows the '='. */
static int change_is(const char *change, const char *name, const char **ret_value)
{
	size_t n = strlen(name);

	if (strncmp(change, name, n) != 0 || (change[n] != '=' && change[n] != '\0')) {
		return 0;
	}
	*ret_value = change[n] == '=' ? change + n + 1 : "";
	return 1;
}

/* The number field of the manifest that a change names, or NULL. */
static uint64_t *craft_number(struct craft *c, const char *change, const char **ret_value)
{
	struct variant_manifest *v = craft_manifest(c, ENVELOPE_VARIANT);

	if (change_is(change, "generation", ret_value)) {
		return &v->generation;
	}
	if (change_is(change, "base", ret_value)) {
		return &v->base;
	}
	if (change_is(change, "issued", ret_value)) {
		return &v->issued;
	}
	return change_is(change, "expires", ret_value) ? &v->expires : NULL;
}

static void craft_change(struct craft *c, const char *change)
{
	struct variant_manifest *v = craft_manifest(c, ENVELOPE_VARIANT);
	const char *value;
	uint64_t *number = craft_number(c, change, &value);

	if (number != NULL) {
		*number = strtoull(value, NULL, 0);
	} else if (change_is(change, "service", &value)) {
		memset(v->service, 0, sizeof(v->service));
		(void)snprintf(v->service, sizeof(v->service), "%s", value);
	} else if (change_is(change, "machine", &value)) {
		craft_machine(c, value);
	} else if (change_is(change, "payload", &value)) {
		craft_payload(c, value);
	} else if (change_is(change, "kit", &value)) {
		craft_read(c, value, 1);
	} else if (change_is(change, "bind", &value)) {
		kit_manifest_release_id(craft_manifest(c, ENVELOPE_KIT), v->release_id);
	} else if (change_is(change, "sign", &value)) {
		craft_sign(c, value);
	} else if (change_is(change, "flip", &value)) {
		c->flip = strtoull(value, NULL, 0);
	} else {
		die(change, "no such change");
	}
}

static void craft_write(struct craft *c, const char *path)
{
	const void *parts[_ENVELOPE_PART_N];
	size_t sizes[_ENVELOPE_PART_N];
	FILE *f = fopen(path, "wb");

	for (unsigned int i = 0; i < _ENVELOPE_PART_N; i++) {
		parts[i] = c->part[i].bytes;
		sizes[i] = c->part[i].len;
	}
	c->out.len = envelope_write(parts, sizes, c->out.bytes, sizeof(c->out.bytes));
	if (c->flip < c->out.len) {
		c->out.bytes[c->flip] ^= 1;
	}
	if (f == NULL || fwrite(c->out.bytes, 1, c->out.len, f) != c->out.len || fclose(f) != 0) {
		die(path, strerror(errno));
	}
}

int main(int argc, char **argv)
{
	static struct craft c = {.flip = SIZE_MAX};

	if (argc < 3) {
		die("usage", "envelope_craft IN OUT [CHANGE...]");
	}
	craft_read(&c, argv[1], 0);
	for (int i = 3; i < argc; i++) {
		craft_change(&c, argv[i]);
	}
	craft_write(&c, argv[2]);
	return 0;
}
