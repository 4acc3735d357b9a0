#pragma once
/*
 * The manifests that are signed: fixed layouts, little endian, naturally
 * aligned, without implicit padding. What a field may hold is checked by
 * root_manifest_check() and its sisters in envelope.h.
 *
 * Names are NUL padded. Unused array entries and reserved fields are zero.
 */
#include <stddef.h>
#include <stdint.h>

#define ROOT_MAGIC "SAMROOT2" /* 8 bytes without the NUL */
#define KIT_MAGIC "SAMKIT3"   /* 8 bytes with the NUL */
#define VARIANT_MAGIC "SAMVAR2"
#define ORDER_MAGIC "SAMORD1"
#define STATEMENT_MAGIC "SAMSTA1"
#define TIME_MAGIC "SAMTIM1"
#define MANIFEST_VERSION 2u

#define SERVICE_NAME_SIZE 24u
#define ROOT_KEYS_MAX 4u
#define ROOT_NEEDS_MAX 8u
#define KIT_TARGETS_MAX 16u
/* Words in the place of a target's name: every service, which stands alone; and the services whose
 * kits have this one's name as a target. No service is called so. */
#define KIT_TARGET_ALL "*"
#define KIT_TARGET_CLIENTS "clients"
#define KIT_IO_MAX 8u
#define KIT_MMIO_MAX 4u
#define KIT_IRQ_MAX 8u
#define KIT_DEPENDS_MAX 8u
#define KIT_METRICS_MAX 6u
#define KIT_METRIC_NAME_SIZE 16u
#define KIT_CALLS_MAX 256u
#define KIT_SLOTS_MAX 16384u
/* The longest flat kit (proto/image/flat.h) that anybody has to have room for. */
#define KIT_FLAT_LEN_MAX (UINT64_C(32) << 20)
#define ORDER_COMPONENTS_MAX 32u
#define STATEMENT_SERVICES_MAX 64u
/*
 * How far a signed date may move a machine's time beyond its own clock. Less than the
 * life of an order: a date from a clock that jumped does not have orders refused.
 */
#define TIME_SKEW_SEC_MAX 300u

/* A key the root delegates to. Its id is the first 16 bytes of BLAKE2b-512(pub). */
struct root_key {
	uint8_t id[16];
	uint8_t pub[32];
	uint64_t not_before; /* unix s */
	uint64_t not_after;  /* unix s */
};

/* How many variant signatures one service needs, when not the default. */
struct root_need {
	char service[SERVICE_NAME_SIZE];
	uint32_t n_signatures;
	uint32_t reserved;
};

/* What a key is delegated for. No key has two roles. */
enum root_role {
	ROOT_ROLE_RELEASE, /* signs kits, and time statements */
	ROOT_ROLE_VARIANT, /* online: signs variants */
	ROOT_ROLE_ORDER,   /* online: signs orders and statements */
	ROOT_ROLE_CONTROL, /* a person's: needed beside order for what destroys */
	ROOT_ROLE_POLICY,  /* offline: signs rules of the signer */
	_ROOT_ROLE_N
};

/*
 * The delegation. Its serial is the epoch of every generation and transaction
 * number that its keys sign.
 */
struct root_manifest {
	uint8_t magic[8];
	uint32_t version;
	uint32_t size;         /* sizeof(struct root_manifest) */
	uint64_t serial;       /* rises with every new root; one document each */
	uint64_t issued;       /* unix s */
	uint64_t expires;      /* unix s, > issued */
	uint8_t root_pub[32];  /* the root key itself */
	uint8_t audit_pub[32]; /* X25519: layout seeds are sealed to it; zero: none */
	uint64_t variant_life_sec_max;
	uint64_t order_life_sec_max;
	uint32_t n_keys[_ROOT_ROLE_N];
	uint32_t n_needs;
	uint32_t default_need; /* variant signatures a service needs, 1..n_keys[VARIANT] */
	uint32_t reserved;
	struct root_key keys[_ROOT_ROLE_N][ROOT_KEYS_MAX];
	struct root_need needs[ROOT_NEEDS_MAX]; /* unique services, each satisfiable */
};

enum kit_restart {
	KIT_RESTART_NONE,  /* stays down */
	KIT_RESTART_SAME,  /* same endpoint */
	KIT_RESTART_RESET, /* new endpoint */
	_KIT_RESTART_N
};

