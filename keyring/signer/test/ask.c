#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "keyring/keyring.h"
#include "keyring/signer/test/ask.h"
#include "keyring/signer/test/layout.h"
#include "keyring/test/ring.h"
#include "proto/image/link.h"

struct order_manifest *ask_order_of(struct signer_request *r)
{
	return (void *)r->order.manifest;
}

struct order_component *ask_component_of(struct signer_request *request)
{
	return (void *)((struct order_manifest *)request->order.manifest + 1);
}

struct statement_manifest *ask_statement_of(struct signer_request *r)
{
	return (void *)r->statement.manifest;
}

/* The test's kit, signed; its length. */
static uint32_t ask_kit(uint8_t ret_kit[SIGNER_KIT_MAX], uint8_t ret_release_id[64])
{
	struct kit_manifest kit;
	struct keyring_key *release = NULL;
	size_t len;

	test_kit(&kit);
	layout_of_kit(&kit);
	assert(keyring_key_open(test_ring, KEYRING_RELEASE, &release) == 0);
	assert(keyring_sign(release, ENVELOPE_KIT, &kit, sizeof(kit), ret_kit, SIGNER_KIT_MAX,
	               &len) == 0);
	keyring_key_free(release);
	kit_manifest_release_id(&kit, ret_release_id);
	return (uint32_t)len;
}

void ask_variant(struct signer_request *request)
{
	uint8_t release_id[64];

	memset(request, 0, sizeof(*request));
	memcpy(request->magic, SIGNER_MAGIC, 8);
	request->op = SIGNER_SIGN_VARIANT;
	request->id = 42;
	request->variant.kit_len = ask_kit(request->variant.kit, release_id);
	request->variant.lifetime_sec = 3600;
	request->variant.manifest = (struct variant_manifest){
	        .magic = VARIANT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(struct variant_manifest),
	        .service = "ds",
	};
	memcpy(request->variant.manifest.release_id, release_id, sizeof(release_id));
	layout_of_variant(&request->variant);
}

void ask_order(struct signer_request *request)
{
	struct order_manifest *order = (void *)request->order.manifest;
	struct order_component *component = ask_component_of(request);

	memset(request, 0, sizeof(*request));
	memcpy(request->magic, SIGNER_MAGIC, 8);
	request->op = SIGNER_SIGN_ORDER;
	request->order.lifetime_sec = 600;
	request->order.len = (uint32_t)order_manifest_size(1);
	*order = (struct order_manifest){
	        .magic = ORDER_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = request->order.len,
	        .boot_id = 7,
	        .epoch = 1,
	        .transaction = 3,
	        .action = ORDER_UPDATE,
	        .n_components = 1,
	};
	memcpy(component->service, "ds", 3);
	memset(component->release_id, 1, sizeof(component->release_id));
	memset(component->variant_hash, 2, sizeof(component->variant_hash));
	component->generation = 2;
}

void ask_made(struct signer_request *request)
{
	struct order_component *component = ask_component_of(request);

	ask_order(request);
	memset(component->variant_hash, 0, sizeof(component->variant_hash));
	component->recipe = LINK_RECIPE;
	request->order.kit_len = ask_kit(request->order.kit, component->release_id);
}

void ask_statement(struct signer_request *request)
{
	struct statement_manifest *statement = (void *)request->statement.manifest;
	struct statement_service *service = (void *)(statement + 1);

	memset(request, 0, sizeof(*request));
	memcpy(request->magic, SIGNER_MAGIC, 8);
	request->op = SIGNER_SIGN_STATEMENT;
	request->statement.len = (uint32_t)statement_manifest_size(1);
	*statement = (struct statement_manifest){
	        .magic = STATEMENT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = request->statement.len,
	        .root_serial = 1,
	        .n_services = 1,
	};
	memcpy(service->service, "ds", 3);
	service->floor = 2;
	service->epoch = 1;
	service->generation = 9;
}

enum envelope_reason ask_verify(const struct signer *s, enum envelope_kind kind,
        const struct signer_request *request, const struct signer_reply *reply, uint64_t time)
{
	static _Alignas(8) uint8_t bytes[ENVELOPE_SIZE_MAX];
	const void *parts[3] = {s->root_bytes, request->variant.kit, reply->part.bytes};
	size_t sizes[3] = {s->root.size, request->variant.kit_len, reply->part.len};
	struct trust trust = {.boot_id = 7, .time = time, .latest_time = time + 600};
	struct envelope_view view;
	size_t len;

	if (kind != ENVELOPE_OF_VARIANT) {
		parts[1] = parts[2];
		sizes[1] = sizes[2];
	}
	len = envelope_write(kind, parts, sizes, bytes, sizeof(bytes));
	assert(len > 0 && envelope_open(bytes, len, &view) == ENVELOPE_OK);
	memcpy(trust.root_pub, view.root->root_pub, 32);
	return envelope_verify(&view, &trust);
}
