/*
 * Pairing of two state descriptions: which entry of the old release becomes which of the new
 * one, and by which plan. It depends on the binaries only, so that it runs in a new instance
 * before the switch, and on the host before anything is staged. There the address vectors are
 * made up: any numbers do that differ and are not 0. What is paired, only the machine carries
 * over (osd/lib/state/state_transfer.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_ERROR_TEXT 200
#define STATE_NOTES_MAX 2048

enum state_code {
	STATE_OK,
	STATE_E_DESCRIPTION, /* a state description is malformed */
	STATE_E_SETUP,       /* address vector or heap does not belong to the description */
	STATE_E_SCRATCH,     /* scratch memory is too small */
	STATE_E_ARENA,       /* the new heap is full */
	STATE_E_ANNOTATION,  /* an annotation names what does not exist or cannot be */
	STATE_E_TYPE,        /* the types do not map onto each other */
	STATE_E_UNION,       /* a union with pointers, or of changed layout, has no tag */
	STATE_E_VERSION,     /* the versions differ and there is no handler */
	STATE_E_LOSS, /* the new release has no place for some state, and nobody agreed to that */
	STATE_E_HEAP, /* the old heap's own data is inconsistent */
	STATE_E_POINTER,   /* leads nowhere, or to what has no partner, or to a wrong type */
	STATE_E_AMBIGUOUS, /* the pointer may mean several things that part in the new layout */
	STATE_E_RANGE,     /* a value does not fit its new type */
	STATE_E_SIZE,      /* an object would be larger than any that a heap holds */
	STATE_E_HANDLER,   /* a handler refused */
	_STATE_CODE_N,
};

/* One instance, as its binaries describe it. */
struct state_side {
	const void *desc; /* state description, 8 bytes aligned */
	size_t desc_size;
	const uint64_t *addr; /* address vector of the variant */
	size_t n_addr;
};

/*
 * Both descriptions have passed state_desc_check(), and nobody but who checked them could write to
 * them since.
 */
struct state_setup {
	/* One description at one address: the release follows itself, and is paired the short way. */
	struct state_side old;
	struct state_side new;
	/*
	 * Scratch memory, zeroed, aligned to 16, used until the transfer is done. About 64 bytes
	 * for each entry of both descriptions, and 32 bytes for each live object, are enough.
	 */
	void *scratch;
	size_t scratch_size;
	bool accepts_loss; /* state without a place is listed, not refused: somebody consented */
};

struct state_result {
	enum state_code code;
	uint64_t value;               /* of the pointer, integer or return code at fault */
	char error[STATE_ERROR_TEXT]; /* what, at which variable and member; "" without error */
	uint64_t n_bytes;             /* of state carried over */
	uint64_t n_objects;           /* on the heap */
	uint64_t n_variables;
	uint64_t n_removed; /* kinds of state without a place: dropped, or lost by consent */
	uint64_t n_strings; /* literals copied to the heap for want of a partner */
	uint64_t scratch_used;
	/* What was lost, dropped, moved and copied, a line each; cut off when it does not fit. */
	char notes[STATE_NOTES_MAX];
};

enum state_notice_kind {
	STATE_NOTICE_LOST,    /* has no place in the new release: refused without consent */
	STATE_NOTICE_AT_RISK, /* the same, if the old instance has any: the transfer will see */
	STATE_NOTICE_DROPPED, /* has no place, and an annotation says so */
	STATE_NOTICE_MOVED,   /* found in another file or function */
	_STATE_NOTICE_N,
};

enum state_thing {
	STATE_THING_VARIABLE,
	STATE_THING_MEMBER,     /* of all values of its type */
	STATE_THING_OBJECTS,    /* of an allocation site */
	STATE_THING_ELEMENTS,   /* at the end of an array that shrank; in use: not zero */
	STATE_THING_ENUMERATOR, /* in use: refused, whoever consents, as there is no value for it */
	_STATE_THING_N,
};

/* What is not simply carried over. Pairing makes a list of them, in the scratch memory. */
struct state_notice {
	const struct state_notice *next;
	enum state_notice_kind kind;
	enum state_thing thing;
	uint32_t entry;     /* of the old description: it, or where it was met first; UINT32_MAX */
	const char *member; /* or enumerator; "" */
	const char *text;   /* for people, all said */
};

struct state_pairing; /* lives in the scratch memory */
struct state_view;

/*
 * Named by STATE_HANDLER(): fills *view->new, which holds its initial value, from
 * *view->old. Returns 0, or a number that goes into the result and ends the transfer.
 * The objects that pointers lead to may not have been filled yet.
 */
typedef int (*state_handler_t)(const struct state_view *view);

/*
 * Pairs the two descriptions. The setup may go, what it points to must stay. On failure *result
 * says why; on success *ret is ready for a transfer.
 */
enum state_code state_pair(
        const struct state_setup *setup, struct state_result *result, struct state_pairing **ret);
/* What a pairing that succeeded found, in no order; NULL: nothing. */
const struct state_notice *state_pair_notices(const struct state_pairing *pairing);
/*
 * The n-th variable that is carried over: its old and its new entry.
 * False: there are not so many.
 */
bool state_pair_variable(const struct state_pairing *pairing, uint32_t n, uint32_t ret_entry[2]);
/* The new entry that an old one became, be it carried over or a constant; UINT32_MAX: none. */
uint32_t state_pair_partner(const struct state_pairing *pairing, uint32_t old_entry);
const char *state_code_text(enum state_code code);