enum kit_flag {
	KIT_WAS_STRICT = 1, /* of release 0.1, says nothing: removed state always refuses */
	KIT_CONTROL = 2,    /* may ask RS to stage, update, restart, shut down */
};

/* I/O ports, both ends included. */
struct kit_io {
	uint32_t first;
	uint32_t last;
};

/* Device memory: physical addresses, page aligned. */
struct kit_mmio {
	uint64_t base;
	uint64_t len;
};

/* Everything a release of a service is and may do; signed offline. */
struct kit_manifest {
	uint8_t magic[8];
	uint32_t version;
	uint32_t size; /* sizeof(struct kit_manifest) */
	char service[SERVICE_NAME_SIZE];
	uint32_t counter;       /* rises with every release; compared with floors */
	uint32_t floor;         /* once this release runs, nothing below may; <= counter */
	uint64_t issued;        /* unix s */
	uint8_t source_id[64];  /* names the source state */
	uint64_t state_len;     /* bytes of the state description */
	uint8_t state_hash[64]; /* BLAKE2b-512 of the state description */
	uint64_t flat_len;      /* bytes of the flat kit, 1 to KIT_FLAT_LEN_MAX */
	uint8_t flat_hash[64];  /* BLAKE2b-512 of the flat kit */
	uint8_t files_hash[64]; /* BLAKE2b-512 of the list of the kit's files */
	uint64_t call_mask[KIT_CALLS_MAX / 64];           /* bit n: kernel call base + n allowed */
	char targets[KIT_TARGETS_MAX][SERVICE_NAME_SIZE]; /* IPC targets, or KIT_TARGET_* */
	char depends[KIT_DEPENDS_MAX][SERVICE_NAME_SIZE];
	char metrics[KIT_METRICS_MAX][KIT_METRIC_NAME_SIZE];
	char quiescent[SERVICE_NAME_SIZE]; /* default state, such as "work-free" */
	struct kit_io io[KIT_IO_MAX];
	struct kit_mmio mmio[KIT_MMIO_MAX];
	uint32_t irqs[KIT_IRQ_MAX];
	uint32_t n_targets;
	uint32_t n_depends;
	uint32_t n_metrics;
	uint32_t n_io;
	uint32_t n_mmio;
	uint32_t n_irqs;
	uint32_t rank;          /* blocking sends go from lower to higher */
	uint32_t priority;      /* scheduling queue, 0 is most urgent */
	uint32_t quantum_usec;  /* 0: the kernel's default */
	uint32_t restart;       /* enum kit_restart */
	uint32_t restart_limit; /* crashes in a row before it stays down */
	uint32_t heartbeat_ms;  /* 0: none */
	uint32_t flags;         /* enum kit_flag */
	uint32_t n_slots;       /* processes that it may have made at a time, up to KIT_SLOTS_MAX */
	uint64_t heap_limit;    /* bytes */
	uint64_t stack_size;    /* bytes */
};

/*
 * One layout of a release for one machine: says what may run, not that it shall.
 * May be made long before it is used.
 */
struct variant_manifest {
	uint8_t magic[8];
	uint32_t version;
	uint32_t size; /* sizeof(struct variant_manifest) */
	uint8_t machine_id[16];
	char service[SERVICE_NAME_SIZE];
	uint8_t release_id[64];   /* BLAKE2b-512 of the kit manifest's bytes */
	uint64_t issued;          /* unix s */
	uint64_t expires;         /* unix s, > issued; within the root's variant_life_sec_max */
	uint8_t payload_hash[64]; /* BLAKE2b-512 of the payload */
	uint64_t payload_len;     /* bytes */
	uint8_t seed_commit[64];  /* envelope_seed_commit() (seed.h) */
	uint32_t recipe;          /* of luforge, names how seed becomes layout */
	uint32_t reserved;
};

enum order_action {
	ORDER_UPDATE = 1, /* run exactly the listed components, or nothing */
	ORDER_PREPARE,    /* go through it up to the switch, and back */
	ORDER_CONFIRM,    /* what transaction `argument` committed stays: floors rise */
	ORDER_RESTART,    /* start the listed services afresh: their state is lost (control) */
	ORDER_SHUTDOWN,   /* end the machine with exit code `argument` (control) */
	ORDER_DROP, /* forget the listed variants or kits, and what only they name (control) */
	_ORDER_ACTION_N
};

