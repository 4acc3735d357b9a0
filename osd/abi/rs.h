#pragma once
/* Requests to RS: numbers, payloads, and the records that travel by grant. All records are fixed
 * layout, zero padded. */
#include "osd/abi/request.h"
#include "osd/abi/sef.h"

enum rs_request_number {
#define REQUEST(kind, server, verb, name, n, ...) name = RS_BASE + (n),
#include "osd/abi/rs.def"
#undef REQUEST
#define REQUEST REQUEST_COUNT
	RS_REQUEST_N = 0
#include "osd/abi/rs.def"
#undef REQUEST
};

#define RS_HASH_LEN 64
#define RS_SEED_LEN 32
#define RS_SEALED_LEN 80 /* a seed, sealed to the audit key */
#define RS_N_METRICS 6
#define RS_METRIC_NAME_LEN 16
#define RS_CHUNK_MAX 65536u
#define RS_ENVELOPE_MAX 16384u /* ENVELOPE_SIZE_MAX */
#define RS_N_RESULTS 64
#define RS_N_EVENTS 256

/* Payload of all grant-carrying requests. */
/* Every service is asked for a sign of life; by whom who has the right to control RS only. */
#define RS_STATUS_PING 1u
struct rs_request {
	uint32_t grant;    /* of the caller, readable or writable by RS */
	uint32_t bytes;    /* length of the granted record or space for the answer */
	uint64_t argument; /* STATUS: 0, or RS_STATUS_PING; EVENTS: first sequence number;
	                      RESULT, CANCEL: transaction;
	                      STAGE_CHUNK: offset in the blob; ADMIT: bytes of the
	                      layout's seed that follow the envelope, RS_SEED_LEN or 0 */
	uint64_t total;    /* STAGE_BEGIN: blob size; RESULT, CANCEL: epoch of the transaction */
	char service[SERVICE_NAME_LEN]; /* ENVELOPE */
};
_Static_assert(sizeof(struct rs_request) == 48, "layout of requests that carry a grant");
struct rs_metrics { /* REPORT_METRICS */
	uint64_t values[RS_N_METRICS];
};
_Static_assert(sizeof(struct rs_metrics) == 48, "layout of RS_REPORT_METRICS");
struct rs_acknowledge {    /* ACKNOWLEDGE */
	uint64_t sequence; /* events below it may be forgotten */
};
_Static_assert(sizeof(struct rs_acknowledge) == 8, "layout of RS_ACKNOWLEDGE");

/*
 * ORDER: err 0 means that the order was accepted, now or before: count = enum rs_outcome, a, b =
 * number and epoch. E_BUSY: a, b = those of the running transaction. E_NOTFOUND: a number below
 * accepted ones, never run. Other errors: refused, and the number is still free. EVENTS: count, a =
 * oldest kept, b = next sequence number. STAGE_LIST: count, a = budget, b = used. STAGE_BEGIN,
 * STAGE_CHUNK: count = bytes held, a = total. STATUS, RESULT, RESOURCES: count = records written.
 * ADMIT, ORDER, STATEMENT, TIME, STANDING: E_RATE: nothing was looked at; a = ms after which to ask
 * again.
 */
/* STAGE_*: the granted memory starts with the blob's hash; STAGE_CHUNK: followed by the chunk. */
struct rs_reply {
	err_t err;
	uint64_t count, a, b;
};
_Static_assert(sizeof(struct rs_reply) == 32, "layout of replies of RS");

struct rs_blob {
	uint8_t hash[RS_HASH_LEN];
	uint64_t total, held;
	uint32_t is_used, pad;
};

/*
 * What an admitted variant or kit is called in orders (a kit by its release id), and how much of
 * what it names is there: payload (total 0: a kit has none), description, flat kit.
 */
struct rs_admitted {
	uint8_t variant[RS_HASH_LEN];
	struct rs_blob blobs[3];
};

struct rs_check {
	char service[SERVICE_NAME_LEN];
	char state[SERVICE_NAME_LEN]; /* quiescent state by name; empty: the service's own */
};

enum rs_step {
	RS_STEP_NONE,
#define STEP(name, word, blame) RS_STEP_##name,
#include "proto/words/steps.def"
#undef STEP
	RS_STEP_N
};
enum rs_outcome {
	RS_OUTCOME_RUNNING = 1,
#define OUTCOME(name) RS_OUTCOME_##name,
#include "proto/words/outcomes.def"
#undef OUTCOME
};

struct rs_result {
	uint64_t transaction; /* number inside the epoch */
	uint64_t epoch;       /* 0: RS's own, a prepare check */
	uint32_t outcome;     /* enum rs_outcome */
	uint32_t step;        /* enum rs_step: where it ended or stands */
	err_t err;            /* cause when not committed */
	char service[SERVICE_NAME_LEN];
	uint32_t action;     /* enum order_action */
	uint64_t generation; /* that runs now */
	uint64_t generation_epoch;
	uint64_t base;                   /* base and build id are zero where RS made the layout: */
	uint8_t build_id[32];            /* that runs now */
	uint8_t commitment[RS_HASH_LEN]; /* to its seed then; zero: made by the host */
	uint8_t sealed[RS_SEALED_LEN]; /* the seed, for the audit key; zero: the root names none */
	nsec_t started,
	        step_at[RS_STEP_N]; /* kernel clock at the entry of each step, 0: not entered */
	nsec_t blackout;            /* prepared answer to first receive after commit */
	nsec_t asked;               /* when its order came */
	nsec_t layout_nsec;         /* that making the layout took, or checking what was staged */
	uint64_t image_bytes, arena_bytes, n_vm_faults;
	uint32_t n_prepare_tries, n_arena_tries;
	/* Where RS made this layout and the one before, of one release: its pieces, and how many kept
	 * their address and their distance from the base. Else zero. */
	uint32_t layout_pieces, layout_kept_address, layout_kept_base;
	struct sef_transfer_result transfer;
};

