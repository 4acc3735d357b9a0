/*
 * luforge verify: was this variant made of that kit and seed? Whoever is given the seed can say so
 * years later, on any host, without trust in who made it: kit and seed are linked again, and what
 * comes out is compared with what was signed, by length and hash, and byte by byte where the payload
 * is at hand. What differs is named part by part.
 *
 * The envelope is read for what it says of the variant. Whose signatures it bears is not judged here,
 * but for the kit's, with --root; a machine judges them all.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "forge/base/report.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"
#include "forge/cmd/variant.h"
#include "host/text/hex.h"
#include "proto/envelope/envelope.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/seed.h"

#define VERIFY_DIFFERS 6 /* exit code: it was not made of this kit and seed */

/* What is compared, from byte `from` of the payload to before `to`. */
struct verify_part {
	char name[32];
	uint64_t from, to;
};

/* Of what was made here: in what may differ nothing is to be relied on. */
static size_t verify_parts(const struct image_view *view, struct verify_part *ret_parts)
{
	const struct image_header *h = view->header;
	const uint64_t symbols = h->symbols_off + h->n_symbols * sizeof(uint64_t);
	size_t n = 0;

	ret_parts[n++] = (struct verify_part){"header", 0, sizeof(*h)};
	ret_parts[n++] = (struct verify_part){"segment table", sizeof(*h), h->symbols_off};
	ret_parts[n++] = (struct verify_part){"symbol vector", h->symbols_off, symbols};
	for (uint32_t i = 0; i < h->n_segments; i++) {
		const struct image_segment *s = &view->segments[i];

		snprintf(ret_parts[n].name, sizeof(ret_parts[n].name), "segment %" PRIu32, i);
		ret_parts[n].from = s->file_off;
		ret_parts[n++].to = s->file_off + s->file_size;
	}
	return n;
}

/* One line for a part with differences: where in the part the first is, and how many there are. */
static uint64_t verify_show_part(
        const struct verify_part *part, const struct buf *own, const struct buf *other)
{
	uint64_t n = 0, first = 0;

	for (uint64_t at = part->from; at < part->to && at < own->len && at < other->len; at++) {
		if (own->bytes[at] != other->bytes[at]) {
			first = n++ == 0 ? at : first;
		}
	}
	if (n > 0) {
		printf("%s: %" PRIu64 " bytes differ, the first at offset %" PRIu64 " (%" PRIu64
		       " of the payload)\n",
		        part->name, n, first - part->from, first);
	}
	return n;
}

/* Both have other bytes: whatever stands between the parts is named last. */
static void verify_show(const struct buf *own, const struct buf *other)
{
	struct verify_part parts[3 + _LINK_SEGMENT_N], all = {"payload", 0, own->len};
	struct image_view view;
	uint64_t n = 0;
	size_t n_parts;

	if (own->len != other->len) {
		printf("length: %zu bytes, and not %zu\n", other->len, own->len);
	}
	if (image_check(own->bytes, own->len, &view) != IMAGE_OK) {
		return;
	}
	n_parts = verify_parts(&view, parts);
	for (size_t i = 0; i < n_parts; i++) {
		n += verify_show_part(&parts[i], own, other);
	}
	if (n == 0) {
		(void)verify_show_part(&all, own, other);
	}
}

/* The envelope of a variant: bytes, or hexadecimal digits as `luctl show --json` has them. */
static int verify_read_envelope(const char *path, struct buf *bytes, struct envelope_view *ret_view)
{
	int r = buf_read_file(bytes, path);
	size_t len;

	if (r < 0) {
		return r;
	}
	buf_add_zero(bytes, 1);
	len = strspn((const char *)bytes->bytes, "0123456789abcdefABCDEF");
	bytes->bytes[len] = bytes->bytes[len] == '\n' ? '\0' : bytes->bytes[len];
	bytes->len--;
	if (len > 0 && bytes->bytes[len] == '\0' &&
	        hex_read((const char *)bytes->bytes, bytes->bytes, len / 2)) {
		bytes->len = len / 2;
	}
	if (envelope_open(bytes->bytes, bytes->len, ret_view) != ENVELOPE_OK ||
	        ret_view->variant == NULL) {
		return report_refuse(path, "not the envelope of a variant");
	}
	return 0;
}

