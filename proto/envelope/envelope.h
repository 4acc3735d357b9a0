#pragma once
/*
 * Signed envelopes: what a machine must be shown before it runs a payload.
 *
 * An envelope is a header and three parts, each a fixed-layout manifest followed
 * by Ed25519 signatures over exactly the manifest's bytes:
 *
 *   root     signed by the root key: which keys may do what, and until when
 *   kit      signed by a release key: what a service's release is and may do
 *   variant  signed by variant keys: this layout, for this machine, for this time
 *
 * A part stands alone too (a signed root or a signed kit is a file), and three
 * parts in this order behind a header are an envelope: see envelope_write().
 *
 * Everything is little endian and naturally aligned. Nothing here allocates or
 * calls anything but the seam in envelope_crypto.h. Views point into the caller's
 * bytes, which must be 8-byte aligned, must outlive the view, and must not be
 * writable by anybody else, because they are read more than once.
 */
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope/manifest.h"

#define ENVELOPE_MAGIC "SAMENV1" /* with its NUL: 8 bytes, as all magics here */
#define ENVELOPE_PART_MAGIC "SAMPART"
#define ENVELOPE_VERSION 1u
#define ENVELOPE_SIGNATURES_MAX 4u
/* No valid envelope is longer. */
#define ENVELOPE_SIZE_MAX 8192u
/* How far signed time may run ahead of what a machine can know: see struct trust. */
#define ENVELOPE_JUMP_SEC (UINT64_C(400) * 24 * 3600)

/* One reason per way to be refused; ENVELOPE_OK is 0. X(constant, name, sentence) */
#define ENVELOPE_REASONS(X)                                                                        \
	X(OK, "ok", "the envelope is good")                                                        \
	X(MALFORMED, "malformed", "the bytes are not a well-formed envelope")                      \
	X(UNKNOWN_VERSION, "unknown-version", "a format version that this side does not know")     \
	X(UNKNOWN_KEY, "unknown-key", "signed by a key that the signed root does not name")        \
	X(WRONG_ROLE, "wrong-role", "signed by a key whose role does not allow it")                \
	X(BAD_SIGNATURE, "bad-signature", "a signature does not match the bytes it covers")        \
	X(TOO_FEW_SIGNATURES, "too-few-signatures", "fewer signatures than this service needs")    \
	X(KEY_EXPIRED, "key-expired", "signed by a key outside its time of validity")              \
	X(OLD_ROOT, "old-root", "the signed root is older than one already seen")                  \
	X(WRONG_SERVICE, "wrong-service", "made for another service")                              \
	X(RELEASE_MISMATCH, "release-mismatch", "the variant was made from another release")       \
	X(WRONG_MACHINE, "wrong-machine", "made for another machine")                              \
	X(IMPLAUSIBLE_TIME, "implausible-time", "issued too far in the future to be believed")     \
	X(EXPIRED, "expired", "the time in which it could be used is over")                        \
	X(BELOW_FLOOR, "below-floor", "the release is older than the floor of this service")       \
	X(REPLAYED_GENERATION, "replayed-generation", "not newer than a generation already run")   \
	X(PAYLOAD_MISMATCH, "payload-mismatch", "the payload is not the one that was signed")      \
	X(DESCRIPTION_MISMATCH, "description-mismatch",                                            \
	        "the state description is not the one that was signed")

enum envelope_reason {
#define ENVELOPE_REASON_ENUM(constant, name, sentence) ENVELOPE_##constant,
	ENVELOPE_REASONS(ENVELOPE_REASON_ENUM)
#undef ENVELOPE_REASON_ENUM
	        _ENVELOPE_N
};

enum envelope_part_kind { ENVELOPE_ROOT, ENVELOPE_KIT, ENVELOPE_VARIANT, _ENVELOPE_PART_N };

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
	uint8_t magic[8]; /* ENVELOPE_MAGIC */
	uint32_t version; /* ENVELOPE_VERSION */
	uint32_t size;    /* of the whole envelope, this header included */
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

/* A well-formed envelope; nothing of it is true before envelope_verify(). */
struct envelope_view {
	struct envelope_part part[_ENVELOPE_PART_N];
	const struct root_manifest *root;
	const struct kit_manifest *kit;
	const struct variant_manifest *variant;
};

/* What the verifying side knows and believes by itself. */
struct trust {
	uint8_t root_pub[32]; /* Ed25519 public key of the root */
	uint64_t root_serial; /* newest signed root seen */
	uint8_t machine_id[16];
	char service[SERVICE_NAME_SIZE]; /* the service this envelope is to update */
	uint64_t newest_time;            /* unix s: newest signed time seen (at least boot time) */
	uint64_t latest_time;            /* unix s: what is issued later is not believed;
	                                    newest_time + seconds passed since + ENVELOPE_JUMP_SEC */
	uint64_t generation;             /* newest generation of this service seen */
	uint32_t floor;                  /* lowest release counter this service may run */
	uint32_t reserved;
};

_Static_assert(sizeof(struct envelope_signature) == 80, "layout");
_Static_assert(sizeof(struct envelope_part_header) == 24, "layout");
_Static_assert(sizeof(struct envelope_header) == 16, "layout");

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
 * down, then service, release, machine, time, floor and generation, in this
 * order; the first that fails is the answer. Changes nothing. After ENVELOPE_OK
 * the caller raises what it keeps in struct trust when the update is committed
 * (newest_time and root_serial already when it is staged).
 */
enum envelope_reason envelope_verify(const struct envelope_view *view, const struct trust *trust);

/* Verify a signed root alone, to pin or to replace one. */
enum envelope_reason envelope_verify_root(
        const struct envelope_part *part, const struct trust *trust);

/* Verify a signed kit against an already verified root manifest, at a time (unix s). */
enum envelope_reason envelope_verify_kit(
        const struct envelope_part *part, const struct root_manifest *root, uint64_t time);

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

/* A service name: 1..23 of [a-z0-9_], NUL padded to SERVICE_NAME_SIZE. */
int service_name_is_valid(const char *name);

/* The release id of a kit: BLAKE2b-512 of its manifest's bytes. */
void kit_manifest_release_id(const struct kit_manifest *kit, uint8_t ret_id[64]);

/*
 * Writing. Both return the bytes written, or 0 when cap is too small or a count
 * is out of range. Manifests are written as they are: check them first.
 */
size_t envelope_part_write(enum envelope_part_kind kind, const void *manifest, size_t manifest_len,
        const struct envelope_signature *signatures, unsigned int n_signatures, void *ret_bytes,
        size_t cap);
/* parts[]: stored bytes of the root, kit and variant part, in this order. */
size_t envelope_write(const void *const parts[_ENVELOPE_PART_N],
        const size_t sizes[_ENVELOPE_PART_N], void *ret_bytes, size_t cap);
