/*
 * luforge verify: was this layout made of that kit and seed? Whoever is given the seed, or has the
 * audit key that it is sealed to, can say so years later, on any host, without trust in who made it:
 * kit and seed are linked again, and what comes out is compared with what was signed, by length and
 * hash, and byte by byte where the payload is at hand. What differs is named part by part.
 *
 * Of a layout that a machine made there is no payload outside, and no signature: the commitment that
 * the machine told is all there is to compare. It names release, recipe and seed, and these determine
 * every byte and address; --map shows where each piece lay.
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
#include "forge/cmd/seed.h"
#include "forge/cmd/variant.h"
#include "host/text/hex.h"
#include "proto/envelope/envelope.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/seed.h"

#define VERIFY_DIFFERS 6 /* exit code: it was not made of this kit and seed */

/* The command line; NULL: not given. */
struct verify_args {
	const char *kit, *envelope, *commitment, *seed, *sealed, *audit_key, *payload, *map, *root;
};

/* What is known of the layout that is to be made again. */
struct verify_made {
	struct buf envelope;
	struct envelope_view view;
	const struct variant_manifest *variant; /* in the envelope; NULL: the machine made it */
	uint8_t commitment[64], seed[LINK_SEED_SIZE];
};

static void verify_made_fini(struct verify_made *made)
{
	explicit_bzero(made->seed, sizeof(made->seed));
	buf_fini(&made->envelope);
}

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

static int verify_read_envelope(const char *path, struct buf *bytes, struct envelope_view *ret_view)
{
	int r = seed_read_bytes(bytes, path);

	if (r < 0) {
		return r;
	}
	if (envelope_open(bytes->bytes, bytes->len, ret_view) != ENVELOPE_OK ||
	        ret_view->variant == NULL) {
		return report_refuse(path, "not the envelope of a variant");
	}
	return 0;
}

/* What the variant says of itself: then nothing needs to be made. 0, or VERIFY_DIFFERS. */
static int verify_variant(const struct kit *kit, const struct variant_manifest *variant)
{
	if (memcmp(variant->release_id, kit->release_id, sizeof(variant->release_id)) != 0) {
		printf("not identical: the variant is of another release than the kit\n");
		return VERIFY_DIFFERS;
	}
	if (variant->recipe != LINK_RECIPE) {
		printf("not identical: the variant is of recipe %" PRIu32 ", and this is %u\n",
		        variant->recipe, LINK_RECIPE);
		return VERIFY_DIFFERS;
	}
	return 0;
}

/* Is it a commitment to this seed, for this kit and recipe? 0, or VERIFY_DIFFERS. */
static int verify_commitment(const struct kit *kit, const struct verify_made *made)
{
	uint8_t commitment[64];

	envelope_seed_commit(kit->release_id, LINK_RECIPE, made->seed, commitment);
	if (memcmp(made->commitment, commitment, sizeof(commitment)) == 0) {
		return 0;
	}
	puts(made->variant ? "not identical: the variant commits to another seed"
	                   : "not identical: the commitment is to another seed, or of another "
	                     "release or recipe than the kit");
	return VERIFY_DIFFERS;
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

/* 0, or FORGE_USAGE. */
static int verify_check_args(const struct verify_args *a)
{
	if (!a->kit || !a->envelope == !a->commitment || !a->seed == !a->sealed ||
	        !a->sealed != !a->audit_key) {
		return args_wrong("verify needs --kit; --envelope or --commitment; and --seed, or "
		                  "--sealed and --audit-key");
	}
	return a->payload && !a->envelope
	               ? args_wrong("--payload needs --envelope: the machine's own is nowhere else")
	               : 0;
}

/* What was typed, before any file is read. 0, or FORGE_USAGE. */
static int verify_read_typed(const struct verify_args *a, struct verify_made *made)
{
	if (a->commitment && !hex_read(a->commitment, made->commitment, 64)) {
		return args_wrong("--commitment: not 128 hexadecimal digits");
	}
	return a->seed ? variant_parse_seed(a->seed, made->seed) : 0;
}

/* Fill in what the files say, and look whether it fits the kit. */
static int verify_read_made(
        const struct verify_args *a, const struct kit *kit, struct verify_made *made)
{
	int r = a->envelope ? verify_read_envelope(a->envelope, &made->envelope, &made->view) : 0;

	if (r == 0 && a->envelope) {
		made->variant = made->view.variant;
		memcpy(made->commitment, made->variant->seed_commit, 64);
		r = verify_variant(kit, made->variant);
	}
	if (r == 0 && a->sealed) {
		r = seed_open(a->audit_key, a->sealed, made->commitment, made->seed);
	}
	return r == 0 ? verify_commitment(kit, made) : r;
}

int cmd_verify(int argc, char **argv)
{
	struct verify_args a = {0};
	BUF_CLEANUP struct buf root = {0};
	BUF_CLEANUP struct buf payload = {0};
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	MEM_CLEANUP(verify_made_fini) struct verify_made made = {0};
	const struct kit_signed_by by = {.root = &root};
	const struct args_option options[] = {
	        {"kit", "directory", &a.kit, NULL},
	        {"envelope", "file", &a.envelope, NULL},
	        {"commitment", "128 hexadecimal digits", &a.commitment, NULL},
	        {"seed", "64 hexadecimal digits", &a.seed, NULL},
	        {"sealed", "file", &a.sealed, NULL},
	        {"audit-key", "keyring (directory with audit.pem)", &a.audit_key, NULL},
	        {"payload", "file", &a.payload, NULL},
	        {"map", "file", &a.map, NULL},
	        {"root", "file (root.signed)", &a.root, NULL},
	        {0},
	};
	int n_operands, r = args_parse(argc, argv, options, &n_operands);

	if (r == 0) {
		r = n_operands > 0 ? args_wrong("verify takes options only")
		                   : verify_check_args(&a);
	}
	if (r == 0) {
		r = verify_read_typed(&a, &made);
	}
	if (r == 0 && a.root) {
		r = kit_read_root(&root, a.root);
	}
	if (r == 0) {
		r = kit_read(&kit, a.kit, a.root ? &by : NULL);
	}
	if (r == 0) {
		r = verify_read_made(&a, &kit, &made);
	}
	if (r == 0) {
		r = variant_make(&kit, made.seed, 0, a.map, &payload);
	}
	if (r == 0 && made.variant) {
		return verify_payload(&payload, made.variant, a.payload);
	}
	if (r == 0) {
		printf("identical: the commitment is to this kit and seed\n");
	}
	return r;
}