/* One service of an order. */
struct order_component {
	char service[SERVICE_NAME_SIZE];
	char state[SERVICE_NAME_SIZE]; /* quiescent state by name; zero: the service's default */
	uint8_t release_id[64];
	/* BLAKE2b-512 of the variant manifest; zero: machine-made; DROP: also a release id */
	uint8_t variant_hash[64];
	uint8_t consent[64]; /* pairing id whose loss is consented to (control); zero: none */
	uint64_t generation; /* number inside the order's epoch, rises per service */
	uint32_t recipe;
	uint32_t reserved;
};

/*
 * A signed instruction to one machine in one boot. n_components components
 * follow it: order_components().
 */
struct order_manifest {
	uint8_t magic[8];
	uint32_t version;
	uint32_t size; /* of all: sizeof(struct order_manifest) + components */
	uint8_t machine_id[16];
	uint64_t boot_id;
	uint64_t epoch;       /* serial of the root it came with */
	uint64_t transaction; /* rises inside the epoch, >= 1 */
	uint64_t issued;      /* unix s */
	uint64_t expires;     /* unix s, > issued; within the root's order_life_sec_max */
	uint64_t argument;    /* of the action, else 0 */
	uint32_t action;      /* enum order_action */
	uint32_t n_components;
	uint32_t total_ms; /* limits; 0: the machine's defaults */
	uint32_t prepare_ms;
	uint32_t transfer_ms;
	uint32_t hold_ms;
};

/* What one service had come to, for a machine that starts. */
struct statement_service {
	char service[SERVICE_NAME_SIZE];
	uint32_t floor; /* lowest release counter that may run */
	uint32_t reserved;
	uint64_t epoch; /* newest generation known to have run */
	uint64_t generation;
};

/*
 * The starting statement: what a reboot would forget. Signed by an order key, over
 * facts that root and release signed before; it only ever raises. n_services
 * services follow it, sorted by name: statement_services().
 */
struct statement_manifest {
	uint8_t magic[8];
	uint32_t version;
	uint32_t size; /* of all */
	uint8_t machine_id[16];
	uint64_t root_serial; /* newest delegation known */
	uint64_t issued;      /* unix s */
	uint32_t n_services;
	uint32_t reserved;
};

/*
 * A time statement, signed by the root key or a release key: sets a machine's time,
 * forwards or back, without touching its state. Good for one nonce of one boot.
 */
struct time_manifest {
	uint8_t magic[8];
	uint32_t version;
	uint32_t size; /* sizeof(struct time_manifest) */
	uint8_t machine_id[16];
	uint64_t boot_id;
	uint64_t nonce; /* that the machine shows in its status; changes with each use */
	uint64_t time;  /* unix s */
};

static inline const struct order_component *order_components(const struct order_manifest *order)
{
	return (const struct order_component *)(order + 1);
}

static inline const struct statement_service *statement_services(
        const struct statement_manifest *statement)
{
	return (const struct statement_service *)(statement + 1);
}

_Static_assert(sizeof(struct root_key) == 64, "layout");
_Static_assert(sizeof(struct root_need) == 32, "layout");
_Static_assert(offsetof(struct root_manifest, keys) == 152, "layout");
_Static_assert(sizeof(struct root_manifest) == 152 + 20 * 64 + 8 * 32, "layout");
_Static_assert(offsetof(struct kit_manifest, source_id) == 56, "layout");
_Static_assert(offsetof(struct kit_manifest, flat_len) == 192, "layout");
_Static_assert(offsetof(struct kit_manifest, call_mask) == 328, "layout");
_Static_assert(offsetof(struct kit_manifest, quiescent) == 1032, "layout");
_Static_assert(offsetof(struct kit_manifest, irqs) == 1184, "layout");
_Static_assert(sizeof(struct kit_manifest) == 1288, "layout");
_Static_assert(offsetof(struct variant_manifest, issued) == 120, "layout");
_Static_assert(offsetof(struct variant_manifest, recipe) == 272, "layout");
_Static_assert(sizeof(struct variant_manifest) == 280, "layout");
_Static_assert(sizeof(struct order_component) == 256, "layout");
_Static_assert(sizeof(struct order_manifest) == 104, "layout");
_Static_assert(sizeof(struct statement_service) == 48, "layout");
_Static_assert(sizeof(struct statement_manifest) == 56, "layout");
_Static_assert(sizeof(struct time_manifest) == 56, "layout");
