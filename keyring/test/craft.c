/*
 * For tests: makes another envelope out of a good one, as an attacker or a mistake would.
 *
 *	envelope_craft IN OUT [CHANGE...]
 *
 * Changes, in the order given, of the last part's manifest (variant, order, statement or time):
 *	issued=N expires=N (unix s)   machine=HEX
 *	service=NAME   payload=FILE   of a variant: hash and length of another payload
 *	boot=N epoch=N txn=N action=N argument=N generation=N consent=HEX   of an order
 *	bare           an order without components
 *	fresh          an order whose components name services only
 *	time=N nonce=N boot=N   of a time statement
 *	floor=N        of every service of a statement
 *	service=NAME   of the first service of a statement
 * and of the envelope:
 *	kit=FILE       another signed kit (a stored part, or an envelope's)
 *	root=FILE      another signed root
 *	bind           release id of the kit as it is now
 *	sign=DIR       sign the last part with that keyring's key of its role
 *	sign=DIR:ROLE  with another key of it, whatever the role may
 *	also=DIR:ROLE  add a signature
 *	flip=OFFSET    one bit of a byte of the result (last)
 * Without sign= a changed part keeps the signatures it had.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "keyring/priv.h"
#include "proto/envelope/envelope_crypto.h"

struct craft {
	enum envelope_kind kind;
	unsigned int n_parts;
	struct {
		size_t len;
		_Alignas(8) uint8_t bytes[ENVELOPE_SIZE_MAX];
	} part[ENVELOPE_PARTS_MAX], out;
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

static void craft_take(struct craft *c, unsigned int at, const struct envelope_part *part)
{
	c->part[at].len = part->size;
	memcpy(c->part[at].bytes, part->manifest - sizeof(struct envelope_part_header), part->size);
}

static void craft_read(struct craft *c, const char *path)
{
	struct envelope_view view;
	size_t len;
	uint8_t *bytes = file_read(path, &len);

	if (envelope_open(bytes, len, &view) != ENVELOPE_OK) {
		die(path, "no envelope");
	}
	c->kind = view.kind;
	c->n_parts = view.n_parts;
	for (unsigned int i = 0; i < view.n_parts; i++) {
		craft_take(c, i, &view.part[i]);
	}
	free(bytes);
}

/* Another part from a file that is one, or an envelope that has one. */
static void craft_part(struct craft *c, unsigned int at, const char *path)
{
	struct envelope_view view;
	struct envelope_part part;
	size_t len;
	uint8_t *bytes = file_read(path, &len);

	if (envelope_open(bytes, len, &view) == ENVELOPE_OK) {
		craft_take(c, at, &view.part[at]);
	} else if (envelope_part_open(bytes, len, &part) == ENVELOPE_OK) {
		craft_take(c, at, &part);
	} else {
		die(path, "neither an envelope nor a signed part");
	}
	free(bytes);
}

static void *craft_manifest(struct craft *c)
{
	return c->part[c->n_parts - 1].bytes + sizeof(struct envelope_part_header);
}

static void hex_read(const char *hex, uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned int byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
			die(hex, "too few hex digits");
		}
		to[i] = (uint8_t)byte;
	}
}

/* What a keyring's key would say, whatever it may sign. */
static void craft_signature(const char *where, enum keyring_role role, const void *bytes,
        size_t len, struct envelope_signature *ret)
{
	_cleanup_(keyring_key_freep) struct keyring_key *key = NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char dir[512];
	const char *colon = strchr(where, ':');
	size_t n = sizeof(ret->sig);

	(void)snprintf(
	        dir, sizeof(dir), "%.*s", (int)(colon ? colon - where : (int)strlen(where)), where);
	role = colon ? keyring_role_find(colon + 1) : role;
	if (role == _KEYRING_N || keyring_key_open(dir, role, &key) != 0) {
		die(where, "no such key");
	}
	if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) != 1 ||
	        EVP_DigestSign(ctx, ret->sig, &n, bytes, len) != 1) {
		die(where, "signing failed");
	}
	memcpy(ret->key_id, key->id, sizeof(key->id));
	EVP_MD_CTX_free(ctx);
}