/* Of another release, or another seed: then nothing needs to be made. 0, or VERIFY_DIFFERS. */
static int verify_inputs(const struct kit *kit, const struct variant_manifest *variant,
        const uint8_t seed[LINK_SEED_SIZE])
{
	uint8_t commitment[64];

	if (memcmp(variant->release_id, kit->release_id, sizeof(variant->release_id)) != 0) {
		printf("not identical: the variant is of another release than the kit\n");
		return VERIFY_DIFFERS;
	}
	if (variant->recipe != LINK_RECIPE) {
		printf("not identical: the variant is of recipe %" PRIu32 ", and this is %u\n",
		        variant->recipe, LINK_RECIPE);
		return VERIFY_DIFFERS;
	}
	envelope_seed_commit(kit->release_id, LINK_RECIPE, seed, commitment);
	if (memcmp(variant->seed_commit, commitment, sizeof(commitment)) != 0) {
		printf("not identical: the variant commits to another seed\n");
		return VERIFY_DIFFERS;
	}
	return 0;
}

/* What was signed, against what was made here; payload_path NULL: only the hash is known. */
static int verify_payload(
        const struct buf *own, const struct variant_manifest *variant, const char *payload_path)
{
	BUF_CLEANUP struct buf other = {0};
	uint8_t hash[64];
	bool same;
	int r = payload_path ? buf_read_file(&other, payload_path) : 0;

	if (r < 0) {
		return r;
	}
	envelope_hash(own->bytes, own->len, hash);
	same = own->len == variant->payload_len &&
	       memcmp(hash, variant->payload_hash, sizeof(hash)) == 0;
	printf("%s\n",
	        same ? "identical: the variant was made of this kit and seed"
	             : "not identical: kit and seed give another payload than the one signed");
	if (payload_path &&
	        (other.len != own->len || memcmp(other.bytes, own->bytes, own->len) != 0)) {
		printf("%s is not what kit and seed give:\n", payload_path);
		verify_show(own, &other);
		same = false;
	}
	return same ? 0 : VERIFY_DIFFERS;
}

int cmd_verify(int argc, char **argv)
{
	const char *kit_path = NULL, *envelope_path = NULL, *seed_hex = NULL;
	const char *payload_path = NULL, *root_path = NULL;
	BUF_CLEANUP struct buf root = {0};
	BUF_CLEANUP struct buf envelope = {0};
	BUF_CLEANUP struct buf payload = {0};
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	const struct kit_signed_by by = {.root = &root};
	const struct args_option options[] = {
	        {"kit", "directory", &kit_path, NULL},
	        {"envelope", "file", &envelope_path, NULL},
	        {"seed", "64 hexadecimal digits", &seed_hex, NULL},
	        {"payload", "file", &payload_path, NULL},
	        {"root", "file (root.signed)", &root_path, NULL},
	        {0},
	};
	uint8_t seed[LINK_SEED_SIZE];
	struct envelope_view view;
	int n_operands, r = args_parse(argc, argv, options, &n_operands);

	if (r != 0) {
		return r;
	}
	if (!kit_path || !envelope_path || !seed_hex || n_operands > 0) {
		return args_wrong("verify needs --kit, --envelope and --seed");
	}
	r = variant_parse_seed(seed_hex, seed);
	if (r == 0 && root_path) {
		r = kit_read_root(&root, root_path);
	}
	if (r == 0) {
		r = kit_read(&kit, kit_path, root_path ? &by : NULL);
	}
	if (r == 0) {
		r = verify_read_envelope(envelope_path, &envelope, &view);
	}
	if (r == 0) {
		r = verify_inputs(&kit, view.variant, seed);
	}
	if (r == 0) {
		r = variant_make(&kit, seed, 0, NULL, &payload);
	}
	return r == 0 ? verify_payload(&payload, view.variant, payload_path) : r;
}
