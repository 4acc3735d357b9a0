/*
 * Golden files: the bytes of every frame and message as released. This side must
 * still write them (version 2 of the machine protocol is the newest) and read them
 * without loss. What version 1 asked for and version 2 has no more is a request that
 * nobody knows, not one that is taken for another: DIR/../v1.
 *
 *   golden_test DIR           compare
 *   golden_test DIR --write   make them: only by golden/regenerate
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/control/control.pb-c.h"
#include "proto/frame/frame.h"
#include "proto/frame/hello.pb-c.h"
#include "proto/machine/machine.pb-c.h"
#include "proto/test/sample.h"

#define GOLDEN_NONCE UINT64_C(0x0123456789abcdef)

/* Each case of the message's oneof is a frame in the file. */
struct golden {
	const char *file;
	enum frame_type type;
	const ProtobufCMessageDescriptor *desc;
};

static const struct golden goldens[] = {
        {"hello.bin", FRAME_HELLO, &wire__hello__descriptor},
        {"welcome.bin", FRAME_WELCOME, &wire__hello__descriptor},
        {"bye.bin", FRAME_BYE, &wire__bye__descriptor},
        {"machine_request.bin", FRAME_DATA, &machine__request__descriptor},
        {"machine_reply.bin", FRAME_DATA, &machine__reply__descriptor},
        {"machine_event.bin", FRAME_DATA, &machine__event__descriptor},
        {"machine_answer.bin", FRAME_DATA, &machine__from_machine__descriptor},
        {"control_request.bin", FRAME_DATA, &control__request__descriptor},
        {"control_reply.bin", FRAME_DATA, &control__reply__descriptor},
        {"control_answer.bin", FRAME_DATA, &control__from_lud__descriptor},
};

static _Alignas(16) uint8_t arena_buf[1 << 20];
static uint8_t made[1 << 18];
static uint8_t stored[1 << 18];
static uint8_t decoder_buf[FRAME_SIZE_MAX];

/* What lud and luctl of 0.1.0 said; it is read for good. Newer ones have more fields. */
static const struct golden released[] = {
        {"../0.1.0/control_request.bin", FRAME_DATA, &control__request__descriptor},
        {"../0.1.0/control_reply.bin", FRAME_DATA, &control__reply__descriptor},
        {"../0.1.0/control_answer.bin", FRAME_DATA, &control__from_lud__descriptor},
};

static size_t golden_make(const struct golden *g)
{
	struct wire_arena arena;
	size_t at = 0;

	for (unsigned int i = 0; i < sample_n_cases(g->desc); i++) {
		ProtobufCMessage *msg;
		size_t len;

		wire_arena_init(&arena, arena_buf, sizeof(arena_buf));
		msg = sample_message(&arena, g->desc, i);
		len = protobuf_c_message_get_packed_size(msg);
		assert(len <= FRAME_PAYLOAD_MAX && at + FRAME_HEADER_SIZE + len <= sizeof(made));
		assert(protobuf_c_message_pack(msg, made + at + FRAME_HEADER_SIZE) == len);
		at += frame_seal(
		        made + at, g->type, GOLDEN_NONCE, g->type == FRAME_DATA ? i + 1 : 0, len);
	}
	return at;
}

static FILE *golden_open(const char *dir, const char *file, const char *mode)
{
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, mode);
	if (f == NULL) {
		perror(path);
		exit(1);
	}
	return f;
}

/* Unpack and pack again: nothing may be lost, and nothing be unknown. */
static void golden_reread(const struct golden *g, const struct frame *frame)
{
	static uint8_t again[FRAME_PAYLOAD_MAX];
	struct wire_arena arena;
	ProtobufCMessage *msg;

	wire_arena_init(&arena, arena_buf, sizeof(arena_buf));
	msg = protobuf_c_message_unpack(g->desc, &arena.allocator, frame->len, frame->payload);
	assert(msg != NULL && msg->n_unknown_fields == 0);
	assert(protobuf_c_message_pack(msg, again) == frame->len);
	assert(memcmp(again, frame->payload, frame->len) == 0);
}

