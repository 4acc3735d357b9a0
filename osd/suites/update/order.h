#pragma once
/* Making, signing and sending orders and what else a host signs. */
#include "osd/abi/rs.h"
#include "proto/envelope/envelope.h"

#define ORDER_ENVELOPE_MAX 4096

/* The keys of the blob "signing". */
enum order_key {
	ORDER_KEY_ORDER,
	ORDER_KEY_CONTROL,
	ORDER_KEY_RELEASE,
	ORDER_KEY_VARIANT,
	ORDER_N_KEYS
};

struct order {
	struct order_manifest head;
	struct order_component component[2]; /* right behind it */
	enum order_key by[ENVELOPE_SIGNATURES_MAX];
	uint32_t n_by;
};
_Static_assert(offsetof(struct order, component) == sizeof(struct order_manifest), "no gap");

/* The serial of the root, which is the epoch of all orders. */
uint64_t order_epoch(void);
/* The starting statement of this machine: an envelope. */
const void *order_statement(uint32_t *ret_bytes);
/* A good order without components, for this boot and from now on; signed as its action needs. */
void order_init(struct order *order, enum order_action action, uint64_t number);
struct order_component *order_add(struct order *order, const char *service);
/* Sign and write any manifest as an envelope of two parts; returns its length. */
uint32_t order_seal(enum envelope_kind kind, enum envelope_part_kind part_kind,
        const void *manifest, size_t len, const enum order_key *by, uint32_t n_by,
        uint8_t ret_envelope[ORDER_ENVELOPE_MAX]);
/* The same for a variant: its kit by the release key, itself by the variant key. */
uint32_t order_seal_variant(const struct kit_manifest *kit, const struct variant_manifest *variant,
        uint8_t ret_envelope[ORDER_ENVELOPE_MAX]);
/* Have a kit admitted, signed by the release key. */
void kit_admit(const struct kit_manifest *kit);
/* An order that leaves the layout of this kit to RS. */
void order_kit(struct order *order, enum order_action action, const struct kit_manifest *kit,
        uint64_t generation);
uint32_t order_write(const struct order *order, uint8_t ret_envelope[ORDER_ENVELOPE_MAX]);
err_t order_send(const struct order *order, struct rs_reply *ret_reply);
/* An order of one service, or of none, under the next number. */
err_t order_simple(enum order_action action, const char *service, uint64_t argument);
