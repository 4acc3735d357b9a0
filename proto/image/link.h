#pragma once
/*
 * The linker: a flat kit and a seed become a variant. Everything that can be chosen is drawn
 * from a ChaCha20 stream (RFC 8439) under a key that the seed, the service, the release and the
 * recipe give together:
 *
 *   key = first 32 bytes of BLAKE2b-512("samsara layout\0\0" | seed | service | release id | recipe)
 *
 * with one stream per choice (its number is the nonce), so that one seed gives no two services
 * and no two releases anything in common, and a new kind of choice changes no other one.
 *
 *   base        a step of 2 MiB in the 47-bit space above 4 GiB
 *   segments    the order of text, constants and data; a gap of pages before each
 *   pieces      the order inside each class; a pad before, between and behind them
 *
 * Text and constants are a segment each; in the third, zeroed pieces follow the data. Segments
 * start on pages, pieces on their alignment. An empty segment is left out, with its gap; an
 * empty class has no pad.
 *
 * A pad has 1 to link_pad_limit() bytes: at least one, so that one past the end of a piece is
 * never the next, and so many that pieces of up to 32 bytes' alignment keep ten bits of distance
 * from each other. Most of that comes from their order; pads make up what a small class lacks.
 *
 * A variant is a pure function of (kit, seed, release id): the same bytes on every host and in
 * every machine. The linker allocates nothing, calls nothing but memcpy(), memset() and the seam
 * (link_crypto.h), and builds freestanding. Its time is bounded by the sizes in the kit.
 *
 * It must be given a kit that flat_check() accepted. It does not look at signatures. Who wants
 * a layout forgotten wipes the scratch and the layout; the key is wiped here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/image/flat.h"
#include "proto/image/image.h"

/* Rises whenever the same seed would give another layout. 1 was lld's, 2 had wider pads. */
#define LINK_RECIPE 3u
#define LINK_SEED_SIZE 32u
#define LINK_RELEASE_SIZE 64u
/* Gaps lie in [0, LINK_GAP_PAGES): three of them and the segments fill the window. */
#define LINK_GAP_PAGES (1u << 17)
/* Pads, in bytes: see link_pad_limit(). All of these are part of the recipe. */
#define LINK_PAD_SHARE 6u /* a class grows by one part in so many, */
#define LINK_PAD_SHARE_TEXT 16u
#define LINK_ROOM_TEXT 14336u /* or until this is what its pieces are spread over */
#define LINK_ROOM_CONST 23552u
#define LINK_ROOM_DATA 13312u
#define LINK_ROOM_ZERO 14336u
#define LINK_SPREAD_MAX 1024u /* of one piece, in that sum */
#define LINK_PAD_MIN 32u      /* limits are at least this, */
#define LINK_PAD_MAX 16384u   /* and at most this */

enum link_segment { LINK_TEXT, LINK_CONST, LINK_DATA, _LINK_SEGMENT_N };

enum link_error {
	LINK_OK,
	LINK_E_RECIPE,  /* the kit was made for another recipe */
	LINK_E_CIPHER,  /* the cryptographic library failed */
	LINK_E_WINDOW,  /* a fixed base at which no window may start */
	LINK_E_RANGE,   /* a pc-relative field cannot hold its distance */
	LINK_E_SCRATCH, /* less memory than link_scratch_size() says */
	_LINK_E_N
};

/* What a layout is drawn from. The seed is a secret as long as the variant runs. */
struct link_request {
	const uint8_t *seed;       /* LINK_SEED_SIZE bytes */
	const uint8_t *release_id; /* LINK_RELEASE_SIZE bytes: hash of the kit's manifest */
	uint64_t fixed_base;       /* 0: drawn; else the base. For tests and debuggers */
};

/*
 * Where everything lies. `address` and `order` are in the caller's scratch. Segments stand as in
 * a payload: by rising address, with their place in its file; segment[i] is of kind[i].
 */
struct link_layout {
	uint64_t base, window_len;
	uint64_t entry;
	struct image_segment segment[_LINK_SEGMENT_N];
	enum link_segment kind[_LINK_SEGMENT_N];
	uint32_t n_segments;     /* an empty one is left out */
	uint64_t payload_size;   /* bytes of link_payload_write() */
	const uint64_t *address; /* of each piece */
	const uint32_t *order;   /* pieces by class as they were placed: for oracles and pictures */
	/* Bytes drawn before each, and one more behind each class: pad[i + c] stands before
	 * order[i] of class c, pad[first[c + 1] + c] behind the class. 0 for an empty class. */
	const uint32_t *pad;
};

/* Bytes of scratch that link_place() needs for this kit; 8-byte aligned. */
size_t link_scratch_size(const struct flat_view *kit);

/*
 * A pad of this class has 1 to so many bytes:
 *
 *   2 * max(bytes of the class / LINK_PAD_SHARE, LINK_ROOM_x - spread) / (pieces + 1)
 *
 * at least LINK_PAD_MIN, at most LINK_PAD_MAX. The spread is the sum of the pieces' sizes, each
 * counted with at most LINK_SPREAD_MAX. A property of the kit; it walks its pieces.
 */
uint32_t link_pad_limit(const struct flat_view *kit, enum flat_class class);

/*
 * Draw everything and give every piece its address. *ret_layout points into the scratch.
 * LINK_E_RECIPE, LINK_E_SCRATCH, LINK_E_WINDOW, LINK_E_CIPHER.
 */
enum link_error link_place(const struct flat_view *kit, const struct link_request *request,
        void *scratch, size_t scratch_size, struct link_layout *ret_layout);

/*
 * Write the file_size bytes of segment[i]: fillers and relocated pieces. `dst` may be the frames
 * themselves, wherever they are mapped while they are written; its alignment does not matter.
 * LINK_E_RANGE, with what was written so far.
 */
enum link_error link_segment_write(
        const struct flat_view *kit, const struct link_layout *layout, uint32_t i, uint8_t *dst);

/* Write the symbol vector: one address per symbol, 0 for what is not in the program. */
void link_symbols_write(
        const struct flat_view *kit, const struct link_layout *layout, uint64_t *dst);

/*
 * Write the whole payload of layout->payload_size bytes, as image_check() takes it, build id
 * included. dst is 8-byte aligned. LINK_E_RANGE, LINK_E_CIPHER.
 */
enum link_error link_payload_write(
        const struct flat_view *kit, const struct link_layout *layout, uint8_t *dst);

/*
 * The same without a build id, whose field stays zero: it is the hash of all bytes, and costs more
 * than the rest. For payloads that nobody names. LINK_E_RANGE.
 */
enum link_error link_payload_write_unnamed(
        const struct flat_view *kit, const struct link_layout *layout, uint8_t *dst);

/* One short sentence for a person; never NULL. */
const char *link_error_text(enum link_error error);
