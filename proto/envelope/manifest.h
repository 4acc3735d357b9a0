#pragma once
/*
 * The three manifests of an envelope: fixed layouts, little endian, naturally
 * aligned, without implicit padding. What a field may hold is checked by
 * root_manifest_check() and its sisters in envelope.h.
 *
 * Names are NUL padded. Unused array entries and reserved fields are zero.
 */
#include <stddef.h>
#include <stdint.h>

#define ROOT_MAGIC "SAMROOT1" /* 8 bytes without the NUL */
#define KIT_MAGIC "SAMKIT1"   /* 8 bytes with the NUL */
#define VARIANT_MAGIC "SAMVAR1"
#define MANIFEST_VERSION 1u

#define SERVICE_NAME_SIZE 24u
#define ROOT_KEYS_MAX 4u
#define ROOT_NEEDS_MAX 8u
#define KIT_TARGETS_MAX 16u
#define KIT_IO_MAX 8u
#define KIT_MMIO_MAX 4u
#define KIT_IRQ_MAX 8u
#define KIT_DEPENDS_MAX 8u
#define KIT_METRICS_MAX 6u
#define KIT_METRIC_NAME_SIZE 16u
#define KIT_CALLS_MAX 256u

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

struct root_manifest {
	uint8_t magic[8];
	uint32_t version;
	uint32_t size;        /* sizeof(struct root_manifest) */
	uint64_t serial;      /* rises with every new root */
	uint64_t issued;      /* unix s */
	uint8_t root_pub[32]; /* the root key itself */
	uint32_t n_release;
	uint32_t n_variant;
	uint32_t n_policy;
	uint32_t n_needs;
	uint32_t default_need; /* variant signatures a service needs, >= 1 */
	uint32_t reserved;
	struct root_key release[ROOT_KEYS_MAX];
	struct root_key variant[ROOT_KEYS_MAX];
	struct root_key policy[ROOT_KEYS_MAX];
	struct root_need needs[ROOT_NEEDS_MAX];
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
	uint8_t state_hash[64]; /* BLAKE2b-512 of the state description */
	uint8_t files_hash[64]; /* BLAKE2b-512 of the list of the kit's files */
	uint64_t call_mask[KIT_CALLS_MAX / 64];           /* bit n: kernel call base + n allowed */
	char targets[KIT_TARGETS_MAX][SERVICE_NAME_SIZE]; /* IPC targets; "*" alone: all */
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
	uint32_t reserved;
	uint64_t heap_limit; /* bytes */
	uint64_t stack_size; /* bytes */
};

/* One layout of a release, for one machine and a limited time. */
struct variant_manifest {
	uint8_t magic[8];
	uint32_t version;
	uint32_t size; /* sizeof(struct variant_manifest) */
	uint8_t machine_id[16];
	char service[SERVICE_NAME_SIZE];
	uint8_t release_id[64];   /* BLAKE2b-512 of the kit manifest's bytes */
	uint64_t generation;      /* rises per machine and service, >= 1 */
	uint64_t base;            /* first address of the window */
	uint64_t issued;          /* unix s */
	uint64_t expires;         /* unix s, > issued */
	uint8_t payload_hash[64]; /* BLAKE2b-512 of the payload */
	uint64_t payload_len;     /* bytes */
	uint8_t seed_commit[64];  /* BLAKE2b-512 of the layout seed */
	uint32_t recipe;          /* of luforge, names how seed becomes layout */
	uint32_t reserved;
};

_Static_assert(sizeof(struct root_key) == 64, "layout");
_Static_assert(sizeof(struct root_need) == 32, "layout");
_Static_assert(offsetof(struct root_manifest, release) == 88, "layout");
_Static_assert(sizeof(struct root_manifest) == 88 + 12 * 64 + 8 * 32, "layout");
_Static_assert(offsetof(struct kit_manifest, source_id) == 56, "layout");
_Static_assert(offsetof(struct kit_manifest, call_mask) == 248, "layout");
_Static_assert(offsetof(struct kit_manifest, quiescent) == 952, "layout");
_Static_assert(offsetof(struct kit_manifest, irqs) == 1104, "layout");
_Static_assert(sizeof(struct kit_manifest) == 1208, "layout");
_Static_assert(offsetof(struct variant_manifest, generation) == 120, "layout");
_Static_assert(offsetof(struct variant_manifest, recipe) == 288, "layout");
_Static_assert(sizeof(struct variant_manifest) == 296, "layout");
