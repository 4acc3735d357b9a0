#pragma once
/*
 * Flat images: the only program format the machine knows. luforge writes them,
 * the kernel loads the flagged entries of a boot image with them, and RS loads
 * every other service with them.
 *
 * A *payload* is one variant of one service: a header, segments to be copied to
 * fixed addresses inside one window, and one address per symbol of the release's
 * state description. A *boot image* carries the services a machine starts with,
 * its identity and its configuration.
 *
 * Everything is little endian and naturally aligned. The checkers read untrusted
 * bytes, allocate nothing, call nothing and build freestanding; what they return
 * points into the caller's buffer and lives as long as it. After a check returned
 * IMAGE_OK, every offset, length and address named by the view is in range.
 *
 * A check reads the buffer more than once: nobody else may be able to write it.
 */
#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAGIC "SAMIMG1"
#define IMAGE_VERSION 1u
#define IMAGE_PAGE 4096u
#define IMAGE_NAME_SIZE 24u
#define IMAGE_WINDOW_ALIGN (UINT64_C(2) << 20)
#define IMAGE_WINDOW_MAX (UINT64_C(2) << 30)
#define IMAGE_BASE_MIN (UINT64_C(1) << 32)
#define IMAGE_BASE_END ((UINT64_C(1) << 47) - IMAGE_WINDOW_MAX)
#define IMAGE_SEGMENTS_MAX 16u
#define IMAGE_SYMBOLS_MAX (1u << 20)

#define BOOT_MAGIC "SAMBOOT"
#define BOOT_VERSION 3u
#define BOOT_ENTRIES_MAX 256u
#define BOOT_CMDLINE_SIZE 256u

enum image_error {
	IMAGE_OK,
	IMAGE_E_ALIGN,     /* the buffer is not 8-byte aligned */
	IMAGE_E_SHORT,     /* fewer bytes than the header says, or trailing bytes */
	IMAGE_E_MAGIC,     /* not this kind of file */
	IMAGE_E_VERSION,   /* a format version this code does not know */
	IMAGE_E_NAME,      /* a service name that is empty, unpadded or has other letters */
	IMAGE_E_COUNT,     /* too few or too many segments, symbols or entries */
	IMAGE_E_TABLE,     /* a table that is unaligned or outside the file */
	IMAGE_E_WINDOW,    /* a base or window length outside the allowed range */
	IMAGE_E_SEGMENT,   /* a segment that is unaligned, empty or outside window or file */
	IMAGE_E_ORDER,     /* segments that overlap or do not rise in address */
	IMAGE_E_PROT,      /* unknown protection, unreadable, or writable and executable */
	IMAGE_E_ENTRY,     /* the entry point is not in an executable segment's file bytes */
	IMAGE_E_SYMBOL,    /* a symbol address outside every segment */
	IMAGE_E_PART,      /* a part of a boot entry that is unaligned, missing or outside */
	IMAGE_E_KIND,      /* an unknown entry kind or flag */
	IMAGE_E_DUPLICATE, /* two boot entries of one name */
	IMAGE_E_CMDLINE,   /* a command line that is not NUL padded printable text */
	IMAGE_E_RESERVED,  /* a reserved field that is not zero */
	_IMAGE_E_N
};

enum image_prot {
	IMAGE_PROT_READ = 1,
	IMAGE_PROT_WRITE = 2,
	IMAGE_PROT_EXEC = 4,
};

struct image_segment {
	uint64_t vaddr;     /* absolute, page aligned */
	uint64_t mem_size;  /* bytes in memory, page multiple; beyond file_size: zero */
	uint64_t file_off;  /* from the start of the payload, page aligned */
	uint64_t file_size; /* at most mem_size */
	uint32_t prot;      /* enum image_prot */
	uint32_t reserved;
};

struct image_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size; /* sizeof(struct image_header) */
	uint64_t total_size;  /* of the whole payload */
	char service[IMAGE_NAME_SIZE];
	uint64_t base;  /* first address of the window, 2 MiB aligned */
	uint64_t entry; /* absolute address of _start */
	uint32_t n_segments;
	uint32_t n_symbols;
	uint64_t segments_off; /* struct image_segment[n_segments], rising vaddr */
	uint64_t symbols_off;  /* uint64_t[n_symbols]; 0: symbol is not in this variant */
	uint8_t build_id[32];  /* start of BLAKE2b-512 of the payload with this field 0 */
	uint64_t window_len;   /* bytes from base, page multiple, holds every segment */
};

