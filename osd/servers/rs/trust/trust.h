#pragma once
/*
 * What RS believes, and by which rules: the newest root, what time it is, floors and generations of
 * services, numbers of orders, and the variants and kits that may be run or staged. No I/O, no globals, no
 * clock of its own: the caller says how long the machine has been up. Bytes are verified as they
 * come, and fields are read from those bytes only.
 *
 * What holds all the time:
 *  - root serial, floors that a confirm raised, and numbers inside an epoch only rise;
 *  - what an epoch drove up (generations, order numbers, floors that a statement told) counts for
 *    nothing in a newer one, where no order is run before another statement;
 *  - time is at most TIME_SKEW_SEC_MAX ahead of the machine's own clock, counted from what the
 *    starter or a time statement said last;
 *  - a call that answers with an error has changed nothing but root serial and time.
 */
#include <stdbool.h>

#include "osd/abi/rs.h"
#include "proto/envelope/envelope.h"

#define TRUST_N_SERVICES 64
#define TRUST_N_VARIANTS 96

/* A number inside an epoch, the serial of a root. */
struct trust_number {
	uint64_t epoch, number;
};

/*
 * A variant that was verified: what it says is true, whether it shall run is another question. Or
 * a kit alone, of which RS makes layouts itself; that has no variant manifest, and its name is the
 * release id.
 */
struct trust_variant {
	uint8_t hash[RS_HASH_LEN]; /* its name in orders */
	bool is_kit;
	bool is_booted; /* a kit that the machine started with, signed as its root asks: it stays */
	const void *boot_envelope; /* that may prove so, not looked at yet; NULL: none */
	size_t boot_envelope_len;
	struct kit_manifest kit;
	struct variant_manifest variant;
	uint64_t root_serial;  /* it was verified under; 0: the boot image's word only */
	uint64_t keys_end;     /* unix s: first end of a key that signed it */
	uint64_t order;        /* of admission; 0: the entry is free */
	uint32_t n_users;      /* binaries made from it; such an entry stays */
	uint32_t n_signatures; /* of variant keys */
	/*
	 * The seed of its layout, until the payload was seen to be what kit and seed give. It is
	 * told to nobody.
	 */
	bool has_seed, is_proved;
	uint8_t seed[RS_SEED_LEN];
};

struct trust_service {
	char name[SERVICE_NAME_LEN]; /* empty: the entry is free */
	uint32_t floor_own;          /* booted with, or confirmed */
	uint32_t floor_told;         /* by a statement of the epoch floor_epoch */
	uint64_t floor_epoch;
	struct trust_number newest; /* generation that ran, or is known to have run */
	/* What ran last and is not confirmed yet raises the floor to this when it is. */
	struct trust_number unconfirmed;
	uint32_t floor_unconfirmed;
};

struct trust_state {
	bool has_root;
	bool has_statement; /* seen in this boot, of the newest root */
	uint8_t root_pub[32];
	uint8_t root_hash[RS_HASH_LEN], boot_root_hash[RS_HASH_LEN]; /* the newest; as started */
	struct envelope_signature root_signature; /* that it was verified under; zero: not yet */
	uint64_t root_serial;
	uint8_t audit_pub[32]; /* of the newest root; zero: it names none */
	uint8_t machine_id[16];
	uint64_t boot_id, time_nonce;
	uint64_t time_base; /* unix s when the machine had been up for 0 s, as last stated */
	uint64_t time_skew; /* s that signed dates moved time ahead of that */
	struct trust_number newest_order; /* accepted in this boot */
	struct trust_number
	        newest_standing; /* the same of standing orders, which count by themselves */
	uint8_t standing_hash[RS_HASH_LEN]; /* of the newest one's manifest */
	uint64_t n_admitted;
	struct trust_service services[TRUST_N_SERVICES];
	struct trust_variant variants[TRUST_N_VARIANTS];
};

struct trust_start {
	const struct root_manifest *root; /* NULL: none; nothing will be believed */
	const uint8_t *machine_id;        /* 16 bytes */
	uint64_t boot_id, time_nonce;
	uint64_t time; /* unix s: as the starter says */
};

/* Start with nothing but what the starter says. uptime, here and everywhere: seconds. */
void trust_init(struct trust_state *t, const struct trust_start *start);
/* A service that the machine starts with. E_FULL. */
err_t trust_add_service(
        struct trust_state *t, const char *name, uint64_t generation, uint32_t floor);

/* Unix seconds, as far as the machine knows. */
uint64_t trust_time(const struct trust_state *t, uint64_t uptime);
/* The lowest release counter that this service may run. */
uint32_t trust_floor(const struct trust_state *t, const char *name);
struct trust_number trust_generation(const struct trust_state *t, const char *name);
/* Is a later than b? */
bool trust_number_is_later(struct trust_number a, struct trust_number b);

/*
 * Verify a variant, or a kit alone, and keep it. E_V_*; E_FULL: every entry is in use. One that is
 * known already is verified and kept anew, which carries it over to a newer root.
 */
