#pragma once
/*
 * Signed envelopes: what a machine must be shown before it runs a payload, or does
 * anything else that needs a signature.
 *
 * An envelope is a header with a kind, and the parts of that kind in a fixed order.
 * Each part is a fixed-layout manifest followed by Ed25519 signatures over exactly
 * the manifest's bytes:
 *
 *   root       signed by the root key: which keys may do what, and until when
 *   kit        signed by a release key: what a service's release is and may do
 *   variant    signed by variant keys: this layout, for this machine, for this time
 *   order      signed by an order key, and a control key where state may be lost
 *   statement  signed by an order key: what a reboot would forget
 *   time       signed by the root key or a release key: what time it is
 *   standing   signed by an order key: what moves into new layouts by itself, and how often
 *
 * The first part is always the root. A part stands alone too: a signed root or a
 * signed kit is a file. See envelope_write().
 *
 * Everything is little endian and naturally aligned. Nothing here allocates or
 * calls anything but the seam in envelope_crypto.h. Views point into the caller's
 * bytes, which must be 8-byte aligned, must outlive the view, and must not be
 * writable by anybody else, because they are read more than once.
 */
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope/manifest.h"
#include "proto/envelope/standing.h"

#define ENVELOPE_MAGIC "SAMENV1" /* with its NUL: 8 bytes, as all magics here */
#define ENVELOPE_PART_MAGIC "SAMPART"
#define ENVELOPE_VERSION 2u
#define ENVELOPE_SIGNATURES_MAX 4u
/* No valid envelope is longer. */
#define ENVELOPE_SIZE_MAX 16384u
#define ENVELOPE_PARTS_MAX 3u

/* One reason per way to be refused: proto/words/errors.def. */
enum envelope_reason {
	ENVELOPE_OK,
#define REASON(constant, word, name, value, class, by, sentence, remedy, signing)                  \
	ENVELOPE_##constant,
#include "proto/words/errors.def"
	_ENVELOPE_N
};

enum envelope_part_kind {
	ENVELOPE_ROOT,
	ENVELOPE_KIT,
	ENVELOPE_VARIANT,
	ENVELOPE_ORDER,
	ENVELOPE_STATEMENT,
	ENVELOPE_TIME,
	ENVELOPE_STANDING,
	_ENVELOPE_PART_N
};

/* What an envelope is, and so which parts it has. */
enum envelope_kind {
	ENVELOPE_OF_VARIANT = 1, /* root, kit, variant */
	ENVELOPE_OF_ORDER,       /* root, order */
	ENVELOPE_OF_STATEMENT,   /* root, statement */
	ENVELOPE_OF_TIME,        /* root, time */
	ENVELOPE_OF_KIT,         /* root, kit: a release, for layouts made in the machine */
	ENVELOPE_OF_STANDING,    /* root, standing */
	_ENVELOPE_KIND_N
};

struct envelope_signature {
	uint8_t key_id[16];
	uint8_t sig[64];
};

struct envelope_part_header {
	uint8_t magic[8];      /* ENVELOPE_PART_MAGIC */
	uint32_t kind;         /* enum envelope_part_kind */
	uint32_t manifest_len; /* bytes right behind this header; multiple of 8 */
	uint32_t n_signatures; /* struct envelope_signature[] behind the manifest */
	uint32_t reserved;     /* 0 */
};

struct envelope_header {
	uint8_t magic[8];  /* ENVELOPE_MAGIC */
	uint32_t version;  /* ENVELOPE_VERSION */
	uint32_t size;     /* of the whole envelope, this header included */
	uint32_t kind;     /* enum envelope_kind */
	uint32_t reserved; /* 0 */
};

/* A checked part; points into the caller's bytes. */
struct envelope_part {
	enum envelope_part_kind kind;
	const uint8_t *manifest;
	size_t manifest_len;
	const struct envelope_signature *signatures;
	unsigned int n_signatures;
	size_t size; /* of the part as stored */
};

/*
 * A well-formed envelope; nothing of it is true before envelope_verify(). What the
 * kind does not have is NULL.
 */
struct envelope_view {
	enum envelope_kind kind;
	unsigned int n_parts;
	struct envelope_part part[ENVELOPE_PARTS_MAX]; /* in the order of the kind */
	const struct root_manifest *root;
	const struct kit_manifest *kit;
	const struct variant_manifest *variant;
	const struct order_manifest *order;
	const struct statement_manifest *statement;
	const struct time_manifest *time;
	const struct standing_manifest *standing;
};

/* What the verifying side knows and believes by itself. */
struct trust {
	uint8_t root_pub[32];  /* Ed25519 public key of the root */
	uint64_t root_serial;  /* newest signed root seen; 0: none */
	uint8_t root_hash[64]; /* BLAKE2b-512 of its manifest; zero: not known */
	/* Under which that manifest was verified before: need not be checked again. Zero: none. */
	struct envelope_signature root_signature;
	uint8_t machine_id[16];
	uint64_t boot_id;
	uint64_t time_nonce;
	uint64_t time;        /* unix s: what time it is, as far as is known */
	uint64_t latest_time; /* unix s: no signed date moves time beyond this */
};

