#pragma once
/*
 * What an instance is made from: payload, state description and what the kit says of the service.
 * The bytes stay where they are, in the boot image or in blobs that it holds a reference to, and
 * are used in place; everything in it was checked before it was put together, but for descriptions
 * and flat kits of the boot image, which are checked before they are used. A payload that RS made
 * itself of the flat kit is the binary's own, and nobody is told where it lies.
 *
 * A service holds the binary that it runs from, a transaction the one that is to run. At the commit
 * they change places, and the one that is left over is released.
 */
#include "osd/abi/vm.h"
#include "osd/servers/rs/layout/layout.h"
#include "osd/servers/rs/stage/stage.h"
#include "osd/servers/rs/trust/trust.h"
#include "proto/envelope/envelope.h"
#include "proto/image/image.h"

struct binary {
	struct kit_manifest kit;
	uint8_t release_id[RS_HASH_LEN]; /* hash of the kit: hashing is not for every question */
	struct trust_number generation;  /* as the order named it; epoch of the root at boot else */
	struct image_view image; /* header NULL: no payload (a service that the kernel loaded) */
	uint64_t payload_bytes;
	const uint8_t *description; /* NULL: none */
	uint64_t description_bytes;
	bool is_compared; /* the description is the one that the kit names */
	/* What was read of the description, once: it has been checked. NULL: not yet. */
	const uint8_t *described;
	uint32_t n_described;   /* entries */
	uint32_t root_entry;    /* of the root of its typed heap; UINT32_MAX: none */
	vaddr_t heap_root;      /* of its typed heap; 0: it has none */
	struct layout_kit flat; /* bytes NULL: none, so RS can make no layout of it */
	struct layout layout;   /* payload NULL: the payload was made elsewhere */
	bool is_kept;           /* a restart left it in the layout that it had */
	/* Layouts that RS made by itself since the order: how many, when the first and the last
	 * (kernel clock), and the head of the chain of their commitments. */
	uint64_t n_made;
	nsec_t made_first, made_last;
	uint8_t made_head[RS_HASH_LEN];
	/* NULL: in the boot image, or (payload) made here */
	struct blob *payload_blob, *description_blob, *flat_blob;
	struct trust_variant *variant;     /* or kit; NULL: it came with the boot image */
	uint8_t payload_hash[RS_HASH_LEN]; /* zero: unknown, a boot entry without an envelope */
};

/*
 * Read from a checked payload and its description what RS wants to know: the root of the typed
 * heap. False: the description is malformed, or is not that of the payload.
 */
bool binary_describe(struct binary *binary);
/*
 * Has it a description that is the one its kit names, and fits? One of the boot image is read at the
 * first question, since reading all of them takes longer than starting their services. One that does
 * not fit is left out from then on, and the log says so: the service runs, and cannot be updated live.
 */
bool binary_has_description(struct binary *binary);
/* A step of the same that nobody waits for: the first compares the hash, the second reads. */
void binary_read_ahead(struct binary *binary);
/* Take over what was read of another binary's description, if this one has the same. */
void binary_describe_as(struct binary *binary, const struct binary *other);
/* Was its layout made here, so that nobody outside knows it? */
static inline bool binary_is_machine_made(const struct binary *binary)
{
	return binary->layout.payload != NULL;
}
/*
 * Is there room for a key that a layout still to be made will be sealed with (layout/agree.h)? It
 * takes less than a ms, for which RS has nothing else to do.
 */
bool binary_wants_key(void);
void binary_agree_key(void);
/*
 * Make a layout of the binary's flat kit, away from what is taken, with its seed sealed to the audit
 * key of the newest root. It has no payload yet. Errors of
 * layout_kit_check() and layout_make(); E_V_DESCRIPTION: that of another program.
 */
__must_check err_t binary_make(struct binary *binary, const struct span_set *taken);
/* Was its layout made here, and handed over to an instance? Another one needs another layout. */
static inline bool binary_is_given(const struct binary *binary)
{
	return binary->layout.is_given;
}
/*
 * Another layout for another try, away from these regions. On an error it is as it was. Errors of
 * binary_make().
 */
__must_check err_t binary_renew(
        struct binary *binary, const struct vm_region *regions, uint32_t n_regions);
/*
 * Give a binary that does not run another layout, never the one it has. Where it has no flat kit, or
 * one that no layout can be made of (which is forgotten), it keeps the layout that it has, and
 * is_kept says so: a service that is there, and known to be where it was, is better than none.
 * A layout that was handed over cannot be kept. On an error it is as it was, and another try may
 * help: E_NOMEM, E_STORE_FULL, E_AGAIN.
 */
__must_check err_t binary_remake(struct binary *binary);
/*
 * The layout of `fresh`, which RS made by itself, follows the one of `old` in the same generation:
 * count it. The chain: BLAKE2b-512 of "samsara chain", NULs up to 16 bytes, the head before it
 * [64], epoch, generation and count u64 each, and the commitment [64].
 */
void binary_follow(struct binary *fresh, const struct binary *old);
/* Give back what a binary refers to. Takes an empty one. */
void binary_release(struct binary *binary);