err_t trust_admit(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime,
        struct trust_variant **ret_variant);
/*
 * The seed that a variant was made from. E_V_LAYOUT: another one was committed to, it is a kit, or of
 * a recipe that is not this linker's.
 */
__must_check err_t trust_give_seed(struct trust_variant *variant, const uint8_t seed[RS_SEED_LEN]);
/* Its payload is what kit and seed give, for as long as it is kept; the seed is wiped. */
void trust_prove(struct trust_variant *variant);
/*
 * A kit that the machine starts with. Its boot envelope (NULL: none) makes it one that orders may
 * name, if the root that the machine was started with is in it and a release key signed the kit; its
 * date does not matter. Whether it does is found out when an order names the kit: the bytes must stay
 * where they are, unchanged. release_id: of this kit. E_FULL.
 */
__must_check err_t trust_add_kit(struct trust_state *t, const struct kit_manifest *kit,
        const uint8_t release_id[RS_HASH_LEN], const void *envelope, size_t len);
/* NULL: not admitted, or something else has this name. */
struct trust_variant *trust_find_variant(struct trust_state *t, const uint8_t hash[RS_HASH_LEN]);
struct trust_variant *trust_find_kit(struct trust_state *t, const uint8_t release_id[RS_HASH_LEN]);
/* Does a kept entry name a payload, a flat kit or a state description of this hash and length? */
bool trust_names(const struct trust_state *t, const uint8_t hash[RS_HASH_LEN], uint64_t len);
/* Does any but this one name the hash? */
bool trust_names_elsewhere(const struct trust_state *t, const uint8_t hash[RS_HASH_LEN],
        const struct trust_variant *but);
/* The entry that nobody uses for the longest time and that does not name the hash; NULL: none. */
struct trust_variant *trust_oldest(struct trust_state *t, const uint8_t hash[RS_HASH_LEN]);
/* Forget a variant. E_BUSY: a binary was made from it. */
err_t trust_forget(struct trust_variant *variant);

/*
 * Verify an order, whose manifest stays where it is in the bytes. It may have been accepted before;
 * the caller looks first whether its number is known, then asks trust_order_is_new(). E_V_*.
 * E_V_EXPIRED says that all but its time is right: a known one may still be answered.
 */
err_t trust_order(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime,
        const struct order_manifest **ret_order);
/* E_NOTFOUND: its number is not above those accepted. E_V_STATEMENT: none of the newest root was
 * seen yet. */
err_t trust_order_is_new(const struct trust_state *t, const struct order_manifest *order);
/* Does the component leave its layout to RS: does it name a release and no variant? */
bool trust_is_machine_made(const struct order_component *component);
/*
 * May this component be run now? Its variant, verified under the newest root, with everything that
 * the component says of it; not expired, not below the floor, a later generation than all before.
 * If it is machine-made: its kit, by the same rules, of the recipe that RS links by; one that the
 * machine was booted with needs no newer root than that.
 */
err_t trust_component(struct trust_state *t, const struct order_manifest *order,
        const struct order_component *component, uint64_t uptime,
        struct trust_variant **ret_variant);
/* From here on the order's number counts. */
void trust_accept(struct trust_state *t, const struct order_manifest *order);

/*
 * Verify a standing order, whose manifest stays where it is in the bytes. *ret_is_new false: it is
 * the newest one, told again. E_V_*; E_V_STATEMENT as for orders; E_NOTFOUND: a later one was told,
 * or this number was used for another.
 */
__must_check err_t trust_standing(struct trust_state *t, const void *bytes, size_t len,
        uint64_t uptime, const struct standing_manifest **ret_standing, bool *ret_is_new);
/* From here on its number counts. */
void trust_standing_accept(struct trust_state *t, const struct standing_manifest *standing);
/* Does a standing order of this epoch still count? A newer root ends it. */
bool trust_standing_holds(const struct trust_state *t, uint64_t epoch);
/*
 * May the service get a layout of the release that a standing order names for it? Its kit, by the
 * rules of trust_component() but for the generation, which stays.
 */
__must_check err_t trust_standing_service(struct trust_state *t,
        const struct standing_service *service, uint64_t uptime, struct trust_variant **ret_kit);

/* A generation runs, made by this order. Its kit's floor waits for the confirm. */
void trust_commit(struct trust_state *t, const char *name, struct trust_number generation,
        struct trust_number order, uint32_t floor);
/* What this order committed stays. E_NOTFOUND: it is nobody's last commit in this boot. */
err_t trust_confirm(struct trust_state *t, struct trust_number order);

/* Take over a starting statement, or a time statement; nonce is the next one. E_V_*. */
err_t trust_statement(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime);
err_t trust_set_time(
        struct trust_state *t, const void *bytes, size_t len, uint64_t uptime, uint64_t next_nonce);

/* The error that stands for a reason. */
err_t trust_reason(enum envelope_reason reason);