_Static_assert(sizeof(struct envelope_signature) == 80, "layout");
_Static_assert(sizeof(struct envelope_part_header) == 24, "layout");
_Static_assert(sizeof(struct envelope_header) == 24, "layout");

/*
 * Check one part standing alone: bounds, magic, the manifest's own rules. Bytes
 * behind the part are allowed: ret_part->size says where it ends.
 */
enum envelope_reason envelope_part_open(
        const void *bytes, size_t len, struct envelope_part *ret_part);

/* Check that the bytes are exactly one well-formed envelope. */
enum envelope_reason envelope_open(const void *bytes, size_t len, struct envelope_view *ret_view);

/*
 * Decide whether an opened envelope is to be believed: signatures from the root
 * down, then service, release, machine, boot, life and expiry, in this order; the
 * first that fails is the answer. Changes nothing. A date in the future is no reason
 * to refuse. What is asked of numbers, floors and generations is the caller's to ask.
 */
enum envelope_reason envelope_verify(const struct envelope_view *view, const struct trust *trust);

/* Verify a signed root alone, to pin or to replace one. */
enum envelope_reason envelope_verify_root(
        const struct envelope_part *part, const struct trust *trust);

/* Verify a signed kit against an already verified root manifest, at a time (unix s). */
enum envelope_reason envelope_verify_kit(
        const struct envelope_part *part, const struct root_manifest *root, uint64_t time);

/*
 * The time to judge an opened envelope by: the trust's, moved by the envelope's own
 * date as far as that may move it. After ENVELOPE_OK it may be kept.
 */
uint64_t envelope_time(const struct envelope_view *view, const struct trust *trust);

/* First time (unix s) at which a key that signed a part or the root itself is over. */
uint64_t envelope_keys_end(const struct envelope_view *view);

/* Does the order need a control key beside the order key? */
int order_needs_control(const struct order_manifest *order);

/* Does this component of a checked order leave its layout to the machine? */
int order_component_is_machine_made(
        const struct order_manifest *order, const struct order_component *component);

/* Compare the staged payload, or the state description, with what was signed. */
enum envelope_reason envelope_verify_payload(
        const struct envelope_view *view, const void *bytes, size_t len);
enum envelope_reason envelope_verify_description(
        const struct envelope_view *view, const void *bytes, size_t len);

/* How many variant signatures the signed root asks for this service. */
uint32_t envelope_signatures_needed(const struct root_manifest *root, const char *service);

/* "bad-signature"; stable, for records and tests. Never NULL. */
const char *envelope_reason_name(enum envelope_reason reason);
/* One sentence for a person. Never NULL. */
const char *envelope_reason_text(enum envelope_reason reason);

/* Check the rules a manifest has by itself (without any trust). */
enum envelope_reason root_manifest_check(const struct root_manifest *root);
enum envelope_reason kit_manifest_check(const struct kit_manifest *kit);
enum envelope_reason variant_manifest_check(const struct variant_manifest *variant);
/* len: bytes there are for it; the components must be all of them. */
enum envelope_reason order_manifest_check(const struct order_manifest *order, size_t len);
enum envelope_reason statement_manifest_check(
        const struct statement_manifest *statement, size_t len);
enum envelope_reason time_manifest_check(const struct time_manifest *time);
enum envelope_reason standing_manifest_check(const struct standing_manifest *standing, size_t len);

/* Bytes of an order with n components, of a statement or a standing order with n services. */
size_t order_manifest_size(uint32_t n_components);
size_t statement_manifest_size(uint32_t n_services);
size_t standing_manifest_size(uint32_t n_services);

/* A service name: 1..23 of [a-z0-9_], NUL padded to SERVICE_NAME_SIZE. */
int service_name_is_valid(const char *name);

/* The release id of a kit: BLAKE2b-512 of its manifest's bytes. */
void kit_manifest_release_id(const struct kit_manifest *kit, uint8_t ret_id[64]);
/* A variant's name in orders: BLAKE2b-512 of its manifest's bytes. */
void variant_manifest_hash(const struct variant_manifest *variant, uint8_t ret_hash[64]);

/*
 * Writing. Both return the bytes written, or 0 when cap is too small or a count
 * is out of range. Manifests are written as they are: check them first.
 */
size_t envelope_part_write(enum envelope_part_kind kind, const void *manifest, size_t manifest_len,
        const struct envelope_signature *signatures, unsigned int n_signatures, void *ret_bytes,
        size_t cap);
/* parts[]: stored bytes of the kind's parts, in their order. */
size_t envelope_write(enum envelope_kind kind, const void *const parts[], const size_t sizes[],
        void *ret_bytes, size_t cap);

/* The n-th part (from 0) of an envelope of this kind; _ENVELOPE_PART_N: it has fewer. */
enum envelope_part_kind envelope_kind_part(enum envelope_kind kind, unsigned int n);