/* The number of messages, each of which was read without loss. */
static unsigned int golden_decode(const struct golden *g, const uint8_t *bytes, size_t len)
{
	struct frame_decoder d;
	struct frame frame;
	size_t at = 0;
	unsigned int n = 0;

	frame_decoder_init(&d, decoder_buf, sizeof(decoder_buf));
	while (at < len || frame_decoder_is_partial(&d)) {
		at += frame_decoder_feed(&d, bytes + at, len - at);
		while (frame_decoder_next(&d, &frame) == FRAME_OK) {
			assert(frame.type == g->type && frame.nonce == GOLDEN_NONCE);
			golden_reread(g, &frame);
			n++;
		}
	}
	assert(d.n_bad == 0);
	return n;
}

static void golden_compare(const struct golden *g, const char *dir)
{
	FILE *f = golden_open(dir, g->file, "rb");
	size_t len = fread(stored, 1, sizeof(stored), f);
	size_t made_len = golden_make(g);

	(void)fclose(f);
	if (len != made_len || memcmp(stored, made, len) != 0) {
		(void)fprintf(stderr, "%s: what is written now has other bytes\n", g->file);
		exit(1);
	}
	assert(golden_decode(g, stored, len) == sample_n_cases(g->desc));
}

static void golden_read_released(const struct golden *g, const char *dir)
{
	FILE *f = golden_open(dir, g->file, "rb");
	size_t len = fread(stored, 1, sizeof(stored), f);

	(void)fclose(f);
	assert(golden_decode(g, stored, len) > 0);
}

static void golden_write(const struct golden *g, const char *dir)
{
	FILE *f = golden_open(dir, g->file, "wb");
	size_t len = golden_make(g);

	assert(fwrite(made, 1, len, f) == len && fclose(f) == 0);
}

/* Requests of version 1, each told by its number in the oneof. */
static void golden_refuse_old(const char *dir)
{
	static const unsigned int gone[] = {15, 23, 24}; /* update, shutdown, restart */
	unsigned int n = 0, n_gone = 0;
	struct frame_decoder d;
	struct frame frame;
	size_t at = 0, len;
	FILE *f = golden_open(dir, "../v1/machine_request.bin", "rb");

	len = fread(stored, 1, sizeof(stored), f);
	(void)fclose(f);
	frame_decoder_init(&d, decoder_buf, sizeof(decoder_buf));
	while (at < len || frame_decoder_is_partial(&d)) {
		at += frame_decoder_feed(&d, stored + at, len - at);
		for (; frame_decoder_next(&d, &frame) == FRAME_OK; n++) {
			struct wire_arena arena;
			Machine__Request *req;

			wire_arena_init(&arena, arena_buf, sizeof(arena_buf));
			req = machine__request__unpack(&arena.allocator, frame.len, frame.payload);
			assert(req != NULL);
			if (req->body_case != MACHINE__REQUEST__BODY__NOT_SET) {
				continue;
			}
			assert(n_gone < 3 && req->base.n_unknown_fields == 1);
			assert(req->base.unknown_fields[0].tag == gone[n_gone++]);
		}
	}
	assert(n == 15 && n_gone == 3);
}

int main(int argc, char **argv)
{
	int write = argc == 3 && strcmp(argv[2], "--write") == 0;

	assert(argc == 2 || write);
	for (unsigned int i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
		if (write) {
			golden_write(&goldens[i], argv[1]);
		} else {
			golden_compare(&goldens[i], argv[1]);
		}
	}
	for (unsigned int i = 0; i < sizeof(released) / sizeof(released[0]); i++) {
		golden_read_released(&released[i], argv[1]);
	}
	golden_refuse_old(argv[1]);
	return 0;
}
