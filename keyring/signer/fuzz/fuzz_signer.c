/*
 * Requests to the signer: good ones with patches {offset, offset, value}. The seam
 * of proto/envelope/fuzz lets damaged kits through the signature check, so that
 * everything behind it is reached. What is signed must obey the rules.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keyring/keyring.h"
#include "keyring/signer/signer.h"
#include "keyring/signer/test/layout.h"

#define NOW UINT64_C(1800000000)
#define FLAT_ROOM 65536u

static struct signer signer;
static struct signer_request good[4]; /* a variant, an order, a statement, a standing order */
static struct kit_manifest kit;

static void require(int condition)
{
	if (!condition) {
		abort();
	}
}

static void good_make(const struct keyring_key *release)
{
	size_t len;

	kit = (struct kit_manifest){.magic = KIT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(kit),
	        .service = "ds",
	        .counter = 1,
	        .quiescent = "work-free",
	        .state_len = 8,
	        .stack_size = 4096};
	layout_of_kit(&kit);
	good[0] = (struct signer_request){.magic = SIGNER_MAGIC, .op = SIGNER_SIGN_VARIANT};
	good[0].variant.lifetime_sec = 60;
	good[0].variant.manifest = (struct variant_manifest){.magic = VARIANT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(struct variant_manifest),
	        .service = "ds"};
	kit_manifest_release_id(&kit, good[0].variant.manifest.release_id);
	layout_of_variant(&good[0].variant);
	require(keyring_sign(release, ENVELOPE_KIT, &kit, sizeof(kit), good[0].variant.kit,
	                sizeof(good[0].variant.kit), &len) == 0);
	good[0].variant.kit_len = (uint32_t)len;
	/* An even first byte is a good signature here. */
	good[0].variant.kit[sizeof(struct envelope_part_header) + sizeof(kit) + 16] = 0;
}

static void good_order(struct signer_request *request)
{
	struct order_manifest *order = (void *)request->order.manifest;
	struct order_component *component = (void *)(order + 1);

	*request = (struct signer_request){.magic = SIGNER_MAGIC, .op = SIGNER_SIGN_ORDER};
	request->order.lifetime_sec = 60;
	request->order.len = (uint32_t)order_manifest_size(2);
	*order = (struct order_manifest){.magic = ORDER_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = request->order.len,
	        .epoch = 1,
	        .transaction = 1,
	        .action = ORDER_UPDATE,
	        .n_components = 2};
	for (unsigned int i = 0; i < 2; i++) {
		(void)snprintf(component[i].service, SERVICE_NAME_SIZE, "s%u", i);
		memset(component[i].release_id, 1, sizeof(component[i].release_id));
		memset(component[i].variant_hash, 2, sizeof(component[i].variant_hash));
		component[i].generation = 1;
	}
}

static void good_statement(struct signer_request *request)
{
	struct statement_manifest *statement = (void *)request->statement.manifest;
	struct statement_service *service = (void *)(statement + 1);

	*request = (struct signer_request){.magic = SIGNER_MAGIC, .op = SIGNER_SIGN_STATEMENT};
	request->statement.len = (uint32_t)statement_manifest_size(2);
	*statement = (struct statement_manifest){.magic = STATEMENT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = request->statement.len,
	        .root_serial = 1,
	        .n_services = 2};
	for (unsigned int i = 0; i < 2; i++) {
		(void)snprintf(service[i].service, SERVICE_NAME_SIZE, "s%u", i);
		service[i].epoch = 1;
		service[i].generation = 1;
	}
}

static void good_standing(struct signer_request *request)
{
	struct standing_manifest *standing = (void *)request->standing.manifest;
	struct standing_service *service = (void *)(standing + 1);

	*request = (struct signer_request){.magic = SIGNER_MAGIC, .op = SIGNER_SIGN_STANDING};
	request->standing.lifetime_sec = 60;
	request->standing.len = (uint32_t)standing_manifest_size(2);
	*standing = (struct standing_manifest){.magic = STANDING_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = request->standing.len,
	        .epoch = 1,
	        .number = 1,
	        .every_ms = 1000,
	        .n_services = 2};
	for (unsigned int i = 0; i < 2; i++) {
		(void)snprintf(service[i].service, SERVICE_NAME_SIZE, "s%u", i);
		memset(service[i].release_id, 1, sizeof(service[i].release_id));
	}
}

