#pragma once
/*
 * Files on their way into a machine's staging store. The owner says which files and shows what names
 * them; one of the calls of its ops ends it. See send.c.
 */
#include "orchestrator/machine/machine.h"
#include "orchestrator/store/releases.h"

/* State description, flat kit, payload. */
#define SEND_FILES_MAX 3u
/* How long one request may wait for the machine's answer. */
#define SEND_ANSWER_USEC UINT64_C(10000000)
/* What helps where the files of a kit are not those that were signed. */
#define SEND_KIT_REMEDY "make the copy whole: add the release again with `luctl release add`"

struct send_file {
	uint8_t hash[64];
	char *path;     /* owned; read once the machine lacks the file. NULL: ->bytes has it */
	uint8_t *bytes; /* owned */
	size_t size;
	uint64_t offset;  /* the machine has everything before */
	bool is_optional; /* a machine that does not name it has no use for it */
	bool is_there;    /* the machine has it whole, from its boot or from before */
	bool dropped;     /* room was made for it once already */
};

struct send_ops {
	/* Every file is there; so many bytes were not before. */
	void (*done)(size_t bytes, void *arg);
	/* The machine has so much of the file. */
	void (*came)(const struct send_file *file, void *arg);
	/* Room was made: what names the files is to be shown again, by send_show(). */
	void (*again)(void *arg);
	/* r: as of machine_request(). If it is 0, reply is not what was asked for. */
	void (*refused)(int r, const Machine__Reply *reply, void *arg);
	/* It will not go better another time. */
	void (*failed)(const struct failure *failure, void *arg);
};

/* Zero is one that sends nothing. The owner has it from send_init() to send_fini(). */
struct send {
	struct machine *machine;
	const struct send_ops *ops;
	void *arg;
	size_t chunk_size;
	struct send_file files[SEND_FILES_MAX];
	size_t n_files, at;
};

/* What was sent before is let go of. */
void send_init(struct send *send, struct machine *machine, size_t chunk_size,
        const struct send_ops *ops, void *arg);
/* No more calls from now on. Of zero, too. */
void send_stop(struct send *send);
/* Stops, and frees the files. */
void send_fini(struct send *send);
/* The next file, of a hash and length; there is room. What else is known of it, the caller fills in. */
struct send_file *send_add(struct send *send, const uint8_t hash[64], size_t size);
/* Shows what names the files, with the seed of a variant (NULL: none), and sends what is not there. */
void send_show(struct send *send, const uint8_t *envelope, size_t envelope_size,
        const uint8_t *seed, size_t seed_size);

/* kit.c */
/*
 * Adds the files of the release's kit, by the names that the signed kit has for them. is_needed: the flat
 * kit is of use in any case. On an error ret_failure says what is wrong with the kit.
 */
int __must_check send_kit_files(struct send *send, const struct release_row *release,
        bool is_needed, struct failure *ret_failure);
/*
 * The envelope of the keyring's root and the release's kit, which the caller frees, and the root's
 * serial. On an error ret_failure says what is wrong.
 */
int __must_check send_kit_envelope(const struct release_row *release, const char *keyring,
        uint8_t **ret_envelope, size_t *ret_size, uint64_t *ret_serial,
        struct failure *ret_failure);