enum rs_event_kind {
	RS_EVENT_STEP = 1,
	RS_EVENT_RESULT,
#define CHANGE(name, sentence) RS_EVENT_##name,
#include "proto/words/changes.def"
#undef CHANGE
};
struct rs_event {
	uint64_t sequence;
	nsec_t at;
	uint32_t kind, step;
	uint64_t transaction, epoch;
	err_t err;
	char service[SERVICE_NAME_LEN];
	char text[104]; /* human readable: reason, address */
};

enum rs_service_state {
	RS_SERVICE_NONE,
#define SERVICE(name, word) RS_SERVICE_##name,
#include "proto/words/services.def"
#undef SERVICE
	RS_SERVICE_STATE_N
};

struct rs_service {
	char name[SERVICE_NAME_LEN];
	endpoint_t endpoint;
	uint32_t release; /* release counter */
	uint8_t release_id[RS_HASH_LEN];
	uint8_t build_id[32];
	uint64_t generation, generation_epoch, base;
	uint32_t n_restarts;
	uint8_t is_up, is_updatable, in_transaction;
	uint8_t is_machine_made; /* no base, build id or payload hash is told: nobody knows the layout */
	nsec_t started;          /* of this instance */
	nsec_t last_blackout, longest_gap;
	uint64_t resident_bytes;
	uint64_t state_bytes, state_objects; /* what the last transfer moved */
	uint8_t payload[RS_HASH_LEN];
	uint32_t floor; /* lowest release counter that may run */
	uint32_t state; /* enum rs_service_state */
	char metric_names[RS_N_METRICS][RS_METRIC_NAME_LEN];
	uint64_t metrics[RS_N_METRICS];
	uint64_t n_made; /* layouts that RS made by itself in this generation: it is N.n_made */
	uint8_t commitment
	        [RS_HASH_LEN]; /* to the seed of the layout that runs; zero: made by the host */
	uint8_t sealed[RS_SEALED_LEN]; /* that seed, for the audit key; zero: the root named none */
	nsec_t made_first, made_last;  /* when (kernel clock); 0: none was made */
	uint8_t made_head[RS_HASH_LEN]; /* of the chain of their commitments */
	uint32_t is_layout_kept; /* started afresh in the layout that it had, for want of a kit */
	uint32_t pad;
	nsec_t ping_open; /* since when it owes a sign of life; 0: it owes none */
	nsec_t pong_at,
	        pong_took; /* of the last that it gave: when it was asked, and how long it took; 0: none */
};

struct rs_resources {
	uint64_t total_frames, free_frames, table_frames;
	uint32_t n_slots_free, n_spaces_free, n_irq_hooks_free, n_blobs;
	uint64_t staged_bytes, staging_budget;
	uint64_t n_uncommitted_faults;
	nsec_t uptime, boot_done; /* boot_done: when every boot service had started */
	uint64_t kernel_bytes;
	uint8_t machine_id[16];
	uint64_t boot_id;              /* random, another one at each boot */
	uint64_t time;                 /* unix s: the machine's time */
	uint64_t time_nonce;           /* for the next time statement */
	uint64_t root_serial;          /* newest signed root seen */
	uint64_t busy, busy_epoch;     /* the running transaction; busy 0: none */
	uint64_t newest, newest_epoch; /* newest order accepted; newest 0: none */
	uint32_t has_statement;        /* else no order is carried out */
	uint32_t keeps_no_kits;        /* started with kits=none */
};

/* How it stands with the standing order; the counts of one that is over stay. */
enum rs_standing_state {
	RS_STANDING_NONE, /* none was given in this boot */
#define STANDING(name, word, sentence) RS_STANDING_##name,
#include "proto/words/standing.def"
#undef STANDING
	RS_STANDING_STATE_N
};

struct rs_standing {
	uint64_t epoch, number;
	uint64_t expires; /* unix s */
	uint32_t state;   /* enum rs_standing_state */
	uint32_t every_ms, jitter_ms, n_services, n_quiet, pad;
	struct rs_standing_quiet {
		uint32_t from_sec, until_sec;
	} quiet[8];
};

/* One of its services. Times are the kernel's clock; 0: never. */
struct rs_standing_service {
	char service[SERVICE_NAME_LEN];
	uint8_t release_id[RS_HASH_LEN];
	uint64_t n_moved, n_skipped, n_failed; /* skipped: a transaction was in the way */
	nsec_t moved_at, failed_at;
	nsec_t next; /* not before: what is drawn of the jitter is not told */
	err_t err;   /* why the last turn failed; E_OK: it did not */
	uint32_t pad;
};