/* A checked payload; pointers into the caller's bytes. */
struct image_view {
	const struct image_header *header;
	const struct image_segment *segments;
	const uint64_t *symbols;
	const uint8_t *bytes;
};

enum boot_kind {
	BOOT_KIND_SERVICE = 1, /* started at boot; nth SERVICE is in slot n */
	BOOT_KIND_BLOB = 2,    /* carried for somebody to ask for, never started */
};

enum boot_flag {
	BOOT_KERNEL_LOADED = 1, /* loaded by the kernel itself (vm, rs), others by RS */
};

/* A run of bytes in the boot image; off is page aligned; len 0 (off 0): absent. */
struct boot_part {
	uint64_t off;
	uint64_t len;
};

struct boot_entry {
	char name[IMAGE_NAME_SIZE]; /* service name; a blob may also have '#', '.', '-' */
	uint32_t kind;              /* enum boot_kind */
	uint32_t flags;             /* enum boot_flag */
	struct boot_part manifest;  /* kit manifest (proto/envelope) */
	struct boot_part state;     /* state description (proto/state) */
	struct boot_part flat;      /* flat kit (flat.h) */
	struct boot_part payload;   /* flat payload; a plain blob's bytes */
	struct boot_part envelope;  /* signatures (proto/envelope) */
	uint64_t generation;
	uint64_t floor; /* lowest release number this service may run */
};

struct boot_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size; /* sizeof(struct boot_header) */
	uint64_t total_size;
	uint32_t n_entries;
	uint32_t reserved;
	uint64_t entries_off; /* struct boot_entry[n_entries]; SERVICEs first */
	uint8_t machine_id[16];
	uint8_t root_hash[64];           /* BLAKE2b-512 of the root manifest; 0 when absent */
	struct boot_part root;           /* signed root (proto/envelope) */
	struct boot_part statement;      /* starting statement (proto/envelope) */
	uint8_t random_seed[32];         /* mixed into the machine's random source */
	uint64_t boot_time_unix;         /* seconds: the starter's clock */
	char cmdline[BOOT_CMDLINE_SIZE]; /* "key=value" words, NUL padded */
};

/* A checked boot image. */
struct boot_view {
	const struct boot_header *header;
	const struct boot_entry *entries;
	const uint8_t *bytes;
};

/* One entry with its parts resolved; an absent part is NULL with length 0. */
struct boot_item {
	const struct boot_entry *entry;
	const uint8_t *manifest, *state, *flat, *payload, *envelope;
	size_t manifest_len, state_len, flat_len, payload_len, envelope_len;
};

_Static_assert(sizeof(struct image_segment) == 40, "layout");
_Static_assert(sizeof(struct image_header) == 128, "layout");
_Static_assert(offsetof(struct image_header, build_id) == 88, "layout");
_Static_assert(sizeof(struct boot_entry) == 128, "layout");
_Static_assert(sizeof(struct boot_header) == 448, "layout");
_Static_assert(offsetof(struct boot_header, cmdline) == 192, "layout");

/* Check a payload completely. Fill *ret_view only when the answer is IMAGE_OK. */
enum image_error image_check(const void *bytes, size_t len, struct image_view *ret_view);

/* The bytes segment i is loaded with (file_size of them). i < n_segments. */
const uint8_t *image_segment_bytes(const struct image_view *view, unsigned int i);

/*
 * Check a boot image: its tables and that every part lies inside. Parts may share
 * bytes. The contents of parts are not looked at: check payloads with image_check.
 */
enum image_error boot_check(const void *bytes, size_t len, struct boot_view *ret_view);

/* Resolve entry i (i < n_entries) of a checked boot image. */
void boot_entry_get(const struct boot_view *view, unsigned int i, struct boot_item *ret_item);

/*
 * Find the value of a "key=value" word of the command line. Return its first
 * byte and its length (up to the next space), or NULL when there is no such word.
 */
const char *boot_cmdline_get(const struct boot_header *header, const char *key, size_t *ret_len);

/* One short sentence for a person; never NULL. */
const char *image_error_text(enum image_error error);