/* Keys live in memory afterwards; the directory is removed. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const names[] = {"root.pem", "release.pem", "variant.pem", "order.pem",
	        "control.pem", "audit.pem", "root.signed", "signer.rules"};
	char dir[] = "/tmp/fuzz_signer.XXXXXX";
	struct keyring_key *release = NULL;
	const char *what;
	char path[64];

	require(mkdtemp(dir) != NULL && rmdir(dir) == 0);
	require(keyring_create(dir, NOW, 1000) == 0 &&
	        signer_init(&signer, dir, SIGNER_FIRST, &what) == 0);
	require(keyring_key_open(dir, KEYRING_RELEASE, &release) == 0);
	good_make(release);
	good_order(&good[1]);
	good_statement(&good[2]);
	good_standing(&good[3]);
	keyring_key_free(release);
	for (unsigned int i = 0; i < 8; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		require(unlink(path) == 0);
	}
	require(rmdir(dir) == 0);
	return 0;
}

/* What was signed obeys its rules, the root's limits and the clock. */
static void check_signed(const struct signer_reply *reply)
{
	struct envelope_part part;
	const struct variant_manifest *v;
	const struct order_manifest *o;
	const struct statement_manifest *s;
	const struct standing_manifest *t;

	require(envelope_part_open(reply->part.bytes, reply->part.len, &part) == ENVELOPE_OK);
	v = (const void *)part.manifest;
	o = (const void *)part.manifest;
	s = (const void *)part.manifest;
	t = (const void *)part.manifest;
	switch ((enum signer_op)reply->op) {
	case SIGNER_SIGN_VARIANT:
		require(part.kind == ENVELOPE_VARIANT && v->issued == NOW);
		require(v->expires - v->issued <= KEYRING_VARIANT_LIFE_SEC);
		break;
	case SIGNER_SIGN_ORDER:
		require(part.kind == ENVELOPE_ORDER && o->issued == NOW && o->epoch == 1);
		require(o->expires - o->issued <= KEYRING_ORDER_LIFE_SEC);
		require(o->transaction <= signer.rules.transaction_max);
		break;
	case SIGNER_SIGN_STATEMENT:
		require(part.kind == ENVELOPE_STATEMENT && s->issued == NOW);
		require(s->root_serial == 1);
		break;
	case SIGNER_SIGN_STANDING:
		require(part.kind == ENVELOPE_STANDING && t->issued == NOW && t->epoch == 1);
		require(t->expires - t->issued <= STANDING_LIFE_SEC_MAX);
		break;
	case SIGNER_INFO:
	case SIGNER_SEAL:
	case _SIGNER_OP_N:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct signer_request request;
	static struct signer_reply reply;
	char note[SIGNER_NOTE_SIZE];
	uint32_t flat_len, n_flat;
	uint8_t *flat;

	if (size < 1) {
		return 0;
	}
	request = good[data[0] % 4];
	for (data++, size--; size >= 3; data += 3, size -= 3) {
		((uint8_t *)&request)[(data[0] | data[1] << 8) % sizeof(request)] = data[2];
	}
	/* As many bytes as the request says, the kit's first: more is not read. */
	flat_len = signer_flat_len(&request);
	if (flat_len > FLAT_ROOM && flat_len <= KIT_FLAT_LEN_MAX) {
		return 0;
	}
	flat = calloc(1, flat_len > FLAT_ROOM ? 1 : flat_len + 1);
	require(flat != NULL);
	n_flat = good[0].variant.flat_len < flat_len ? good[0].variant.flat_len : flat_len;
	signer.flat = memcpy(flat, layout_flat(), flat_len > FLAT_ROOM ? 0 : n_flat);
	if (signer_handle(&signer, &request, NOW, &reply, note) == 0 && reply.op != SIGNER_INFO &&
	        reply.op != SIGNER_SEAL && reply.status == SIGNER_OK) {
		check_signed(&reply);
	}
	free(flat);
	return 0;
}