static const enum keyring_role craft_roles[_ENVELOPE_KIND_N] = {
        [ENVELOPE_OF_VARIANT] = KEYRING_VARIANT,
        [ENVELOPE_OF_ORDER] = KEYRING_ORDER,
        [ENVELOPE_OF_STATEMENT] = KEYRING_ORDER,
        [ENVELOPE_OF_TIME] = KEYRING_RELEASE,
        [ENVELOPE_OF_KIT] = KEYRING_RELEASE,
        [ENVELOPE_OF_STANDING] = KEYRING_ORDER,
};

/* Sign the last part anew, or add to what signed it. */
static void craft_sign(struct craft *c, const char *where, int also)
{
	uint8_t *bytes = c->part[c->n_parts - 1].bytes;
	struct envelope_part_header *head = (void *)bytes;
	struct envelope_signature *sigs = (void *)(bytes + sizeof(*head) + head->manifest_len);
	uint32_t at = also ? head->n_signatures : 0;

	craft_signature(
	        where, craft_roles[c->kind], bytes + sizeof(*head), head->manifest_len, &sigs[at]);
	head->n_signatures = at + 1;
	c->part[c->n_parts - 1].len = sizeof(*head) + head->manifest_len + (at + 1) * sizeof(*sigs);
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

/* A field that is a number, by kind and name. */
static const struct field {
	enum envelope_kind kind;
	const char *name;
	size_t offset;
	size_t size;
} fields[] = {
#define FIELD(kind, name, type, member)                                                            \
	{kind, name, offsetof(struct type, member), sizeof(((struct type *)0)->member)}
        FIELD(ENVELOPE_OF_VARIANT, "issued", variant_manifest, issued),
        FIELD(ENVELOPE_OF_VARIANT, "expires", variant_manifest, expires),
        FIELD(ENVELOPE_OF_ORDER, "issued", order_manifest, issued),
        FIELD(ENVELOPE_OF_ORDER, "expires", order_manifest, expires),
        FIELD(ENVELOPE_OF_ORDER, "boot", order_manifest, boot_id),
        FIELD(ENVELOPE_OF_ORDER, "epoch", order_manifest, epoch),
        FIELD(ENVELOPE_OF_ORDER, "txn", order_manifest, transaction),
        FIELD(ENVELOPE_OF_ORDER, "action", order_manifest, action),
        FIELD(ENVELOPE_OF_ORDER, "argument", order_manifest, argument),
        FIELD(ENVELOPE_OF_STATEMENT, "issued", statement_manifest, issued),
        FIELD(ENVELOPE_OF_TIME, "boot", time_manifest, boot_id),
        FIELD(ENVELOPE_OF_TIME, "time", time_manifest, time),
        FIELD(ENVELOPE_OF_TIME, "nonce", time_manifest, nonce),
        FIELD(ENVELOPE_OF_STANDING, "issued", standing_manifest, issued),
        FIELD(ENVELOPE_OF_STANDING, "expires", standing_manifest, expires),
        FIELD(ENVELOPE_OF_STANDING, "boot", standing_manifest, boot_id),
        FIELD(ENVELOPE_OF_STANDING, "number", standing_manifest, number),
        FIELD(ENVELOPE_OF_STANDING, "every", standing_manifest, every_ms),
#undef FIELD
};

static int craft_number(struct craft *c, const char *change)
{
	const char *value;

	for (unsigned int i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint64_t number;

		if (fields[i].kind != c->kind || !change_is(change, fields[i].name, &value)) {
			continue;
		}
		number = strtoull(value, NULL, 0);
		memcpy((uint8_t *)craft_manifest(c) + fields[i].offset, &number, fields[i].size);
		return 1;
	}
	return 0;
}

static int craft_variant(struct craft *c, const char *change)
{
	struct variant_manifest *v = craft_manifest(c);
	const char *value;
	uint8_t *bytes;
	size_t len;

	if (change_is(change, "service", &value)) {
		memset(v->service, 0, sizeof(v->service));
		(void)snprintf(v->service, sizeof(v->service), "%s", value);
	} else if (change_is(change, "payload", &value)) {
		bytes = file_read(value, &len);
		v->payload_len = len;
		envelope_hash(bytes, len, v->payload_hash);
		free(bytes);
	} else if (change_is(change, "kit", &value)) {
		craft_part(c, ENVELOPE_KIT, value);
	} else if (change_is(change, "bind", &value)) {
		kit_manifest_release_id((const void *)(c->part[ENVELOPE_KIT].bytes +
		                                       sizeof(struct envelope_part_header)),
		        v->release_id);
	} else {
		return 0;
	}
	return 1;
}

/* Cut the manifest; the signatures move up. */
static void craft_bare(struct craft *c)
{
	uint8_t *bytes = c->part[c->n_parts - 1].bytes;
	struct envelope_part_header *head = (void *)bytes;
	struct order_manifest *o = craft_manifest(c);
	size_t sigs = head->n_signatures * sizeof(struct envelope_signature);

	memmove(bytes + sizeof(*head) + sizeof(*o), bytes + sizeof(*head) + head->manifest_len,
	        sigs);
	o->n_components = 0;
	o->total_ms = o->prepare_ms = o->transfer_ms = o->hold_ms = 0;
	o->size = head->manifest_len = sizeof(*o);
	c->part[c->n_parts - 1].len = sizeof(*head) + sizeof(*o) + sigs;
}

/* As for a fresh start: nothing is said but which service. */
static void craft_fresh(struct craft *c)
{
	struct order_manifest *o = craft_manifest(c);
	struct order_component *component = (void *)(o + 1);

	o->total_ms = o->prepare_ms = o->transfer_ms = o->hold_ms = 0;
	for (uint32_t i = 0; i < o->n_components; i++) {
		const size_t named = sizeof(component[i].service);

		memset((uint8_t *)&component[i] + named, 0, sizeof(component[i]) - named);
	}
}

static int craft_order(struct craft *c, const char *change)
{
	struct order_manifest *o = craft_manifest(c);
	struct order_component *component = (void *)(o + 1);
	const char *value;

	if (change_is(change, "bare", &value)) {
		craft_bare(c);
	} else if (change_is(change, "fresh", &value)) {
		craft_fresh(c);
	} else if (change_is(change, "generation", &value)) {
		component->generation = strtoull(value, NULL, 0);
	} else if (change_is(change, "consent", &value)) {
		hex_read(value, component->consent, sizeof(component->consent));
	} else {
		return 0;
	}
	return 1;
}

static int craft_statement(struct craft *c, const char *change)
{
	struct statement_manifest *s = craft_manifest(c);
	struct statement_service *service = (void *)(s + 1);
	const char *value;

	if (change_is(change, "service", &value)) {
		memset(service[0].service, 0, sizeof(service[0].service));
		memcpy(service[0].service, value, strnlen(value, sizeof(service[0].service) - 1));
		return 1;
	}
	if (!change_is(change, "floor", &value)) {
		return 0;
	}
	for (uint32_t i = 0; i < s->n_services; i++) {
		service[i].floor = (uint32_t)strtoul(value, NULL, 0);
	}
	return 1;
}

static void craft_change(struct craft *c, const char *change)
{
	const char *value;

	if (craft_number(c, change) ||
	        (c->kind == ENVELOPE_OF_VARIANT && craft_variant(c, change)) ||
	        (c->kind == ENVELOPE_OF_ORDER && craft_order(c, change)) ||
	        (c->kind == ENVELOPE_OF_STATEMENT && craft_statement(c, change))) {
		return;
	}
	if (change_is(change, "machine", &value)) {
		/* At the same place in every kind. */
		hex_read(value, (uint8_t *)craft_manifest(c) + 16, 16);
	} else if (change_is(change, "root", &value)) {
		craft_part(c, ENVELOPE_ROOT, value);
	} else if (change_is(change, "sign", &value)) {
		craft_sign(c, value, 0);
	} else if (change_is(change, "also", &value)) {
		craft_sign(c, value, 1);
	} else if (change_is(change, "flip", &value)) {
		c->flip = strtoull(value, NULL, 0);
	} else {
		die(change, "no such change");
	}
}

static void craft_write(struct craft *c, const char *path)
{
	const void *parts[ENVELOPE_PARTS_MAX];
	size_t sizes[ENVELOPE_PARTS_MAX];
	FILE *f = fopen(path, "wb");

	for (unsigned int i = 0; i < c->n_parts; i++) {
		parts[i] = c->part[i].bytes;
		sizes[i] = c->part[i].len;
	}
	c->out.len = envelope_write(c->kind, parts, sizes, c->out.bytes, sizeof(c->out.bytes));
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
	craft_read(&c, argv[1]);
	for (int i = 3; i < argc; i++) {
		craft_change(&c, argv[i]);
	}
	craft_write(&c, argv[2]);
	return 0;
}
