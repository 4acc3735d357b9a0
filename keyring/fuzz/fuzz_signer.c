/*
 * Requests to the signer: good ones with patches {offset, offset, value}. The seam
 * of proto/envelope/fuzz lets damaged kits through the signature check, so that
 * everything behind it is reached. What is signed must obey the rules.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keyring/priv.h"
#include "keyring/signer.h"

#define NOW UINT64_C(1800000000)

static struct signer signer;
static struct signer_request good;
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
	        .stack_size = 4096};
	good = (struct signer_request){.magic = SIGNER_MAGIC, .op = SIGNER_SIGN};
	good.sign.lifetime_sec = 60;
	good.sign.manifest = (struct variant_manifest){.magic = VARIANT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(struct variant_manifest),
	        .service = "ds",
	        .generation = 1,
	        .payload_len = 1};
	kit_manifest_release_id(&kit, good.sign.manifest.release_id);
	require(keyring_sign(release, ENVELOPE_KIT, &kit, sizeof(kit), good.sign.kit,
	                sizeof(good.sign.kit), &len) == 0);
	good.sign.kit_len = (uint32_t)len;
	/* An even first byte is a good signature here. */
	good.sign.kit[sizeof(struct envelope_part_header) + sizeof(kit) + 16] = 0;
}

/* Keys live in memory afterwards; the directory is removed. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const names[] = {
	        "root.pem", "release.pem", "variant.pem", "seal.key", "root.signed"};
	char dir[] = "/tmp/fuzz_signer.XXXXXX";
	struct keyring_key *release = NULL;
	const char *what;
	char path[64];

	require(mkdtemp(dir) != NULL && rmdir(dir) == 0);
	require(keyring_create(dir, NOW, 1000) == 0 && signer_init(&signer, dir, &what) == 0);
	require(keyring_key_open(dir, KEYRING_RELEASE, &release) == 0);
	good_make(release);
	keyring_key_free(release);
	for (unsigned int i = 0; i < 5; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		require(unlink(path) == 0);
	}
	require(rmdir(dir) == 0);
	return 0;
}

static void check_signed(const struct signer_reply *reply)
{
	const struct variant_manifest *v =
	        (const void *)(reply->part.bytes + sizeof(struct envelope_part_header));

	require(variant_manifest_check(v) == ENVELOPE_OK);
	require(v->issued == NOW && v->expires - v->issued <= SIGNER_LIFETIME_MAX_SEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct signer_request request = good;
	struct signer_reply reply;

	for (; size >= 3; data += 3, size -= 3) {
		((uint8_t *)&request)[(data[0] | data[1] << 8) % sizeof(request)] = data[2];
	}
	if (signer_handle(&signer, &request, NOW, &reply) == 0 && reply.op == SIGNER_SIGN &&
	        reply.status == SIGNER_OK) {
		check_signed(&reply);
	}
	return 0;
}
